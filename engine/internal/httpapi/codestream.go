package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest/kernel"
	"github.com/agb-go/sdk/internal/wire"
)

// streamCode runs code and sends its output as it comes.
func streamCode(ctx context.Context, ws *Workspace, req wire.StreamCodeRequest, accept func() (*duplex, error)) error {
	language, opts, err := codeOptions(req.Args)
	if err != nil {
		return err
	}
	if err := checkFunctions(req.Functions); err != nil {
		return err
	}
	d, err := accept()
	if err != nil {
		return err
	}
	run, gone := context.WithCancel(ctx)
	defer gone()
	f := newFunctions(d)
	go func() {
		f.listen() // until the client leaves
		gone()
	}()
	run, sent := answering(run)
	defer sent()
	opts.Stdout, opts.Stderr, opts.Ordered = frames{d, wire.FrameStdout}, frames{d, wire.FrameStderr}, true
	if req.Results {
		results := wire.NewPartsWriter(d.FrameWriter, wire.FrameResult)
		opts.Item = func(item kernel.Item) error { return results.Send(codeItem(item)) }
	}
	if len(req.Functions) > 0 {
		opts.Functions = req.Functions
		opts.Call = func(name string, args json.RawMessage) (json.RawMessage, error) { return f.call(run, name, args) }
	}
	r, err := ws.stream(run, language, req.Args, opts)
	if err != nil {
		if ctx.Err() == nil && run.Err() != nil {
			return errGivenUp
		}
		return err
	}
	answer, err := wire.RunCode.Encode(r)
	if err != nil {
		return err
	}
	if _, err := d.Write([]byte(answer.Text())); err != nil {
		return errGivenUp
	}
	return d.WriteFrame(wire.FrameEnd, nil)
}

// stream runs code whose output goes where opts say, all of it. What is
// evaluated is kept, as that of other runs is. ctx is one of
// [answering].
func (ws *Workspace) stream(ctx context.Context, language kernel.Language, args wire.RunCodeArgs, opts kernel.Options) (wire.RunCodeResult, error) {
	opts.Reserve, opts.OutputLimit = ws.newKeeper(ctx, keptText).reserve, math.MaxInt64
	res, oom, err := ws.execute(ctx, language, args, opts)
	if err != nil {
		return wire.RunCodeResult{}, err
	}
	r := codeResult(res, nil, nil, nil)
	r.OOMKilled = oom
	return r, nil
}

func checkFunctions(names []string) error {
	if len(names) > wire.MaxFunctions {
		return apierr.Errorf(apierr.InvalidArgument, "functions: %d, at most %d are allowed", len(names), wire.MaxFunctions)
	}
	for _, name := range names {
		if !wire.ValidFunctionName(name) {
			return apierr.Errorf(apierr.InvalidArgument, "functions: %.100q is not the name of a function", name)
		}
	}
	return nil
}

// functions are a client's, which code calls.
type functions struct {
	from  *duplex
	calls *wire.PartsWriter

	mu      sync.Mutex
	last    int64
	waiting map[int64]chan wire.CodeReturn // nil when the client has left
}

func newFunctions(d *duplex) *functions {
	return &functions{from: d, calls: wire.NewPartsWriter(d.FrameWriter, wire.FrameCall), waiting: map[int64]chan wire.CodeReturn{}}
}

var errCallerGone = errors.New("the owner of the function has gone")

// call has the client call a function, and waits for what it returns.
func (f *functions) call(ctx context.Context, name string, args json.RawMessage) (json.RawMessage, error) {
	answer := make(chan wire.CodeReturn, 1)
	f.mu.Lock()
	if f.waiting == nil {
		f.mu.Unlock()
		return nil, errCallerGone
	}
	f.last++
	id := f.last
	f.waiting[id] = answer
	f.mu.Unlock()
	if err := f.calls.Send(wire.CodeCall{ID: id, Name: name, Args: args}); err != nil {
		return nil, errCallerGone
	}
	select {
	case r := <-answer:
		if r.Error != "" {
			return nil, errors.New(r.Error)
		}
		return r.Value, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listen takes in what functions return, until the client leaves.
func (f *functions) listen() {
	defer func() {
		f.mu.Lock()
		f.waiting = nil
		f.mu.Unlock()
	}()
	var parts wire.Parts
	for {
		kind, _, err := f.from.Next()
		if err != nil || kind != wire.FrameReturn {
			return
		}
		p, err := f.from.Payload()
		if err != nil {
			return
		}
		whole, err := parts.Add(p, wire.MaxCallBytes)
		if err != nil || whole != nil && !f.returned(whole) {
			return
		}
	}
}

// returned passes on what a call came to. It reports whether there was one.
func (f *functions) returned(b []byte) bool {
	var r wire.CodeReturn
	if wire.CheckDepth(b, argsDepth) != nil || json.Unmarshal(b, &r) != nil {
		return false
	}
	f.mu.Lock()
	answer := f.waiting[r.ID]
	delete(f.waiting, r.ID)
	f.mu.Unlock()
	if answer == nil {
		return false
	}
	answer <- r
	return true
}

// frames writes frames of one kind.
type frames struct {
	to   *duplex
	kind wire.FrameKind
}

// Write implements [io.Writer].
func (f frames) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		n := min(len(p), wire.FrameLimit)
		if err := f.to.WriteFrame(f.kind, p[:n]); err != nil {
			return total, err
		}
		total, p = total+n, p[n:]
	}
	return total, nil
}
