package filesystem

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

const (
	// sendSize is how much is sent at once: a frame that fits in one of the
	// engine's own.
	sendSize = 64<<10 - 64
	// reasonTime is how long a stream that cannot be written to may take to say
	// why.
	reasonTime = time.Second
	// maxETagBytes bounds what is taken as an ETag.
	maxETagBytes = 128
)

// flow is a stream under way, which ends with its context.
type flow struct {
	s    subject
	ctx  context.Context
	st   *transport.Stream
	stop func() bool
}

// openFlow begins a stream. The caller closes it.
func openFlow[Req any](ctx context.Context, s subject, op wire.Stream[Req], req Req) (*flow, error) {
	st, err := transport.Open(ctx, s.c.t, op, s.c.session, req)
	if err != nil {
		return nil, s.fail(err, "")
	}
	f := &flow{s: s, ctx: ctx, st: st}
	f.stop = context.AfterFunc(ctx, func() { _ = st.Close() })
	return f, nil
}

func (f *flow) close() {
	f.stop()
	_ = f.st.Close() // there is nothing that it could have to tell
}

// fail returns err as one of the stream's.
func (f *flow) fail(err error) error {
	if own := f.ctx.Err(); own != nil {
		err = &apierr.Error{Code: apierr.CodeOf(own), Message: own.Error(), Cause: own}
	}
	return f.s.fail(err, f.st.Meta.RequestID)
}

// told reads what a frame carries.
func (f *flow) told(p []byte, v any) error {
	if err := json.Unmarshal(p, v); err != nil {
		return f.fail(f.st.Malformed("a frame that is not understood: " + err.Error()))
	}
	return nil
}

// inflow reads what a server sends, to its end.
type inflow struct {
	*flow
	limit int64 // bytes to take; 0 means all
	total int64
	rest  []byte
	end   wire.ContentEnd
	err   error
}

// fill sees to it that rest has something; io.EOF is the end.
func (f *inflow) fill() error {
	for f.err == nil && len(f.rest) == 0 {
		kind, p, err := f.st.Next()
		switch {
		case err != nil:
			f.err = f.fail(err)
		case kind == wire.FrameData:
			f.rest = p
			if f.total += int64(len(p)); f.limit > 0 && f.total > f.limit {
				f.err = f.fail(f.st.Malformed("the server sends more than it was asked for"))
			}
		case kind == wire.FrameEnd:
			if f.err = f.told(p, &f.end); f.err == nil {
				f.err = io.EOF
			}
		default:
			f.err = f.fail(f.st.Malformed("the server sends what is no content"))
		}
	}
	if len(f.rest) > 0 && f.err == nil {
		return nil
	}
	return f.err
}

// Read implements [io.Reader].
func (f *inflow) Read(p []byte) (int, error) {
	if err := f.fill(); err != nil {
		return 0, err
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// WriteTo implements [io.WriterTo].
func (f *inflow) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		if err := f.fill(); err == io.EOF { //nolint:errorlint // fill returns it bare
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := w.Write(f.rest)
		total += int64(n)
		f.rest = f.rest[n:]
		if err != nil {
			return total, err
		}
	}
}

// outflow sends to a server, which answers with an end.
type outflow struct {
	*flow
	sent     int64
	answered chan struct{} // closed when end or err is set
	end      wire.ContentEnd
	err      error
	mu       sync.Mutex
	all      bool // has been sent
}

func newOutflow(f *flow) *outflow {
	o := &outflow{flow: f, answered: make(chan struct{})}
	go o.await()
	return o
}

// await takes in the answer. One that comes early ends the sending.
func (o *outflow) await() {
	defer close(o.answered)
	kind, p, err := o.st.Next()
	switch {
	case err != nil:
		o.err = o.fail(err)
	case kind != wire.FrameEnd:
		o.err = o.fail(o.st.Malformed("the server sends what is no answer"))
	default:
		o.err = o.told(p, &o.end)
	}
	o.mu.Lock()
	early := !o.all
	o.mu.Unlock()
	if o.err == nil && early {
		o.err = o.fail(o.st.Malformed("the server has done before all was sent"))
	}
	_ = o.st.Close() // all is said
}

// Write implements [io.Writer].
func (o *outflow) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		n := min(len(p), sendSize)
		if err := o.st.WriteFrame(wire.FrameData, p[:n]); err != nil {
			return total, o.why(err)
		}
		total, p = total+n, p[n:]
		o.sent += int64(n)
	}
	return total, nil
}

// why says why sending failed: the server may have.
func (o *outflow) why(err error) error {
	select {
	case <-o.answered:
	case <-time.After(reasonTime):
		_ = o.st.Close() // and so it is answered
		<-o.answered
		return o.fail(o.st.Failed(err))
	}
	if o.err != nil {
		return o.err
	}
	return o.fail(o.st.Failed(err))
}

// finish says that all is sent, and waits for the answer.
func (o *outflow) finish() error {
	o.mu.Lock()
	o.all = true
	o.mu.Unlock()
	if err := o.st.WriteFrame(wire.FrameEnd, nil); err != nil {
		return o.why(err)
	}
	<-o.answered
	return o.err
}

// abandon gives the sending up.
func (o *outflow) abandon() {
	o.close()
	<-o.answered
}

// unsupported reports whether the server does not have an operation of ours.
func unsupported(err error) bool { return errors.Is(err, apierr.Unsupported.Err()) }
