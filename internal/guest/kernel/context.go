package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/agb-go/sdk/internal/guest"
)

// A Context is an interpreter that keeps its state from one run to the next:
// variables, imports, the working directory. It starts with the first run, and
// anew with the next when it has ended. It is safe for concurrent use; runs
// take turns, in the order in which they came.
type Context struct {
	client *guest.Client
	spec   *spec
	dir    string
	env    []string

	turns turns // the run under way has one

	mu     sync.Mutex
	live   *interpreter // of the last run; nil before the first
	runs   int          // of it
	resets int          // how often it was restarted
	unsaid notice       // for the next run that has a result
	closed bool
}

// NewContext returns a context of a language that keeps state. The directory is
// where it starts, empty for the home directory, and the environment, in the
// form key=value, is added to the sandbox's own. It does no I/O.
func NewContext(client *guest.Client, language Language, dir string, env []string) *Context {
	return &Context{client: client, spec: language.spec, dir: dir, env: env}
}

// Run runs code and waits for its end. That code failed, or took longer than
// it may, is no error but in the Result. When ctx ends or the timeout is over
// the run is interrupted; when it does not heed that, its interpreter is killed
// and confirmed to be gone.
//
// The error is one of [ErrCodeTooLong], [ErrStdinTooLong], [ErrBusy],
// [ErrRestarted] and [ErrClosed], a
// [*MissingError], ctx's, one of the writers and functions of opts, or one of
// [guest.Client.Run].
func (c *Context) Run(ctx context.Context, code string, opts Options) (*Result, error) {
	if err := c.take(ctx, opts.Wait, opts.Queued); err != nil {
		return nil, err
	}
	defer c.turns.give()
	return c.run(ctx, code, opts, false)
}

// take waits for a turn, no longer than wait, unless that is 0. queued, when not
// nil, is called once its place is taken.
func (c *Context) take(ctx context.Context, wait time.Duration, queued func()) error {
	var over <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		over = timer.C
	}
	come := c.turns.ask()
	if queued != nil {
		queued()
	}
	err := ErrBusy
	select {
	case <-come:
		err = ctx.Err()
	case <-over:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		c.turns.leave(come)
	}
	return err
}

// Start starts the interpreter, so that the first run finds it, and does not wait
// until it runs. The error is a [*MissingError], or one of looking for it.
func (c *Context) Start(ctx context.Context) error {
	if err := c.take(ctx, 0, nil); err != nil {
		return err
	}
	defer c.turns.give()
	_, err := c.interpreter(ctx, 0)
	return err
}

// Once runs code in an interpreter of its own, which then ends by itself: with
// the output of what it has left behind, and how it ended, in the Result.
// Otherwise it is as [Context.Run].
func Once(ctx context.Context, client *guest.Client, language Language, code string, opts Options) (*Result, error) {
	c := NewContext(client, language, "", nil)
	defer c.Abandon()
	return c.run(ctx, code, opts, true)
}

func (c *Context) run(ctx context.Context, code string, opts Options, last bool) (*Result, error) {
	switch {
	case len(code) > CodeLimit:
		return nil, ErrCodeTooLong
	case len(opts.Stdin) > StdinLimit:
		return nil, ErrStdinTooLong
	}
	in, err := c.interpreter(ctx, opts.CPULimit)
	if err != nil {
		return nil, err
	}
	r := newRunning(opts, last)
	if r.code = code; c.spec.explain != nil {
		r.tail = new(tail)
	}
	if c.spec.prepare != nil {
		code = c.spec.prepare(code)
	}
	late, timedOut, err := in.perform(ctx, code, r)
	in.blame(r)
	if failure := in.failure(); failure != nil && !timedOut && err == nil && in.why() == "" {
		err = c.why(failure)
	} else if errors.Is(failure, guest.ErrUnresponsive) {
		err = errors.Join(err, failure)
	}
	runs, told := c.count(in, late, err == nil)
	if err != nil {
		return nil, err
	}
	res := in.conclude(r, timedOut)
	res.Runs, res.Restarted, res.Late = runs, told.restarted, told.late
	return res, nil
}

// count counts a run of in, and returns how many there were and what is to be
// told with it; nothing when it has no result.
func (c *Context) count(in *interpreter, late Late, result bool) (runs int, told notice) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs++
	if result || c.live == in { // what a restart ends is not to be told
		c.unsaid.add("", late)
	}
	if result {
		told, c.unsaid = c.unsaid, notice{}
	}
	return c.runs, told
}

// why returns the error of a run whose interpreter ended with failure: it could
// not be run, or was killed by somebody else.
func (c *Context) why(failure error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case errors.Is(failure, context.Canceled):
		return ErrRestarted
	}
	return failure
}

