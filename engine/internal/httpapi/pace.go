package httpapi

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// pace bounds how long the client of a transfer may be waited for: each piece of
// what it sends, or takes in, has its own time. Time in which the client waits
// for the sandbox is not counted.
type pace struct {
	control *http.ResponseController
	timeout time.Duration

	mu   sync.Mutex
	over bool
}

// newPace returns the pace of the request that w answers. A server without
// deadlines, such as a test recorder, waits for ever.
func newPace(w http.ResponseWriter, timeout time.Duration) *pace {
	return &pace{control: http.NewResponseController(w), timeout: timeout}
}

// cut makes reads and writes that are under way fail, and all later ones.
func (p *pace) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.over = true
		now := time.Now()
		_ = p.control.SetReadDeadline(now)
		_ = p.control.SetWriteDeadline(now)
	}
}

// end has cut do nothing any more.
func (p *pace) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// until sets a deadline, with set, unless it is over.
func (p *pace) until(set func(time.Time) error, t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		_ = set(t)
	}
}

// bodyError is why the body of a request cannot be read.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// pacedBody is the body of a request. A body that breaks off is a [*bodyError].
type pacedBody struct {
	pace *pace
	body io.Reader
	left int           // of the piece, in bytes
	time time.Duration // that is left for it
}

func (b *pacedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		b.left, b.time = answerPiece, b.pace.timeout
	}
	start := time.Now()
	b.pace.until(b.pace.control.SetReadDeadline, start.Add(b.time))
	n, err := b.body.Read(p)
	b.left, b.time = b.left-n, b.time-time.Since(start)
	if err == nil {
		return n, nil
	}
	// From the end of a body on the server reads to find out whether the client
	// has gone.
	b.pace.until(b.pace.control.SetReadDeadline, time.Time{})
	if err == io.EOF {
		return n, err
	}
	return n, &bodyError{err}
}

// pacedWriter is the answer to a request.
type pacedWriter struct {
	pace *pace
	w    io.Writer
}

func (w *pacedWriter) Write(p []byte) (int, error) {
	total := 0
	for {
		w.pace.until(w.pace.control.SetWriteDeadline, time.Now().Add(w.pace.timeout))
		n, err := w.w.Write(p[:min(len(p), answerPiece)])
		total, p = total+n, p[n:]
		if err != nil || len(p) == 0 {
			return total, err
		}
	}
}
