package code

import (
	"cmp"
	"context"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// DefaultTimeout is how long code may run when [RunOptions] does not say.
const DefaultTimeout = time.Minute

// RunOptions are the options of [Client.Run]. Nil and the zero value are ready
// to use. They are copied.
type RunOptions struct {
	// Timeout is how long the code may run; then it is killed. 0 means
	// [DefaultTimeout]. The embedded engine counts milliseconds, AGB's hosted
	// service seconds; both are rounded up. The time that the request takes
	// besides is bounded by the client's own timeout.
	Timeout time.Duration
}

// Result is what became of code that ran.
type Result struct {
	// Results are what the code evaluated to and displayed, in order.
	Results []Item
	// Stdout and Stderr are its output.
	Stdout, Stderr string
	// Error is the error that ended the code, nil when it ran to its end.
	Error *ExecError
	// ExecutionCount is the number of the run in its interpreter, from 1; 0
	// when the service did not say.
	ExecutionCount int
	// Duration is how long the code ran; 0 when the service did not say.
	Duration time.Duration
	// Truncated reports that output was lost because there was too much of it.
	Truncated bool
	// StdoutDropped and StderrDropped are how many bytes were lost.
	StdoutDropped, StderrDropped int64
	// RequestID is the id of the request.
	RequestID string
}

// Item is one result in several representations, those absent being empty.
type Item struct {
	Text     string // text/plain
	HTML     string // text/html
	Markdown string // text/markdown
	SVG      string // image/svg+xml
	LaTeX    string // text/latex
	PNG      []byte // image/png
	JPEG     []byte // image/jpeg
	// JSON is application/json, Chart a Vega-Lite specification.
	JSON, Chart json.RawMessage
	// Main reports that the item is the value of the last expression, and not
	// something displayed on the way.
	Main bool
	// Raw are all representations by MIME type, as the server sent them.
	Raw map[string]json.RawMessage
}

// ExecError is an error that user code raised and did not catch.
type ExecError struct {
	Name      string // such as "ZeroDivisionError"
	Value     string // its message
	Traceback string // lines; may be empty
}

// Run runs source and waits for its end.
//
// An error raised by the code is a result: see [Result.Error]. The error that
// Run returns, an [*apierr.Error], means that the code did not run or did not
// come to its end: code [apierr.InterpreterMissing] when the image has no
// interpreter for the language, with a hint how to get one; and one that
// matches [context.DeadlineExceeded] when the timeout ended it, in which case
// the result is there beside it with the output until then. With every other
// error the result is nil.
//
// When ctx ends first, the embedded engine kills the code. Run never sends
// code twice if it may have run: when the answer is lost, the error has code
// [apierr.UnknownOutcome].
func (c *Client) Run(ctx context.Context, lang Language, source string, opts *RunOptions) (*Result, error) {
	args, timeout, err := arguments(lang, source, opts)
	if err != nil {
		return nil, transport.Name(err, "code.Run", c.session)
	}
	out, meta, err := transport.Call(ctx, c.t, c.session, runCode, args, timeout)
	if err != nil {
		return nil, transport.Name(err, "code.Run", "")
	}
	if out.refusal != "" {
		return nil, &apierr.Error{
			Code: wire.ToolFaultCode(out.refusal), Op: "code.Run", SessionID: c.session, RequestID: meta.RequestID,
			Message: cmp.Or(c.t.Message(out.refusal), noReason),
		}
	}
	res := out.Result
	res.RequestID = meta.RequestID
	if out.timedOut {
		return &res, &apierr.Error{
			Code: apierr.DeadlineExceeded, Op: "code.Run", SessionID: c.session, RequestID: meta.RequestID,
			Message: "code timeout: killed after " + timeout.String(),
		}
	}
	return &res, nil
}

// arguments checks what the caller gave and turns it into what travels.
func arguments(lang Language, source string, opts *RunOptions) (args wire.RunCodeArgs, timeout time.Duration, err error) {
	var o RunOptions
	if opts != nil {
		o = *opts
	}
	if lang, err = ParseLanguage(string(lang)); err != nil {
		return args, 0, err
	}
	if !utf8.ValidString(source) {
		return args, 0, apierr.Errorf(apierr.InvalidArgument, "the code is not valid UTF-8")
	}
	if o.Timeout < 0 {
		return args, 0, apierr.Errorf(apierr.InvalidArgument, "timeout %v is negative", o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	args = wire.RunCodeArgs{Code: source, Language: string(lang), TimeoutS: roundUp(o.Timeout, time.Second)}
	if o.Timeout%time.Second != 0 {
		args.TimeoutMS = roundUp(o.Timeout, time.Millisecond) // AGB has seconds alone
	}
	return args, o.Timeout, nil
}

// roundUp returns how many whole units d takes.
func roundUp(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}