// interpreter returns one that lives, a new one when there is none. Why the last
// one has ended is then to be told. The caller has the turn.
func (c *Context) interpreter(ctx context.Context, limit time.Duration) (in *interpreter, err error) {
	c.mu.Lock()
	live, resets, closed := c.live, c.resets, c.closed
	c.mu.Unlock()
	if closed {
		return nil, ErrClosed
	}
	if live != nil && !live.ended() {
		return live, nil
	}
	// Who ends the context need not wait for what the guest says to this.
	if in, err = start(ctx, c.client, c.spec, c.dir, c.env, limit); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		err = ErrClosed
	case c.resets != resets:
		err = ErrRestarted
	default:
		if live != nil && live.begun() {
			c.unsaid.add(live.end(), live.takeLate())
		}
		c.live, c.runs = in, 0
		return in, nil
	}
	in.kill(nil)
	return nil, err
}

// Interrupt interrupts the run under way, as Ctrl-C would. When that does not
// heed it, its interpreter is killed as after its timeout, which is not waited
// for. It does nothing when there is none.
func (c *Context) Interrupt(ctx context.Context) error {
	c.mu.Lock()
	in := c.live
	c.mu.Unlock()
	if in == nil {
		return nil
	}
	r := in.current()
	if r == nil {
		return nil
	}
	if err := in.interrupt(ctx, r); err != nil {
		return err
	}
	r.interrupted.Do(func() { go in.insist(r) })
	return nil
}

// Restart ends the interpreter, and with it the run under way. The next run
// finds a new one. ctx bounds the wait until it is gone, which it is when nobody
// waits any more for who takes in its output.
func (c *Context) Restart(ctx context.Context) error {
	c.mu.Lock()
	in := c.live
	c.live, c.unsaid = nil, notice{}
	c.resets++
	c.mu.Unlock()
	if in == nil {
		return nil
	}
	return in.close(ctx)
}

// Close ends the context. Doing it twice is no harm. ctx is as in Restart.
func (c *Context) Close(ctx context.Context) error {
	if in := c.leave(); in != nil {
		return in.close(ctx)
	}
	return nil
}

// Abandon is Close that does not wait.
func (c *Context) Abandon() {
	if in := c.leave(); in != nil {
		in.kill(nil)
	}
}

// leave returns the interpreter, which nobody uses again, nil for none.
func (c *Context) leave() *interpreter {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	return c.live
}

// Busy reports whether a run is under way.
func (c *Context) Busy() bool { return c.turns.busy() }

// failure returns why the interpreter could not be run to its end, nil while it
// runs.
func (in *interpreter) failure() error {
	if !in.ended() || errors.Is(in.err, errFrame) {
		return nil
	}
	return in.err
}

// conclude returns what became of r.
func (in *interpreter) conclude(r *running, timedOut bool) *Result {
	res := &Result{Items: r.items, ItemsDropped: r.dropped, Ended: in.ended()}
	e := ending{}
	if r.ending != nil {
		e = *r.ending
	}
	if res.Ended {
		res.Exit = in.exit
		if !r.last { // what was before is not of this run
			res.Exit.Duration, res.Exit.CPU = time.Since(r.began), max(in.exit.CPU-in.used, 0)
		}
	} else {
		in.used += e.cpu
		res.Exit = guest.Exit{Code: e.status, Duration: time.Since(r.began), CPU: e.cpu, MaxRSS: e.maxRSS}
	}
	x := &res.Exit
	x.TimedOut = timedOut
	x.StdoutDropped, x.StderrDropped = r.stdout.dropped, r.stderr.dropped
	switch cause := in.why(); {
	case timedOut:
		res.Error = &Error{Name: "TimeoutError", Value: fmt.Sprintf("the code was ended after %v", r.opts.Timeout)}
	case x.CPULimited:
		res.Error = &Error{Name: "TimeoutError", Value: fmt.Sprintf("the code was ended after %v of processor time", r.opts.CPULimit)}
	case res.Ended && errors.Is(in.err, errFrame):
		res.Error = &Error{Name: "ReportError", Value: errFrame.Error()}
	case e.err != nil:
		res.Error, res.ErrorShown = e.err, true
	case res.Ended && cause == outOfMemory:
		res.Error = &Error{Name: "OutOfMemoryError", Value: cause}
	case res.Ended && cause == unheeded:
		res.Error = &Error{Name: "InterruptError", Value: cause}
	case x.Signal != 0:
		res.Error = &Error{Name: "ExitError", Value: fmt.Sprintf("the interpreter was ended by signal %d", x.Signal)}
	case x.Code != 0:
		res.Error = &Error{Name: "ExitError", Value: fmt.Sprintf("exit status %d", x.Code)}
		res.Error.Traceback = r.place.traceback(r.code, x.Code, res.Error)
		if r.tail == nil {
			break
		}
		if why := in.spec.explain(r.code, e, r.tail); why != nil {
			res.Error, res.ErrorShown = why, x.StderrDropped == 0
		}
	}
	return res
}
