package code

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/agb-go/sdk/internal/wire"
)

// serve performs a call, one of so many of its run, and returns what it came to.
func (f *function) serve(ctx context.Context, call wire.CodeCall, underway int) wire.CodeReturn {
	over := fmt.Errorf("the function took longer than %v: %w", f.timeout, context.DeadlineExceeded)
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, over)
	defer cancel()
	began := time.Now()
	value, err := f.inTime(ctx, call.Args, underway)
	if err == nil && len(value) > wire.MaxCallBytes-returnHead {
		value, err = nil, fmt.Errorf("the result has %d bytes, too many", len(value))
	}
	if f.audit != nil {
		f.audit(FunctionCall{
			SessionID: f.session, Name: f.Name, Args: call.Args, Result: value, Err: err, StartedAt: began, Duration: time.Since(began),
		})
	}
	if err != nil {
		text := err.Error()
		return wire.CodeReturn{ID: call.ID, Error: cmp.Or(text[:min(len(text), errorText)], "the function failed and did not say why")}
	}
	return wire.CodeReturn{ID: call.ID, Value: value}
}

const (
	returnHead = 128      // bytes that a return has besides its value, at most
	errorText  = 64 << 10 // bytes of an error's text that are sent
)

// inTime calls the function and waits for it until ctx ends. From then on it
// counts as one that is left.
func (f *function) inTime(ctx context.Context, args json.RawMessage, underway int) (json.RawMessage, error) {
	if left := int(f.left.Load()); left > 0 && left+underway > callsAtOnce {
		return nil, fmt.Errorf("%d calls whose time was over have not returned, more are not allowed", left)
	}
	type outcome struct {
		value json.RawMessage
		err   error
	}
	returned, left := make(chan outcome), make(chan struct{})
	go func() {
		value, err := f.guarded(ctx, args)
		select {
		case returned <- outcome{value, err}:
		case <-left:
			f.left.Add(-1)
		}
	}()
	select {
	case o := <-returned:
		return o.value, o.err
	case <-ctx.Done():
		f.left.Add(1)
		close(left)
		return nil, context.Cause(ctx)
	}
}

// guarded calls the function. What it panics with is an error.
func (f *function) guarded(ctx context.Context, args json.RawMessage) (value json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the function panicked: %v", p)
		}
	}()
	return f.call(ctx, args)
}
