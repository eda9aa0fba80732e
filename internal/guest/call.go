package guest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// call is one request under way at the engine's end.
type call struct {
	client *Client
	ctx    context.Context
	stream *recordWriter
	answer recordReader
	detach func() bool // from ctx
}

// begin sends a request. When ctx ends, the call is given up. With last
// nothing follows the request. The caller sees to end.
func (c *Client) begin(ctx context.Context, req *encoder, last bool) (*call, error) {
	k, err := c.open(ctx, req)
	if err != nil {
		return nil, err
	}
	k.detach = context.AfterFunc(ctx, func() { _ = k.stream.Close() })
	if err := k.send(req, last); err != nil {
		k.end()
		return nil, err
	}
	return k, nil
}

// open opens a stream for req, which it checks.
func (c *Client) open(ctx context.Context, req *encoder) (*call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := req.fits(); err != nil {
		return nil, err
	}
	st, err := c.session.Open()
	if err != nil {
		if own := c.Err(); own != nil {
			return nil, own
		}
		return nil, translate(err)
	}
	return &call{client: c, ctx: ctx, stream: &recordWriter{Stream: st}, answer: recordReader{r: st}}, nil
}

// send sends the request. A guest that has already answered may refuse the
// rest of it: that is for the answer to tell.
func (k *call) send(req *encoder, last bool) error {
	var err error
	if last {
		_, err = k.stream.WriteLast(req.sealed())
	} else {
		_, err = k.stream.Write(req.sealed())
	}
	if err != nil && !errors.Is(err, mux.ErrReset) {
		return k.failed(err)
	}
	return nil
}

// end frees what the call holds. The guest gives up a call that has not
// ended by itself.
func (k *call) end() {
	k.detach()
	_ = k.stream.Close() // returns nil
}

// failed says why a read or a write of the stream failed.
func (k *call) failed(err error) error {
	if own := k.ctx.Err(); own != nil {
		return own
	}
	if own := k.client.Err(); own != nil {
		return own
	}
	switch {
	case errors.Is(err, ErrProtocol):
		return k.client.violated("record is too long")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, mux.ErrReset):
		return k.client.violated("answer without a result")
	}
	return fmt.Errorf("guest: %w", err)
}

// next returns the next record of the answer, valid until the next call. An
// error record is returned as its [*Error].
func (k *call) next() (recordKind, *decoder, error) {
	kind, p, err := k.answer.next(recordLimit)
	if err != nil {
		return 0, nil, k.failed(err)
	}
	d := &decoder{b: p}
	if kind != recordError {
		return kind, d, nil
	}
	failure := d.failure()
	if !d.done() {
		return 0, nil, k.client.violated("error record")
	}
	if err := k.over(); err != nil {
		return 0, nil, err
	}
	return 0, nil, failure
}

// over waits for the end of the answer, which must come now.
func (k *call) over() error {
	kind, _, err := k.answer.next(recordLimit)
	switch {
	case err == nil:
		return k.client.violated(fmt.Sprintf("record of kind %d after the last", kind))
	case errors.Is(err, io.EOF):
		return nil
	}
	return k.failed(err)
}

// result ends an answer whose last record is next.
func (k *call) result(decode func(*decoder)) error {
	kind, d, err := k.next()
	if err != nil {
		return err
	}
	return k.last(kind, d, decode)
}

// last ends an answer with its last record.
func (k *call) last(kind recordKind, d *decoder, decode func(*decoder)) error {
	if kind != recordResult {
		return k.client.violated(fmt.Sprintf("record of kind %d", kind))
	}
	decode(d)
	if !d.done() {
		return k.client.violated("result record")
	}
	return k.over()
}

// entries reads the entries of a list until its last record, which it returns
// to be given to last. Each entry is read by add, which counts.
func (k *call) entries(limit int, add func(*decoder)) (recordKind, *decoder, error) {
	count, size := 0, 0
	for {
		kind, d, err := k.next()
		if err != nil || kind != recordEntries {
			return kind, d, err
		}
		if size += recordHead + len(d.b); size > answerLimit {
			return 0, nil, k.client.violated("list is too long")
		}
		for !d.done() {
			if count++; count > limit {
				return 0, nil, k.client.violated("list has too many entries")
			}
			add(d)
			if d.bad {
				return 0, nil, k.client.violated("entry of a list")
			}
		}
	}
}

// ask makes a call of a request and a result.
func (c *Client) ask(ctx context.Context, req *encoder, decode func(*decoder)) error {
	k, err := c.begin(ctx, req, true)
	if err != nil {
		return err
	}
	defer k.end()
	return k.result(decode)
}

func nothing(*decoder) {}

// refused says what to do about a stream that takes nothing any more: nil
// when the guest answered without waiting for the rest.
func (k *call) refused(err error) error {
	if errors.Is(err, mux.ErrReset) && k.ctx.Err() == nil {
		return nil
	}
	return k.failed(err)
}
