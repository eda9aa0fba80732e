package filesystem

import (
	"context"
	"io"
	"io/fs"
	"sync"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Further write modes, of [Client.CreateStream] alone.
const (
	// Replace puts a whole new file in the place of what is there, in one step,
	// when the stream is closed: who reads it sees it before or after. Until then,
	// when the stream breaks, and when a reader given to ReadFrom has failed, all
	// is as it was.
	Replace WriteMode = iota + 3
	// Update writes over what is there from an offset on, and leaves the rest. The
	// file has to exist.
	Update
)

// streamModes are the names of the modes of streams.
var streamModes = map[WriteMode]string{
	Overwrite: wire.WriteOverwrite, Append: wire.WriteAppend, CreateNew: wire.WriteCreateNew,
	Replace: wire.WriteReplace, Update: wire.WriteUpdate,
}

// CreateStreamOptions are for [Client.CreateStream].
type CreateStreamOptions struct {
	Mode WriteMode
	// Offset is where Update starts. Beyond the end of the file it leaves zeros
	// between.
	Offset int64
	// Perm are the permissions that the file gets, if not 0: also one that
	// exists. Otherwise a file keeps its own, and a new one gets 0644.
	Perm fs.FileMode
	// IfMatch, when not empty, is the ETag that the file must have, or its SHA-256
	// after [SumPrefix]. Another is an error with code
	// [apierr.FailedPrecondition], from Write or Close. Together with Replace it
	// is compare-and-swap among all who write through this API.
	IfMatch string
}

// StreamResult is the outcome of a [StreamWriter].
type StreamResult struct {
	Written   int64  // bytes
	ETag      string // of the file as it was written; empty where there are no streams
	RequestID string
}

// A StreamWriter writes a file as one stream. What is written has arrived only
// once Close has returned nil. It is safe for concurrent use: calls wait for each
// other.
type StreamWriter struct {
	mu     sync.Mutex
	out    *outflow
	pieces *Writer // where there are no streams
	s      subject
	whole  bool  // half a file is none
	failed error // of a reader, so that there is no more than half
	closed bool
	result StreamResult
}

var (
	_ io.WriteCloser = (*StreamWriter)(nil)
	_ io.ReaderFrom  = (*StreamWriter)(nil)
)

// CreateStream opens a file for writing; its parent directories are made, except
// with Update. ctx bounds every write and Close too. That the file cannot be
// written is told by Write or Close. The caller has to close the writer, or to
// abort it. The options may be nil.
//
// AGB's hosted service has no streams: there the file is written in pieces, as
// [Client.Create] does, if only the mode is set, to Overwrite, Append or
// CreateNew; otherwise the error has code [apierr.Unsupported].
func (c *Client) CreateStream(ctx context.Context, path string, opts *CreateStreamOptions) (*StreamWriter, error) {
	s, err := c.subject("CreateStream", path)
	if err != nil {
		return nil, err
	}
	var o CreateStreamOptions
	if opts != nil {
		o = *opts
	}
	mode, ok := streamModes[o.Mode]
	if !ok || o.Offset < 0 || o.Offset > 0 && o.Mode != Update || o.Perm&^fs.ModePerm != 0 {
		return nil, s.failf(apierr.InvalidArgument, "mode %d, offset %d or permissions %v cannot be", o.Mode, o.Offset, o.Perm)
	}
	req := wire.WriteContentRequest{
		FileRequest: wire.FileRequest{SessionID: c.session, Path: path}, Mode: mode, Offset: o.Offset, IfMatch: o.IfMatch,
	}
	if o.Perm != 0 {
		perm := uint32(o.Perm)
		req.Perm = &perm
	}
	f, err := openFlow(ctx, s, wire.WriteContent, req)
	if unsupported(err) && o.Mode <= CreateNew && o.Perm == 0 && o.IfMatch == "" {
		w, err := c.Create(ctx, path, &WriteOptions{Mode: o.Mode})
		if err != nil {
			return nil, err
		}
		return &StreamWriter{s: s, pieces: w}, nil
	}
	if err != nil {
		return nil, err
	}
	return &StreamWriter{s: s, whole: o.Mode == Replace, out: newOutflow(f), result: StreamResult{RequestID: f.st.Meta.RequestID}}, nil
}

// Write implements [io.Writer].
func (w *StreamWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, w.s.fail(errClosed, "")
	}
	return w.write(p)
}

func (w *StreamWriter) write(p []byte) (int, error) {
	if w.pieces != nil {
		return w.pieces.Write(p)
	}
	return w.out.Write(p)
}

// ReadFrom implements [io.ReaderFrom]. With Replace, when r fails the file is not
// replaced any more, see [StreamWriter.Close].
func (w *StreamWriter) ReadFrom(r io.Reader) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, w.s.fail(errClosed, "")
	}
	from := source{from: r}
	n, err := io.CopyBuffer(writerFunc(w.write), &from, make([]byte, sendSize))
	if w.failed == nil {
		w.failed = from.err
	}
	return n, err
}

// source remembers why a reader failed.
type source struct {
	from io.Reader
	err  error
}

// Read implements [io.Reader].
func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Close says that this was all and returns once the file is written. With
// Replace, after a reader given to ReadFrom, as [io.Copy] does, has failed, it
// aborts and returns the reader's error: half a file does not take the place of a
// whole one. Closing twice gives an error that matches [fs.ErrClosed].
func (w *StreamWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.s.fail(errClosed, "")
	}
	w.closed = true
	if w.pieces != nil {
		err := w.pieces.Close()
		res := w.pieces.Result()
		w.result = StreamResult{Written: res.Written, RequestID: res.RequestID}
		return err
	}
	defer w.out.abandon()
	if w.whole && w.failed != nil {
		return w.failed
	}
	if err := w.out.finish(); err != nil {
		return err
	}
	if w.out.end.Bytes != w.out.sent || len(w.out.end.ETag) > maxETagBytes {
		return w.out.fail(w.out.st.Malformed("the server has written another number of bytes than were sent"))
	}
	w.result.Written, w.result.ETag = w.out.sent, w.out.end.ETag
	return nil
}

// Abort gives the writing up: with Replace the file is as it was, in other modes
// what has arrived is there. After Close it does nothing.
func (w *StreamWriter) Abort() {
	if w.out != nil {
		w.out.close() // and so whatever is under way ends
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed && w.out != nil {
		w.out.abandon()
	}
	w.closed = true
}

// Result tells what was written, once Close has returned nil.
func (w *StreamWriter) Result() StreamResult {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.result
}
