package filesystem

import (
	"context"
	"io"
	"sync"

	"github.com/agb-go/sdk/internal/wire"
)

// readAhead is how many chunks of a file are asked for at the same time.
const readAhead = 4

// reader reads a file in order, piece by piece, asking for some ahead. Like
// TCP it starts slowly, so that a look at a file's beginning costs one call.
// It is for one goroutine.
type reader struct {
	ctx    context.Context
	s      subject
	offset int64 // of what next returns
	end    int64 // where to stop
	window int   // chunks to ask for at the same time

	queue  []request       // asked for, in order and without gaps, from offset on
	ahead  context.Context // of the requests; nil when there are none
	cancel context.CancelFunc
	wg     sync.WaitGroup // a goroutine for each request under way
}

// request is a chunk that a goroutine fetches.
type request struct {
	length int64
	answer chan answer // takes one without blocking
}

type answer struct {
	piece
	err error
}

// newReader returns a reader from offset to end, or to where the file ends. It
// has to be stopped.
func newReader(ctx context.Context, s subject, offset, end int64) *reader {
	return &reader{ctx: ctx, s: s, offset: offset, end: end, window: 1}
}

// next returns the next piece, never an empty one; [io.EOF] after the last.
// After any other error it may be called again.
func (r *reader) next() (piece, error) {
	if r.offset >= r.end {
		return piece{}, io.EOF
	}
	length, got := r.take()
	if got.err != nil {
		r.stop()
		return piece{}, got.err
	}
	n := int64(len(got.content))
	r.offset += n
	switch {
	case n == 0:
		r.end = r.offset
		r.stop()
		return piece{}, io.EOF
	case n < length:
		// What was asked for ahead starts too late, and a server that does not
		// fill one chunk may not fill the next.
		r.stop()
		r.window = 1
	case r.end != unknownEnd:
		r.window = min(2*r.window, readAhead)
	}
	return got.piece, nil
}

// take returns the chunk at offset, and how many bytes of it were asked for.
func (r *reader) take() (int64, answer) {
	length := min(r.end-r.offset, wire.ChunkSize)
	if len(r.queue) == 0 && (r.window == 1 || r.offset+length == r.end) {
		p, err := r.s.fetch(r.ctx, r.offset, length)
		return length, answer{p, err}
	}
	r.fill()
	first := r.queue[0]
	r.queue = r.queue[1:]
	return first.length, <-first.answer
}

// fill asks for chunks until the window is full.
func (r *reader) fill() {
	at := r.offset
	for _, q := range r.queue {
		at += q.length
	}
	if len(r.queue) >= r.window || at >= r.end {
		return
	}
	if r.ahead == nil {
		r.ahead, r.cancel = context.WithCancel(r.ctx)
	}
	for len(r.queue) < r.window && at < r.end {
		q := request{min(r.end-at, wire.ChunkSize), make(chan answer, 1)}
		ctx, offset := r.ahead, at
		r.wg.Go(func() {
			p, err := r.s.fetch(ctx, offset, q.length)
			q.answer <- answer{p, err}
		})
		r.queue = append(r.queue, q)
		at += q.length
	}
}

// stop forgets what was asked for ahead and returns when nothing is under way.
func (r *reader) stop() {
	if r.ahead != nil {
		r.cancel()
		r.ahead = nil
	}
	r.wg.Wait()
	r.queue = nil
}
