package command

import (
	"context"
	"io"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// SignalResult is the outcome of [Client.Signal], [Client.Kill] and
// [Client.Resize], and of the methods of [Cmd] of these names.
type SignalResult struct{ RequestID string }

// Signal sends a signal to the process group of a command by its process id,
// [Cmd.ProcessID]. The signal is named as for kill(1): "INT", "SIGTERM", "10". A
// process that has ended is an error with code [apierr.FailedPrecondition], one
// that is not known with [apierr.NotFound].
func (c *Client) Signal(ctx context.Context, processID, signal string) (*SignalResult, error) {
	_, meta, err := transport.Do(ctx, c.t, wire.SignalProcess, wire.SignalProcessRequest{SessionID: c.session, ProcessID: processID, Signal: signal})
	if err != nil {
		return nil, transport.Name(err, "command.Signal", c.session)
	}
	return &SignalResult{RequestID: meta.RequestID}, nil
}

// Kill kills a command with all that it started and returns when that is gone.
// Otherwise it is as [Client.Signal].
func (c *Client) Kill(ctx context.Context, processID string) (*SignalResult, error) {
	return c.Signal(ctx, processID, "KILL")
}

// Resize changes the size of a command's terminal. One that has none is an error
// with code [apierr.FailedPrecondition]. Otherwise it is as [Client.Signal].
func (c *Client) Resize(ctx context.Context, processID string, size Size) (*SignalResult, error) {
	_, meta, err := transport.Do(ctx, c.t, wire.ResizeProcess, wire.ResizeProcessRequest{
		SessionID: c.session, ProcessID: processID, WindowSize: wire.WindowSize{Rows: size.Rows, Columns: size.Columns},
	})
	if err != nil {
		return nil, transport.Name(err, "command.Resize", c.session)
	}
	return &SignalResult{RequestID: meta.RequestID}, nil
}

// Signal is [Client.Signal] of this command. Before Start the error has code
// [apierr.FailedPrecondition].
func (c *Cmd) Signal(ctx context.Context, signal string) (*SignalResult, error) {
	if c.stream == nil {
		return nil, c.misused(errNotStarted)
	}
	return c.client.Signal(ctx, c.ProcessID, signal)
}

// Kill is [Client.Kill] of this command, and otherwise as Signal.
func (c *Cmd) Kill(ctx context.Context) (*SignalResult, error) {
	if c.stream == nil {
		return nil, c.misused(errNotStarted)
	}
	return c.client.Kill(ctx, c.ProcessID)
}

// Resize is [Client.Resize] of this command, and otherwise as Signal.
func (c *Cmd) Resize(ctx context.Context, size Size) (*SignalResult, error) {
	if c.stream == nil {
		return nil, c.misused(errNotStarted)
	}
	return c.client.Resize(ctx, c.ProcessID, size)
}

const (
	// releaseTime is how long Release waits until the command has taken what was
	// written to its StdinPipe, and readerTime instead with another Stdin.
	releaseTime = 5 * time.Second
	readerTime  = time.Second
)

// Release leaves a detached command, or one that was attached to, to itself:
// it goes on, and Wait returns with [Exit.Left]. [Cmd.Offset] says how far its
// output was taken; pipes of output end there. What is kept of the rest, and
// that nobody keeps the session from ending, is told at [Cmd.Detach].
//
// What the StdinPipe has taken, and that it was closed, reaches the command
// first, unless that does not read it for 5 seconds. Another Stdin is left
// where it is.
func (c *Cmd) Release() error {
	if c.stream == nil {
		return c.misused(errNotStarted)
	}
	if !c.Detach {
		return c.misused("the command is not detached and would be killed")
	}
	wait := releaseTime
	if c.Stdin != nil && c.stdin == nil {
		wait = readerTime
	}
	defer time.AfterFunc(wait, func() {
		c.givenUp.Store(true)
		_ = c.stream.Close() // which leaves it, too
	}).Stop()
	if c.stdin != nil && c.stdin.closed.Load() {
		<-c.sent
	}
	c.left.Store(true)
	c.closeOutput()
	c.saying.Lock()
	_ = c.stream.WriteFrame(wire.FrameEnd, nil) // Wait tells
	c.saying.Unlock()
	_, err := c.Wait()
	return err
}

// Offset returns how many bytes of output were taken or dropped, of both
// streams: where to go on, see [AttachOptions.Offset].
func (c *Cmd) Offset() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.offset
}

