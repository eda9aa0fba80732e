package command

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// Cmd is a command to talk to while it runs, as [os/exec.Cmd] is: fill in the
// fields, then Run, Output, CombinedOutput, or Start and Wait. A Cmd is for one
// run, and comes from [Client.Command], [Client.Shell] or [Client.Attach]: the
// zero Cmd does not start. Its methods after Start are safe for concurrent use.
// While it runs the session is not idle, and cannot be paused, unless it was
// released.
//
// A command that ends with a code other than 0 is a result, not an error.
// Errors are an [*apierr.Error]: the program that is not there has code
// [apierr.NotFound], and one that could not be told to its end, because the way
// to it broke or the session ended, is an error and never a success. AGB's
// hosted service has no such commands: the error has code [apierr.Unsupported].
type Cmd struct {
	// Args are the program, looked up in the session's PATH, and its arguments.
	Args []string
	// Dir is the directory to run in. Empty means the session's home.
	Dir string
	// Env is added to the session's environment.
	Env map[string]string

	// Stdin is what the command reads; nil means that it reads end-of-file at
	// once. Reading it goes on until it ends or the command has: a Read that
	// blocks then is not waited for, and what the command did not read is lost.
	Stdin io.Reader
	// Stdout and Stderr get the output as it comes, from one goroutine; nil
	// discards it. When both are the same writer, by ==, the command has one
	// pipe for both, and that gets all in the order in which it was written.
	// The command waits when they do not take it. When one fails, or takes less
	// than it was given, the command is killed, and Wait returns its error, or
	// [io.ErrShortWrite].
	Stdout, Stderr io.Writer

	// Timeout is how long the command may run, then it is killed with all that
	// it started; 0 means as long as the session lives.
	Timeout time.Duration
	// CPUTimeout is as in [RunOptions].
	CPUTimeout time.Duration
	// TTY gives the command a terminal of that size instead of pipes: all its
	// output goes to Stdout, and Stdin is what is typed. At its end, amid a
	// line, too, the terminal reads end-of-file once, without Stdin at once: a
	// shell ends then.
	TTY *Size
	// Detach has the command outlive its ctx, and the connection: see
	// [Cmd.Release] and [Client.Attach]. It does not wait for whoever reads its
	// output: the latest 4 MiB are kept, and what was not read by then is
	// counted in [Exit.Dropped]. It is less when the output goes back and forth
	// between Stdout and Stderr, of which 4,096 changes are kept, and 64 KiB
	// when the engine has no room on its disk or 256 such outputs there.
	//
	// While nobody is attached it does not keep the session from being
	// released as idle, or at the end of its life: see Session.KeepAlive and
	// Session.Extend.
	Detach bool

	// ProcessID names the running command, and PID is its process id in the
	// session. Start sets both.
	ProcessID string
	PID       int
	// RequestID is the id of the request of Start.
	RequestID string

	ctx    context.Context
	client *Client
	op     string // "command.Cmd", or what it came from
	pipes  []pipe
	piped  bool       // there is an outputPipe
	stdin  *stdinPipe // nil without

	stream  *transport.Stream
	writing atomic.Pointer[outputPipe] // that waits for its reader
	cut     bool                       // what comes is neither taken nor counted
	detach  func() bool                // from ctx
	done    chan struct{}

	sent    chan struct{} // closed when send has returned
	saying  sync.Mutex    // frames, of which the last says that the command is left
	left    atomic.Bool   // Release was called
	givenUp atomic.Bool   // and did not wait for its answer

	mu      sync.Mutex
	exit    *Exit // it or err is set when done is closed
	err     error
	offset  int64
	dropped int64
}

// Size is the size of a terminal, in characters.
type Size struct{ Rows, Columns uint16 }

// Exit is how a [Cmd] ended.
type Exit struct {
	// ExitCode is 128 + n when signal n ended the command.
	ExitCode int
	Signal   int
	// Dropped is how many bytes of output were no longer there when they were
	// to be read: of a detached command alone.
	Dropped int64
	// Left reports that the command goes on, see [Cmd.Release].
	Left bool
	// The rest is as in [Result].
	Duration             time.Duration
	CPUTime              time.Duration
	MaxRSS               int64
	TimedOut, CPULimited bool
	OOMKilled            bool
	RequestID            string
}

// Command returns a command to run a program, whose name is looked up in the
// session's PATH. When ctx ends the command is killed with all that it started,
// unless it is detached.
func (c *Client) Command(ctx context.Context, name string, args ...string) *Cmd {
	return &Cmd{Args: append([]string{name}, args...), ctx: ctx, client: c, op: "command.Cmd", done: make(chan struct{})}
}

// Shell is [Client.Command] for a script of the session's shell.
func (c *Client) Shell(ctx context.Context, script string) *Cmd {
	return c.Command(ctx, "/bin/sh", "-c", script)
}

func (c *Cmd) misused(what string) error {
	return c.fail(apierr.Errorf(apierr.FailedPrecondition, "%s", what))
}

func (c *Cmd) fail(err error) error {
	if c.client == nil { // it is nobody's
		return transport.Name(err, "command.Cmd", "")
	}
	return transport.Name(err, c.op, c.client.session)
}

// What comes of calls that are for commands that run, and for those that do not.
const (
	errNotStarted = "the command has not started"
	errStarted    = "the command has started already"
)

// Run starts the command and waits for its end.
func (c *Cmd) Run() (*Exit, error) {
	if err := c.Start(); err != nil {
		return nil, err
	}
	return c.Wait()
}

