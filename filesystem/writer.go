package filesystem

import (
	"context"
	"io"
	"sync"

	"github.com/agb-go/sdk/internal/wire"
)

// A Writer is a file that is open for writing. It keeps up to a chunk of 50 KiB
// back until it is full, so what is written has arrived only once Close has
// returned nil. It is safe for concurrent use: calls wait for each other.
type Writer struct {
	ctx context.Context

	mu     sync.Mutex
	u      *upload
	held   []byte // not sent yet; always less than a chunk between calls
	closed bool
	err    error // that ended it
}

var _ io.WriteCloser = (*Writer)(nil)

// Create opens a file for writing, and makes or empties it at once, as the mode
// says. ctx bounds every write and Close too. The caller has to close the
// Writer; one that is not closed leaves what has arrived. The options may be
// nil.
func (c *Client) Create(ctx context.Context, path string, opts *WriteOptions) (*Writer, error) {
	u, err := c.newUpload("Create", path, opts)
	if err != nil {
		return nil, err
	}
	if err := u.prepare(ctx); err != nil {
		return nil, err
	}
	if err := u.putText(ctx, nil); err != nil {
		return nil, err
	}
	u.op = "Writer.Write"
	return &Writer{ctx: ctx, u: u}, nil
}

// Write adds p, which it does not keep, to the file. After an error nothing
// more is written: Write and Close return the same error.
func (w *Writer) Write(p []byte) (n int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, w.u.fail(errClosed, "")
	}
	for w.err == nil && n < len(p) {
		took := min(len(p)-n, wire.ChunkSize-len(w.held))
		w.held = append(w.held, p[n:n+took]...)
		n += took
		if len(w.held) == wire.ChunkSize {
			w.err = w.send()
		}
	}
	return n, w.err
}

// send writes one piece of what is held.
func (w *Writer) send() error {
	n, err := w.u.put(w.ctx, w.held)
	if err != nil {
		return err
	}
	w.held = w.held[:copy(w.held, w.held[n:])]
	return nil
}

// Close writes what is held and, when there was anything to write, makes sure
// that the file has the right size, as [Client.WriteFile] does. It returns the
// error that ended the writing, if any. Closing twice gives an error that matches
// [io/fs.ErrClosed].
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return w.u.fail(errClosed, "")
	}
	w.closed = true
	for w.err == nil && len(w.held) > 0 {
		w.err = w.send()
	}
	if w.err == nil {
		w.err = w.u.verify(w.ctx)
	}
	w.held = nil
	return w.err
}

// Result tells how many bytes are known to have arrived, and the id of the last
// request. It may be called at any time.
func (w *Writer) Result() WriteResult {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.u.WriteResult
}
