package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// KillWait is how long the engine waits for the word that everything a
// command started is gone, after it was told to go, or its time was over.
const KillWait = 4 * time.Second

// Run runs cmd to its end. When ctx ends, or the timeout is over, it kills
// everything cmd started, waits until that is confirmed, and returns what is
// known with ctx's error; a timeout is no error here, see [Exit.TimedOut]. If
// the guest does not confirm within [KillWait] the error is also
// [ErrUnresponsive], and so it is when the guest takes that long after the
// timeout. The time that writers take is not counted: Run takes no longer than
// these two, the wait and the writers. An error of a reader or writer of cmd ends it likewise.
//
// A program that cannot be started is an [*Error] of kind [CommandNotFound],
// [NotExecutable], [BadDir], [ArgsTooLong] or [Busy].
//
// A call of cmd.Stdin.Read may still be under way when Run returns; what it
// reads is lost. A call of Stdout.Write or Stderr.Write is waited for.
func (c *Client) Run(ctx context.Context, cmd Command) (Exit, error) {
	if err := cmd.check(); err != nil {
		return Exit{}, err
	}
	req := newRequest(opRun)
	req.command(&cmd)
	k, err := c.open(ctx, req)
	if err != nil {
		return Exit{}, err
	}
	r := &run{call: k}
	k.detach = context.AfterFunc(ctx, func() { r.abort(ctx.Err()) })
	defer r.end()
	if cmd.Timeout > 0 {
		over := time.AfterFunc(cmd.Timeout, func() {
			r.silence.after(KillWait, func() {
				r.abort(ErrUnresponsive)
				r.lose() // the guest has had its time
			})
		})
		defer over.Stop()
	}
	if err := r.start(req, &cmd); err != nil {
		return Exit{}, r.failed(err)
	}
	exit, err := r.collect(&cmd)
	if err != nil {
		return exit, r.failed(err)
	}
	return exit, r.why()
}

// run is a command under way.
type run struct {
	*call

	silence silence

	mu    sync.Mutex
	cause error // why it was aborted
	lost  bool  // the wait for the confirmation is over
}

// abort has the guest kill the command. The first cause stays.
func (r *run) abort(cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause != nil {
		return
	}
	r.cause = cause
	r.stream.Reset()
	r.silence.after(KillWait, r.lose)
}

// lose ends the wait for the confirmation.
func (r *run) lose() {
	r.mu.Lock()
	r.lost = true
	r.mu.Unlock()
	_ = r.stream.Close() // returns nil
}

func (r *run) why() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause
}

func (r *run) end() {
	r.call.end()
	r.silence.stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cause == nil {
		r.cause = mux.ErrClosed // nothing is left to abort
	}
}

// failed is the error of a run whose answer ended with err.
func (r *run) failed(err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.cause == nil:
		return err
	case r.lost && !errors.Is(r.cause, ErrUnresponsive):
		return fmt.Errorf("%w: %w", r.cause, ErrUnresponsive)
	}
	return r.cause
}

// start sends all but standard input, for which it leaves a goroutine behind.
func (r *run) start(req *encoder, cmd *Command) error {
	if err := r.send(req, cmd.Stdin == nil); err != nil || cmd.Stdin == nil {
		return err
	}
	go r.feed(cmd.Stdin)
	return nil
}

// feed sends standard input until its end, or the command's.
func (r *run) feed(stdin io.Reader) {
	_, err := r.upload(stdin)
	if err != nil && !errors.Is(err, mux.ErrClosed) {
		r.abort(fmt.Errorf("guest: standard input: %w", err))
	}
}

// collect takes in what the command writes, until its exit.
func (r *run) collect(cmd *Command) (Exit, error) {
	out := output{w: cmd.Stdout, left: cmd.limit()}
	errOut := output{w: cmd.Stderr, left: cmd.limit()}
	control := output{w: cmd.Control, left: math.MaxInt64}
	started := cmd.Started
	for {
		kind, d, err := r.next()
		if err != nil {
			return Exit{}, err
		}
		switch kind {
		case recordStarted:
			id, pid := d.uint(), d.upTo(math.MaxInt32)
			if started == nil || !d.done() || pid == 0 {
				return Exit{}, r.client.violated("start of a command")
			}
			started(id, pid)
			started = nil
		case recordStdout:
			err = r.silence.writing(func() error { return out.take(d.b) })
		case recordStderr:
			err = r.silence.writing(func() error { return errOut.take(d.b) })
		case recordControl:
			if cmd.Control == nil {
				return Exit{}, r.client.violated("control that is not wanted")
			}
			err = r.silence.writing(func() error { return control.take(d.b) })
		default:
			var exit Exit
			if err := r.last(kind, d, func(d *decoder) { exit = d.exit() }); err != nil {
				return Exit{}, err
			}
			if started != nil {
				return Exit{}, r.client.violated("end of a command without its start")
			}
			exit.StdoutDropped += out.dropped
			exit.StderrDropped += errOut.dropped
			return exit, nil
		}
		if err != nil {
			r.abort(err)
		}
	}
}

// output is where one stream of a command's output goes.
type output struct {
	w       io.Writer
	left    int64 // of the limit
	dropped int64 // beyond it, although the guest should have done so
	broken  bool
}

func (o *output) take(p []byte) error {
	n := min(int64(len(p)), o.left)
	o.left -= n
	o.dropped += int64(len(p)) - n
	if o.w == nil || o.broken || n == 0 {
		return nil
	}
	if _, err := o.w.Write(p[:n]); err != nil {
		o.broken = true
		return err
	}
	return nil
}

// Signal sends a signal to the process group of a command that runs, by its
// number, see [Command.Started]. One that is over is an [*Error] of kind
// [NotExist].
func (c *Client) Signal(ctx context.Context, id uint64, signal int) error {
	if signal < 1 || signal > signalLimit {
		return &Error{Kind: Invalid, Message: "there is no such signal"}
	}
	req := newRequest(opSignal)
	req.uint(id)
	req.count(signal)
	return c.ask(ctx, req, nothing)
}

// Resize changes the size of the terminal of a command that runs; one that has
// none is an [*Error] of kind [Invalid]. Otherwise it is as [Client.Signal].
func (c *Client) Resize(ctx context.Context, id uint64, size Size) error {
	req := newRequest(opResize)
	req.uint(id)
	req.windowSize(size)
	return c.ask(ctx, req, nothing)
}

// LookPath returns the path of the first of names that is a program in the
// sandbox's PATH; fs.ErrNotExist when none is.
func (c *Client) LookPath(ctx context.Context, names ...string) (string, error) {
	if len(names) > lookLimit {
		return "", &Error{Kind: TooLarge, Message: "too many names"}
	}
	if err := checkPath(names...); err != nil {
		return "", err
	}
	req := newRequest(opLookPath)
	req.texts(names)
	var path string
	err := c.ask(ctx, req, func(d *decoder) {
		if path = d.text(PathLimit); !validPath(path) {
			d.fail()
		}
	})
	if err != nil {
		return "", err
	}
	return path, nil
}
