package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// KillWait is how long the engine waits for the word that everything a
// command started is gone, after it was told to go.
const KillWait = 5 * time.Second

// timeoutSlack is what the guest is given beyond Command.Timeout and KillWait
// to keep to the timeout itself.
const timeoutSlack = time.Second

// Run runs cmd to its end. When ctx ends, or the timeout is over, it kills
// everything cmd started, waits until that is confirmed, and returns what is
// known with ctx's error; a timeout is no error here, see [Exit.TimedOut]. If
// the guest does not confirm within [KillWait] the error is also
// [ErrUnresponsive]. An error of a reader or writer of cmd ends it likewise.
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
		backstop := time.AfterFunc(cmd.Timeout+KillWait+timeoutSlack, func() { r.abort(ErrUnresponsive) })
		defer backstop.Stop()
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

	mu    sync.Mutex
	cause error       // why it was aborted
	limit *time.Timer // of the wait for the confirmation
	lost  bool        // the wait is over
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
	r.limit = time.AfterFunc(KillWait, func() {
		r.mu.Lock()
		r.lost = true
		r.mu.Unlock()
		_ = r.stream.Close() // returns nil
	})
}

func (r *run) why() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cause
}

func (r *run) end() {
	r.call.end()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limit != nil {
		r.limit.Stop()
	}
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
	whole := cmd.Stdin == nil && len(cmd.Program) == 0
	if err := r.send(req, whole); err != nil || whole {
		return err
	}
	if _, err := r.stream.as(recordProgram).Write(cmd.Program); err != nil {
		if errors.Is(err, mux.ErrReset) {
			return nil // the answer tells why
		}
		return r.call.failed(err)
	}
	if cmd.Stdin == nil {
		return ignoreReset(r.stream.CloseWrite())
	}
	go r.feed(cmd.Stdin)
	return nil
}

func ignoreReset(err error) error {
	if errors.Is(err, mux.ErrReset) {
		return nil
	}
	return err
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
	var report []byte
	for {
		kind, d, err := r.next()
		if err != nil {
			return Exit{}, err
		}
		switch kind {
		case recordStdout:
			err = out.take(d.b)
		case recordStderr:
			err = errOut.take(d.b)
		case recordReport:
			if !cmd.Report || len(report)+len(d.b) > ReportLimit {
				return Exit{}, r.client.violated("report that is not wanted")
			}
			report = append(report, d.b...)
		default:
			var exit Exit
			if err := r.last(kind, d, func(d *decoder) { exit = d.exit() }); err != nil {
				return Exit{}, err
			}
			exit.Report = report
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