// AttachOptions are the options of [Client.Attach]. Nil and the zero value are
// ready to use.
type AttachOptions struct {
	// Offset is where to begin in the output, in bytes of both streams in the
	// order in which they came: 0 for all that is kept, [Cmd.Offset] of whoever
	// was there before to neither lose nor repeat a byte, the End of
	// [Client.List] for what comes. What is no longer there is counted in
	// [Exit.Dropped].
	Offset int64
	// Stdin, Stdout and Stderr are as in [Cmd]. A command that was started
	// without Stdin takes none. The end of Stdin is the command's. One that
	// was started with one writer for both has all of its output in Stdout.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Attach goes on with a command that runs, or has ended lately, where it is. The
// Cmd that it returns has started: Wait or Release come next. When ctx ends it
// is released, and the command goes on. Any number may be attached to one.
//
// What whoever started it asked for is not in the Cmd: Args, Dir, Env, Timeout,
// CPUTimeout and TTY are zero. [Client.List] tells the Args, and whether there is
// a terminal.
func (c *Client) Attach(ctx context.Context, processID string, opts *AttachOptions) (*Cmd, error) {
	var o AttachOptions
	if opts != nil {
		o = *opts
	}
	cmd := &Cmd{
		Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, Detach: true, offset: o.Offset,
		ctx: ctx, client: c, op: "command.Attach", done: make(chan struct{}),
	}
	if o.Offset < 0 {
		return nil, cmd.fail(apierr.Errorf(apierr.InvalidArgument, "offset %d is negative", o.Offset))
	}
	st, err := transport.Open(ctx, c.t, wire.AttachProcess, c.session, wire.AttachProcessRequest{
		SessionID: c.session, ProcessID: processID, Offset: o.Offset,
	})
	if err == nil {
		err = cmd.begin(st)
	}
	if err != nil {
		return nil, cmd.fail(err)
	}
	return cmd, nil
}

// Process is what is known of a command that was started with [Client.Command].
type Process struct {
	ProcessID string
	PID       int
	Args      []string
	StartedAt time.Time
	Detached  bool
	TTY       bool
	// Oldest and End are the offsets of the output that is kept.
	Oldest, End int64
	// Exit is nil while it runs.
	Exit *Exit
}

// ListResult is the outcome of [Client.List].
type ListResult struct {
	Processes []Process
	RequestID string
}

// List returns the commands that run and the latest that have ended, 64 in all,
// in the order of their starting. Those of [Client.Run] are not among them.
func (c *Client) List(ctx context.Context) (*ListResult, error) {
	resp, meta, err := transport.Do(ctx, c.t, wire.ListProcesses, wire.SessionQuery{SessionID: c.session})
	if err != nil {
		return nil, transport.Name(err, "command.List", c.session)
	}
	res := &ListResult{RequestID: meta.RequestID}
	for _, p := range resp.Processes {
		e := Process{
			ProcessID: p.ProcessID, PID: p.PID, Args: p.Args, StartedAt: p.Started, Detached: p.Detached, TTY: p.TTY,
			Oldest: p.Oldest, End: p.End,
		}
		if p.Exit != nil {
			e.Exit = exit(*p.Exit, 0, meta.RequestID)
		}
		res.Processes = append(res.Processes, e)
	}
	return res, nil
}

// exit returns how a command ended, from how it travels.
func exit(x wire.ProcessExit, dropped int64, requestID string) *Exit {
	return &Exit{
		ExitCode: x.ExitCode, Signal: x.Signal, Dropped: dropped, Left: x.Left,
		Duration: duration(x.DurationUS), CPUTime: duration(x.CPUTimeUS), MaxRSS: max(x.MaxRSS, 0),
		TimedOut: x.TimedOut, CPULimited: x.CPULimited, OOMKilled: x.OOMKilled, RequestID: requestID,
	}
}
