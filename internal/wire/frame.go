package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// FrameKind says what a frame of a [Stream] is.
type FrameKind uint8

// Frames that all streams have in common. Each side sends exactly one
// [FrameEnd] or [FrameFault], as its last: a stream that ends without has
// broken.
const (
	// FrameData is bytes.
	FrameData FrameKind = iota + 1
	// FrameEnd says that its sender has sent all. What it carries is the
	// operation's own.
	FrameEnd
	// FrameFault says that the stream failed, and carries a [StreamFault].
	FrameFault
	// FramePing says nothing. The server sends it to find out whether the client
	// is there.
	FramePing

	// FrameOwn is the first kind that operations give a meaning of their own.
	FrameOwn FrameKind = 16
)

const (
	// FrameLimit is how many bytes a frame carries at most.
	FrameLimit = 64 << 10
	// frameHead is the kind and, big-endian, how many bytes follow.
	frameHead = 1 + 4
)

// ErrFrame is the error of a frame that is longer than [FrameLimit].
var ErrFrame = errors.New("wire: frame is too long")

// FrameWriter writes frames. It is safe for concurrent use. When a write has
// sent half a frame, the next one begins with the other half.
type FrameWriter struct {
	mu   sync.Mutex
	w    io.Writer
	buf  []byte
	rest []byte // of buf: half a frame
}

// NewFrameWriter returns a FrameWriter to w, with one Write a frame.
func NewFrameWriter(w io.Writer) *FrameWriter { return &FrameWriter{w: w} }

// WriteFrame writes one frame. It blocks as w does.
func (w *FrameWriter) WriteFrame(kind FrameKind, p []byte) error {
	if len(p) > FrameLimit {
		return ErrFrame
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.send(); err != nil {
		return err
	}
	w.buf = append(w.buf[:0], byte(kind))
	w.buf = binary.BigEndian.AppendUint32(w.buf, uint32(len(p)))
	w.buf = append(w.buf, p...)
	w.rest = w.buf
	err := w.send()
	if len(w.rest) == len(w.buf) {
		w.rest = nil // nothing of it was sent, and nobody waits for it
	}
	return err
}

// send sends what is left of a frame.
func (w *FrameWriter) send() error {
	if len(w.rest) == 0 {
		return nil
	}
	n, err := w.w.Write(w.rest)
	w.rest = w.rest[n:]
	return err
}

// Write writes p as frames of data.
func (w *FrameWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		n := min(len(p), FrameLimit)
		if err := w.WriteFrame(FrameData, p[:n]); err != nil {
			return total, err
		}
		total, p = total+n, p[n:]
	}
	return total, nil
}

// FrameReader reads frames. It is for one goroutine at a time.
type FrameReader struct {
	r    *bufio.Reader
	head [frameHead]byte
	buf  []byte
	left int // of the frame
}

// NewFrameReader returns a FrameReader of r.
func NewFrameReader(r *bufio.Reader) *FrameReader { return &FrameReader{r: r} }

// Next begins the next frame, of size bytes, and skips what is left of the one
// before. The end of the stream is [io.ErrUnexpectedEOF]: whoever has read the
// last frame does not ask for another.
func (r *FrameReader) Next() (kind FrameKind, size int, err error) {
	if r.left > 0 {
		if _, err := r.r.Discard(r.left); err != nil {
			return 0, 0, broken(err)
		}
	}
	r.left = 0
	if _, err := io.ReadFull(r.r, r.head[:]); err != nil {
		return 0, 0, broken(err)
	}
	n := binary.BigEndian.Uint32(r.head[1:])
	if n > FrameLimit {
		return 0, 0, fmt.Errorf("%w: %d bytes", ErrFrame, n)
	}
	r.left = int(n)
	return FrameKind(r.head[0]), r.left, nil
}

// Wait waits until there is something to read: of a frame, or an error that
// Next returns.
func (r *FrameReader) Wait() { _, _ = r.r.Peek(1) }

// Read reads of what the frame carries; [io.EOF] is its end.
func (r *FrameReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.r.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, broken(err)
}

// Payload returns what is left of the frame, valid until the next call.
func (r *FrameReader) Payload() ([]byte, error) {
	if cap(r.buf) < r.left {
		r.buf = make([]byte, r.left)
	}
	p := r.buf[:r.left]
	if _, err := io.ReadFull(r.r, p); err != nil {
		return nil, broken(err)
	}
	r.left = 0
	return p, nil
}

func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