// Output runs the command and returns what it writes to Stdout, which must not
// be set, and to Stderr unless that is set, all of it: the memory of the caller
// is the limit.
func (c *Cmd) Output() (*Result, error) {
	var out, errOut bytes.Buffer
	return c.collect(&out, &errOut)
}

// CombinedOutput is Output with both as one, in the order in which it was
// written, in Stdout. Neither must be set.
func (c *Cmd) CombinedOutput() (*Result, error) {
	var out bytes.Buffer
	return c.collect(&out, &out)
}

func (c *Cmd) collect(out, errOut *bytes.Buffer) (*Result, error) {
	switch {
	case c.stream != nil:
		return nil, c.misused(errStarted)
	case c.Stdout != nil:
		return nil, c.misused("Stdout is set")
	case c.Stderr != nil && errOut == out:
		return nil, c.misused("Stderr is set")
	}
	c.Stdout = out
	if c.Stderr == nil {
		c.Stderr = errOut
	}
	exit, err := c.Run()
	if exit == nil {
		return nil, err
	}
	res := &Result{
		ExitCode: exit.ExitCode, Stdout: out.String(), Truncated: exit.Dropped > 0, StdoutDropped: exit.Dropped,
		Duration: exit.Duration, CPUTime: exit.CPUTime, MaxRSS: exit.MaxRSS,
		TimedOut: exit.TimedOut, CPULimited: exit.CPULimited, OOMKilled: exit.OOMKilled, RequestID: exit.RequestID,
	}
	if errOut != out {
		res.Stderr = errOut.String()
	}
	return res, err
}

// Start starts the command and returns when it runs. Wait has to follow, or
// Release.
func (c *Cmd) Start() error {
	if c.stream != nil {
		return c.misused(errStarted)
	}
	if c.client == nil {
		return c.misused("the command comes from no client, see Client.Command")
	}
	req, err := c.request()
	if err != nil {
		c.closePipes(err)
		return c.fail(err)
	}
	st, err := transport.Open(c.ctx, c.client.t, wire.StartProcess, c.client.session, req)
	if err == nil {
		err = c.begin(st)
	}
	if err != nil {
		c.closePipes(err)
		return c.fail(err)
	}
	return nil
}

// request checks the fields and returns them as they travel.
func (c *Cmd) request() (wire.StartProcessRequest, error) {
	var none wire.StartProcessRequest
	o := RunOptions{Timeout: c.Timeout, CPUTimeout: c.CPUTimeout, Dir: c.Dir, Env: c.Env}
	if err := o.check(); err != nil {
		return none, err
	}
	if len(c.Args) == 0 || c.Args[0] == "" {
		return none, apierr.Errorf(apierr.InvalidArgument, "there is no program")
	}
	for _, a := range c.Args {
		if err := checkText("an argument", a); err != nil {
			return none, err
		}
	}
	req := wire.StartProcessRequest{
		SessionID: c.client.session, Args: slices.Clone(c.Args), Dir: c.Dir, Env: maps.Clone(c.Env),
		TimeoutMS: milliseconds(c.Timeout), CPUTimeoutMS: milliseconds(c.CPUTimeout), Stdin: c.Stdin != nil, Detach: c.Detach,
		Combined: c.Stdout != nil && same(c.Stdout, c.Stderr),
	}
	if c.TTY != nil {
		req.TTY = &wire.WindowSize{Rows: c.TTY.Rows, Columns: c.TTY.Columns}
	}
	return req, nil
}

// begin takes over a stream that has begun.
func (c *Cmd) begin(st *transport.Stream) error {
	c.detach = context.AfterFunc(c.ctx, func() {
		_ = st.Close()
		c.closePipes(context.Cause(c.ctx))
	})
	var started wire.ProcessStarted
	kind, p, err := st.Next()
	if err == nil && (kind != wire.FrameStarted || json.Unmarshal(p, &started) != nil || started.ProcessID == "") {
		err = st.Malformed("the server does not say what it has started")
	}
	if err != nil {
		c.detach()
		_ = st.Close()
		if c.ctx.Err() != nil {
			err = c.ctx.Err()
		}
		return err
	}
	c.stream, c.RequestID = st, st.Meta.RequestID
	c.ProcessID, c.PID = started.ProcessID, started.PID
	if c.Stdin != nil {
		c.sent = make(chan struct{})
		go c.send()
	}
	go c.receive()
	return nil
}

// Wait waits until the command has ended and all its output was taken, or
// discarded when nobody reads it from a pipe, see [Cmd.StdoutPipe]. When its
// timeout ended it the error matches [context.DeadlineExceeded], and when it
// used up its processor time the error has code [apierr.ResourceExhausted]; how
// it ended is there beside both. With every other error that is nil. After
// ctx has ended the error is ctx's. It may be called again.
func (c *Cmd) Wait() (*Exit, error) {
	if c.stream == nil {
		return nil, c.misused(errNotStarted)
	}
	c.await()
	if c.err != nil {
		return nil, c.fail(c.err)
	}
	fault := &apierr.Error{Op: c.op, SessionID: c.client.session, RequestID: c.RequestID}
	switch {
	case c.exit.TimedOut:
		fault.Code, fault.Message = apierr.DeadlineExceeded, "command timeout: killed"
		if c.Timeout > 0 { // else another has started it
			fault.Message += " after " + c.Timeout.String()
		}
	case c.exit.CPULimited:
		fault.Code, fault.Message = apierr.ResourceExhausted, "processor time is used up: killed"
		if c.CPUTimeout > 0 {
			fault.Message += " after " + c.CPUTimeout.String() + " of it"
		}
	default:
		return c.exit, nil
	}
	return c.exit, fault
}
