package code

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// stream runs code and passes its output on as it comes: over a stream of ours,
// or the session's WebSocket where the service has no such streams.
func (c *Client) stream(ctx context.Context, args wire.RunCodeArgs, timeout time.Duration, opts *RunOptions, exposed []function) (out outcome, meta transport.Meta, err error) {
	r := newReceiver(opts, exposed)
	if c.t.HasSocket() && len(exposed) == 0 {
		if err := c.t.Can(ctx, wire.StreamCode.Name); apierr.CodeOf(err) == apierr.Unsupported {
			return c.socket(ctx, args, timeout, &r.opts)
		}
	}
	for name, asked := range map[string]bool{wire.CodeResults: r.opts.OnResult != nil, wire.CodeFunctions: len(exposed) > 0} {
		if !asked {
			continue
		}
		if err := c.t.Can(ctx, name); err != nil {
			return out, meta, err
		}
	}
	st, err := transport.Open(ctx, c.t, wire.StreamCode, c.session, wire.StreamCodeRequest{
		SessionID: c.session, Args: args, Results: r.opts.OnResult != nil, Functions: names(exposed),
	})
	if err != nil {
		return out, meta, err
	}
	defer func() { _ = st.Close() }() // and the server ends what runs
	defer context.AfterFunc(ctx, func() { _ = st.Close() })()
	text, err := r.receive(ctx, st)
	if err == nil {
		if out, err = parse(text); err != nil {
			err = st.Malformed("the result is not understood")
		}
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	r.keepOutput(&out.Result)
	return out, st.Meta, err
}

// receiver takes in what comes of a run.
type receiver struct {
	opts    RunOptions
	exposed []function
	kept    [2]*kept // of the output, when nobody else wants it
	result  bytes.Buffer
	parts   [2]wire.Parts // of a result, and of a call
	calls   sync.WaitGroup
	slots   chan struct{} // for each call under way
}

func newReceiver(opts *RunOptions, exposed []function) *receiver {
	r := &receiver{exposed: exposed, slots: make(chan struct{}, callsAtOnce)}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.Stdout == nil && r.opts.Stderr == nil {
		r.kept = [2]*kept{{}, {}}
		r.opts.Stdout, r.opts.Stderr = r.kept[0], r.kept[1]
	}
	return r
}

// keepOutput puts the output into the result, unless it went elsewhere.
func (r *receiver) keepOutput(res *Result) {
	if r.kept[0] == nil {
		return
	}
	res.Stdout, res.StdoutDropped = r.kept[0].utf8()+res.Stdout, r.kept[0].dropped
	res.Stderr, res.StderrDropped = r.kept[1].utf8()+res.Stderr, r.kept[1].dropped
	res.Truncated = res.Truncated || res.StdoutDropped > 0 || res.StderrDropped > 0
}

// receive takes in output, and returns the result.
func (r *receiver) receive(ctx context.Context, st *transport.Stream) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		_ = st.Close() // what is returned now is for nobody
		r.calls.Wait()
	}()
	returns := wire.NewPartsWriter(st.FrameWriter, wire.FrameReturn)
	for {
		kind, p, err := st.Next()
		if err != nil {
			return "", err
		}
		switch kind {
		case wire.FrameStdout:
			err = pass(r.opts.Stdout, p)
		case wire.FrameStderr:
			err = pass(r.opts.Stderr, p)
		case wire.FrameResult:
			err = r.item(st, p)
		case wire.FrameCall:
			err = r.call(ctx, st, returns, p)
		case wire.FrameData:
			if r.result.Len()+len(p) > transport.ResponseLimit {
				return "", st.Malformed("the result is too long")
			}
			r.result.Write(p)
		case wire.FrameEnd:
			return r.result.String(), nil
		default:
			err = st.Malformed("the server sends what is no part of a run of code")
		}
		if err != nil {
			return "", err
		}
	}
}

// item takes in a part of a result.
func (r *receiver) item(st *transport.Stream, p []byte) error {
	whole, err := r.parts[0].Add(p, transport.ResponseLimit)
	if err != nil || r.opts.OnResult == nil {
		return st.Malformed("the server sends a result that is too long, or nobody wants")
	}
	if whole != nil {
		r.opts.OnResult(parseItem(whole))
	}
	return nil
}

// call takes in a part of a call, and has it performed when that was the last.
func (r *receiver) call(ctx context.Context, st *transport.Stream, returns *wire.PartsWriter, p []byte) error {
	whole, err := r.parts[1].Add(p, 2*wire.MaxCallBytes)
	if err != nil {
		return st.Malformed("the server sends a call that is too long")
	}
	if whole == nil {
		return nil
	}
	var call wire.CodeCall
	if err := json.Unmarshal(whole, &call); err != nil {
		return st.Malformed("the server sends a call that is not understood")
	}
	i := slices.IndexFunc(r.exposed, func(f function) bool { return f.Name == call.Name })
	if i < 0 {
		return returns.Send(wire.CodeReturn{ID: call.ID, Error: "there is no such function"})
	}
	select {
	case r.slots <- struct{}{}: // one whose answer is sent may still have its slot
	case <-ctx.Done():
		return ctx.Err()
	}
	r.calls.Go(func() {
		defer func() { <-r.slots }()
		_ = returns.Send(r.exposed[i].serve(ctx, call, len(r.slots))) // it fails when the run is over
	})
	return nil
}

// kept keeps the beginning of what is written.
type kept struct {
	text    bytes.Buffer
	dropped int64
}

// keptLimit is how many bytes of each stream are kept.
const keptLimit = 10 << 20

func (k *kept) Write(p []byte) (int, error) {
	n := min(len(p), keptLimit-k.text.Len())
	k.text.Write(p[:n])
	k.dropped += int64(len(p) - n)
	return len(p), nil
}

// utf8 returns what was kept, with U+FFFD for each byte that is not UTF-8, as
// the engine does it.
func (k *kept) utf8() string {
	text := k.text.String()
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}

func pass(w io.Writer, p []byte) error {
	if w == nil {
		return nil
	}
	if _, err := w.Write(p); err != nil {
		return apierr.Errorf(apierr.Unknown, "output: %w", err)
	}
	return nil
}
