package command

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// DefaultTimeout is how long a command may run when [RunOptions] does not say.
const DefaultTimeout = time.Minute

// RunOptions are the options of [Client.Run]. Nil and the zero value are ready
// to use. They are copied.
type RunOptions struct {
	// Timeout is how long the command may run; then it is killed with all that
	// it started in the foreground. It is counted in whole milliseconds,
	// rounded up; 0 means [DefaultTimeout]. The time that the request takes
	// besides is bounded by the client's own timeout.
	Timeout time.Duration
	// CPUTimeout is how much processor time the command may use with all that
	// it starts; then they get SIGXCPU, and are killed a second later. It is
	// counted in whole milliseconds, rounded up, and at most 24 hours; 0 means
	// that only Timeout bounds it. The kernel holds each process to it, and
	// the session all of them together, by looking as often as it takes: what
	// a process uses whose parent ignores the end of its children is counted
	// only while it lives. AGB's hosted service has no such limit:
	// the error then has code [apierr.Unsupported], and nothing is run.
	CPUTimeout time.Duration
	// Dir is the directory to run in. Empty means the session's home.
	Dir string
	// Env is added to the session's environment. Keys are not empty and have
	// no "=" in them.
	Env map[string]string
}

// ExitUnknown is the exit code of a command that ran when the service did not
// say how it ended. The embedded engine always says.
const ExitUnknown = -1

// Result is how a command ended.
type Result struct {
	// ExitCode is the shell's: 128 + n when signal n ended the command,
	// [ExitUnknown] when the service answered with bare text.
	ExitCode int
	// Stdout and Stderr are the command's output, byte for byte when it comes
	// from the embedded engine. They need not be valid UTF-8.
	Stdout, Stderr string
	// Truncated reports that output was lost because there was too much of it.
	// Of each stream the embedded engine keeps up to 10 MiB, and of both
	// together what fits into one answer, which has up to 16 MiB once encoded.
	Truncated bool
	// StdoutDropped and StderrDropped are how many bytes were lost.
	StdoutDropped, StderrDropped int64
	// Duration is how long the command ran; 0 when the service did not say.
	Duration time.Duration
	// CPUTime is the processor time, the system's and its own, of the command
	// and the processes that it waited for, or that were killed with it for its
	// time, and MaxRSS the most memory, in bytes, that one of those it waited
	// for had; of small ones the kernel tells what they were started from had,
	// some MiB. Both are 0 when the service did not say.
	CPUTime time.Duration
	MaxRSS  int64
	// TimedOut reports that the timeout ended the command, and CPULimited that
	// it used up [RunOptions.CPUTimeout]. An error says so, too.
	TimedOut, CPULimited bool
	// OOMKilled reports that while the command ran the kernel killed a process
	// of the session because memory was used up: also when the command went on
	// and its exit code is 0. It need not have been a process of this command:
	// commands that run at a time may all be told of one such kill, and so is
	// a command of what it did to one in the background. It is false where
	// nothing limits the memory of sessions, see session.LayerMemoryLimit.
	OOMKilled bool
	// TraceID is what the hosted service wants quoted about a command that
	// failed. It may be empty.
	TraceID string
	// RequestID is the id of the request.
	RequestID string
}

// Run runs a shell command and waits for it to end. The command reads an empty
// standard input.
//
// What it leaves in the background lives on, until the session ends, and goes
// on counting against the session's limits: its processes, memory, files and
// processor time are not there for later commands. When a command can start no
// more processes then only what it prints itself says so.
//
// A command that ends with a code other than 0 is a result, not an error.
// Errors are an [*apierr.Error]. When the command's timeout ended it the error
// matches [context.DeadlineExceeded], and when it used up its processor time
// the error has code [apierr.ResourceExhausted] and the result is marked
// CPULimited; the result is there beside both with the output until then. With
// every other error the result is nil.
//
// When ctx ends first, the embedded engine kills the command with all that it
// started. Run never sends a command twice if it may have been run: when the
// answer is lost, the error has code [apierr.UnknownOutcome].
func (c *Client) Run(ctx context.Context, cmd string, opts *RunOptions) (*Result, error) {
	args, timeout, err := arguments(cmd, opts)
	if err != nil {
		return nil, transport.Name(err, "command.Run", c.session)
	}
	if args.CPUTimeoutMS > 0 {
		if err := c.t.Can(ctx, wire.ShellCPUTimeout); err != nil {
			return nil, transport.Name(err, "command.Run", c.session)
		}
	}
	if c.t.Embedded() {
		args.Output = wire.OutputBytes // which takes less to encode than text
	}
	out, meta, err := transport.Call(ctx, c.t, c.session, shell, args, timeout)
	if err != nil {
		return nil, transport.Name(err, "command.Run", "")
	}
	res := result(out, meta.RequestID)
	fault := &apierr.Error{Op: "command.Run", SessionID: c.session, RequestID: meta.RequestID}
	switch {
	case out.TimedOut:
		fault.Code, fault.Message = apierr.DeadlineExceeded, "command timeout: killed after "+timeout.String()
	case out.CPULimited:
		fault.Code = apierr.ResourceExhausted
		fault.Message = "processor time is used up: killed after " + (time.Duration(args.CPUTimeoutMS) * time.Millisecond).String() + " of it"
	default:
		return res, nil
	}
	return res, fault
}

// arguments checks what the caller gave and turns it into what travels.
func arguments(cmd string, opts *RunOptions) (args wire.ShellArgs, timeout time.Duration, err error) {
	var o RunOptions
	if opts != nil {
		o = *opts
	}
	if strings.TrimSpace(cmd) == "" {
		return args, 0, apierr.Errorf(apierr.InvalidArgument, "the command is empty")
	}
	if err := checkText("the command", cmd); err != nil {
		return args, 0, err
	}
	if err := o.check(); err != nil {
		return args, 0, err
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	return wire.ShellArgs{
		Command: cmd, TimeoutMS: milliseconds(o.Timeout), CPUTimeoutMS: milliseconds(o.CPUTimeout), Dir: o.Dir, Env: maps.Clone(o.Env),
	}, o.Timeout, nil
}

// check refuses options that cannot be.
func (o *RunOptions) check() error {
	if o.Timeout < 0 {
		return apierr.Errorf(apierr.InvalidArgument, "timeout %v is negative", o.Timeout)
	}
	if o.CPUTimeout < 0 {
		return apierr.Errorf(apierr.InvalidArgument, "processor time %v is negative", o.CPUTimeout)
	}
	if err := checkText("the directory", o.Dir); err != nil {
		return err
	}
	for k, v := range o.Env {
		if k == "" || strings.Contains(k, "=") {
			return apierr.Errorf(apierr.InvalidArgument, "environment key %.64q is empty or has an = in it", k)
		}
		if err := checkText("an environment key", k); err != nil {
			return err
		}
		if err := checkText(fmt.Sprintf("the value of environment key %.64q", k), v); err != nil {
			return err
		}
	}
	return nil
}

// milliseconds returns how many whole milliseconds d takes.
func milliseconds(d time.Duration) int64 {
	n := int64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		n++
	}
	return n
}

// checkText refuses what no process can be given and what would be changed on
// the way.
func checkText(what, text string) error {
	if strings.ContainsRune(text, 0) {
		return apierr.Errorf(apierr.InvalidArgument, "%s has a zero byte in it", what)
	}
	if !utf8.ValidString(text) {
		return apierr.Errorf(apierr.InvalidArgument, "%s is not valid UTF-8", what)
	}
	return nil
}
