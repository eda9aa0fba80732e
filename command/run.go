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
	// TraceID is what the hosted service wants quoted about a command that
	// failed. It may be empty.
	TraceID string
	// RequestID is the id of the request.
	RequestID string
}

// Run runs a shell command and waits for it to end. The command reads an empty
// standard input.
//
// A command that ends with a code other than 0 is a result, not an error.
// Errors are an [*apierr.Error]. When the command's timeout ended it the error
// matches [context.DeadlineExceeded], and the result is there beside it with
// the output until then; with every other error the result is nil.
//
// When ctx ends first, the embedded engine kills the command with all that it
// started. Run never sends a command twice if it may have been run: when the
// answer is lost, the error has code [apierr.UnknownOutcome].
func (c *Client) Run(ctx context.Context, cmd string, opts *RunOptions) (*Result, error) {
	args, timeout, err := arguments(cmd, opts)
	if err != nil {
		return nil, transport.Name(err, "command.Run", c.session)
	}
	out, meta, err := transport.Call(ctx, c.t, c.session, shell, args, timeout)
	if err != nil {
		return nil, transport.Name(err, "command.Run", "")
	}
	res := result(out, meta.RequestID)
	if out.TimedOut {
		return res, &apierr.Error{
			Code: apierr.DeadlineExceeded, Op: "command.Run", SessionID: c.session, RequestID: meta.RequestID,
			Message: "command timeout: killed after " + timeout.String(),
		}
	}
	return res, nil
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
	if o.Timeout < 0 {
		return args, 0, apierr.Errorf(apierr.InvalidArgument, "timeout %v is negative", o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	for what, text := range map[string]string{"the command": cmd, "the directory": o.Dir} {
		if err := checkText(what, text); err != nil {
			return args, 0, err
		}
	}
	for k, v := range o.Env {
		if k == "" || strings.Contains(k, "=") {
			return args, 0, apierr.Errorf(apierr.InvalidArgument, "environment key %.64q is empty or has an = in it", k)
		}
		if err := checkText("an environment key", k); err != nil {
			return args, 0, err
		}
		if err := checkText(fmt.Sprintf("the value of environment key %.64q", k), v); err != nil {
			return args, 0, err
		}
	}
	ms := int64(o.Timeout / time.Millisecond)
	if o.Timeout%time.Millisecond > 0 {
		ms++
	}
	return wire.ShellArgs{Command: cmd, TimeoutMS: ms, Dir: o.Dir, Env: maps.Clone(o.Env)}, o.Timeout, nil
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
