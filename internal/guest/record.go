package guest

import (
	"encoding/binary"
	"io"
	"sync"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// recordKind says what a record is.
type recordKind uint8

const (
	recordRequest recordKind = iota + 1 // by the engine, first
	recordContent                       // of a file, or standard input
	recordStdout
	recordStderr
	recordControl
	recordStarted // a command, before its output
	recordEntries // part of a list
	recordResult  // last
	recordError   // last, instead
)

const (
	recordHead = 5
	// recordLimit bounds the bytes of a record, so that it fits in a frame.
	// A request alone may have RequestLimit.
	recordLimit = mux.FrameLimit - recordHead
)

// recordWriter writes records to a stream. Several goroutines may do it: a
// record that needs several frames is not mixed with others.
type recordWriter struct {
	*mux.Stream
	mu sync.Mutex
}

func (w *recordWriter) record(kind recordKind, p []byte) error {
	var head [recordHead]byte
	head[0] = byte(kind)
	binary.BigEndian.PutUint32(head[1:], uint32(len(p)))
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.WriteParts(head[:], p)
	return err
}

// as returns a writer that makes records of kind of what is written.
func (w *recordWriter) as(kind recordKind) kindWriter { return kindWriter{w, kind} }

type kindWriter struct {
	to   *recordWriter
	kind recordKind
}

func (w kindWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		n := min(len(p), recordLimit)
		if err := w.to.record(w.kind, p[:n]); err != nil {
			return total, err
		}
		total += n
		p = p[n:]
	}
	return total, nil
}

// newRecord returns an encoder that starts with the head of a record, and
// sealed sets its length.
func newRecord(kind recordKind) *encoder {
	e := &encoder{make([]byte, recordHead, 128)}
	e.b[0] = byte(kind)
	return e
}

func (e *encoder) sealed() []byte {
	binary.BigEndian.PutUint32(e.b[1:], uint32(len(e.b)-recordHead))
	return e.b
}

// recordReader reads records from a stream.
type recordReader struct {
	r    io.Reader
	head [recordHead]byte
	buf  []byte
}

// next returns the next record of at most limit bytes, valid until the next
// call. It returns io.EOF only between records.
func (r *recordReader) next(limit int) (recordKind, []byte, error) {
	if _, err := io.ReadFull(r.r, r.head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(r.head[1:])
	if uint64(size) > uint64(limit) {
		return 0, nil, ErrProtocol
	}
	r.buf = r.buf[:0]
	for len(r.buf) < int(size) {
		// No more than a frame's worth before it arrives.
		n := min(int(size)-len(r.buf), mux.FrameLimit)
		r.buf = grow(r.buf, n)
		if _, err := io.ReadFull(r.r, r.buf[len(r.buf)-n:]); err != nil {
			return 0, nil, noEOF(err)
		}
	}
	return recordKind(r.head[0]), r.buf, nil
}

func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b[:len(b)+n]
	}
	return append(b, make([]byte, n)...)
}

// isEOF reports whether err is the end of a reader, and not an error that
// tells of one.
func isEOF(err error) bool { return err == io.EOF } //nolint:errorlint // readers return it bare

func noEOF(err error) error {
	if isEOF(err) {
		return io.ErrUnexpectedEOF
	}
	return err
}
