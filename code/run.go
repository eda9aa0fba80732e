package code

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
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
	// Timeout is how long the code may run; then it is interrupted, as by
	// Ctrl-C. When it has not ended five seconds later its interpreter is killed,
	// and with it the state of its context. 0 means [DefaultTimeout]. The
	// embedded engine counts milliseconds, AGB's hosted service seconds; both
	// are rounded up. The time that the request takes besides is bounded by the
	// client's own timeout. It begins when the run's turn has come, for which a
	// run waits 30 seconds, then the error has code [apierr.ResourceExhausted]
	// and nothing was run, or, with Stdout, Stderr or OnResult, or functions,
	// as long as ctx lets it. It is at most 24 hours.
	Timeout time.Duration
	// CPUTimeout is how much processor time the code may use with all that it
	// starts; then they get SIGXCPU, and are killed a second later. It is that of
	// a whole interpreter: such a run is Fresh. It is counted in whole
	// milliseconds, rounded up, and at most 24 hours; 0 means that only Timeout
	// bounds it. AGB's hosted service has no such limit: the error then has code
	// [apierr.Unsupported], and nothing is run.
	CPUTimeout time.Duration
	// Stdout and Stderr, when either is set, get the output byte for byte as it
	// comes, from one goroutine, however much there is, and [Result] has none;
	// nil discards it. The code waits when they do not take it; when one fails
	// the code is interrupted, and Run returns its error. AGB's hosted service
	// streams text, and only of sessions that offer a WebSocket: of another the
	// error has code [apierr.Unsupported], and nothing is run. What becomes of
	// code that is given up there is the service's to say. What comes of both is in
	// the order of its writing where print of Python, console of JavaScript and
	// the like wrote it; else the order between them may be another.
	Stdout, Stderr io.Writer
	// OnResult, when set, gets results as they come, from the goroutine that
	// Stdout gets output from, and [Result] has none. The code waits until it
	// returns. Otherwise it is as Stdout.
	OnResult func(Item)
	// Context is the id of the context to run in, see [Contexts.New]; empty
	// means the session's own for the language. Fresh runs the code in an
	// interpreter of its own, which then ends by itself: what the code has left
	// behind, timers and threads, is waited for. AGB's hosted service has
	// neither: the error then has code [apierr.Unsupported].
	Context string
	Fresh   bool
	// Stdin is what the code finds as its standard input, at most 1 MiB of UTF-8;
	// empty means that it reads end-of-file. Python, Bash and Go have it; with
	// another language, or what is not UTF-8, the error has code
	// [apierr.InvalidArgument]. For AGB's hosted
	// service it is as Context.
	Stdin string
}

// Result is what became of code that ran.
type Result struct {
	// Results are what the code evaluated to and displayed, in order. The
	// embedded engine's answer carries 14 MiB, as they travel, of them and of the
	// output, which they leave 6 MiB: so a picture of 10 MiB where there is little
	// output. In place of one beyond that are words, and it is Truncated, or it
	// counts as dropped. With [RunOptions.OnResult] the output leaves them all.
	Results []Item
	// Stdout and Stderr are its output, with U+FFFD for what is not UTF-8; the
	// bytes are in [RunOptions.Stdout]. An error is told at the end of Stderr, too.
	Stdout, Stderr string
	// Error is the error that ended the code, nil when it ran to its end.
	Error *ExecError
	// ExecutionCount is the number of the run in its interpreter, from 1; 0
	// when the service did not say.
	ExecutionCount int
	// Duration is how long the code ran; 0 when the service did not say.
	Duration time.Duration
	// CPUTime is the processor time, the system's and its own, of the
	// interpreter and the processes that it waited for, and MaxRSS the most
	// memory, in bytes, that one of them had; of small ones the kernel tells
	// what they were started from had, some MiB. Both are 0 when the service
	// did not say.
	CPUTime time.Duration
	MaxRSS  int64
	// TimedOut reports that the timeout ended the code, and CPULimited that it
	// used up [RunOptions.CPUTimeout]. An error says so, too.
	TimedOut, CPULimited bool
	// OOMKilled reports that while the code ran the kernel killed a process of
	// the session because memory was used up: also when the code went on and
	// Error is nil. It need not have been a process of this code: what runs at
	// a time may all be told of one such kill. It is false where nothing limits
	// the memory of sessions, see session.LayerMemoryLimit. When it was the
	// interpreter then Error has the name OutOfMemoryError.
	OOMKilled bool
	// Truncated reports that output or results, or parts of results, were lost
	// because there was too much of them: also that one of Results is Truncated.
	Truncated bool
	// ResultsDropped is how many results were lost.
	ResultsDropped int
	// Ended reports that the interpreter has ended with this run, and with it
	// the state of its context: Error says how, unless it ended without one. It
	// is always so of a fresh run and of Go. In Python exit and sys.exit end the
	// run alone; exit of Bash, process.exit of JavaScript and quit of R end the
	// interpreter.
	Ended bool
	// Restarted is why the interpreter of the runs before has ended, when it
	// has, so that this run found none of their state; else it is empty. Of runs
	// whose Run returned no result, the next one tells, as it does with LateStdout.
	Restarted string
	// LateStdout and LateStderr are what threads, timers and processes that
	// earlier runs have left behind wrote since the run before, each up to 64
	// KiB; LateDropped is how many bytes were lost. What threads and timers of
	// Python and JavaScript, and threads of Java, write while a run is under way
	// is late, too; what processes write then is among that run's output.
	LateStdout, LateStderr string
	LateDropped            int64
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
	// JSON is application/json. Of a table of pandas it is an array of its rows,
	// at most 1,000, each an object. Chart is a Vega-Lite specification.
	JSON, Chart json.RawMessage
	// ChartData is what a figure of matplotlib shows, from
	// application/vnd.agb-go.chart+json; nil when it is not known. AGB's hosted
	// service does not tell.
	ChartData *ChartData
	// Main reports that the item is the value of the last expression, and not
	// something displayed on the way.
	Main bool
	// Truncated reports that a representation is cut, or left out, because it
	// was too large, or that a table's JSON does not have all rows.
	Truncated bool
	// Raw are all representations by MIME type, as the server sent them.
	Raw map[string]json.RawMessage
}

// ExecError is an error that user code raised and did not catch. In Go what does
// not compile has the name CompileError, a panic the name panic, and what the
// runtime ends a program for, such as a deadlock, the name "fatal error". A status
// other than 0 that says no more has the name ExitError; in Bash Traceback then
// has the line of the last command that failed outside of a condition, where the
// shell can tell it.
type ExecError struct {
	Name      string // such as "ZeroDivisionError"
	Value     string // its message
	Traceback string // lines; may be empty
}

// Run runs source and waits for its end. As it travels in JSON it has, with
// Stdin and all else of the request, at most 4 MiB; of more the error has code
// [apierr.InvalidArgument], and nothing is sent. In Bash a last command that
// fails is an error of the code.
//
// An error raised by the code is a result: see [Result.Error]. The error that
// Run returns, an [*apierr.Error], means that the code did not run or did not
// come to its end: code [apierr.InterpreterMissing] when the image has no
// interpreter for the language, with a hint how to get one; one that matches
// [context.DeadlineExceeded] when the timeout ended it, and one of code
// [apierr.ResourceExhausted] with a result marked CPULimited when it used up its
// processor time. In these two cases the result is there beside it with the
// output until then. With every other error the result is nil.
//
// When ctx ends first, the embedded engine interrupts the code as when its time
// is over. Runs in one context take turns; contexts run at the same time. Run never sends
// code twice if it may have run: when the answer is lost, the error has code
// [apierr.UnknownOutcome].
func (c *Client) Run(ctx context.Context, lang Language, source string, opts *RunOptions) (*Result, error) {
	args, timeout, err := arguments(lang, source, opts)
	if err != nil {
		return nil, transport.Name(err, "code.Run", c.session)
	}
	for name, asked := range map[string]bool{
		wire.CodeCPUTimeout: args.CPUTimeoutMS > 0, wire.CodeFresh: args.Fresh, wire.CodeStdin: args.Stdin != nil,
		wire.OpenContext.Name: args.ContextID != "",
	} {
		if !asked {
			continue
		}
		if err := c.t.Can(ctx, name); err != nil {
			return nil, transport.Name(err, "code.Run", c.session)
		}
	}
	var out outcome
	var meta transport.Meta
	exposed := c.functions.all()
	if len(exposed) > 0 || opts != nil && (opts.Stdout != nil || opts.Stderr != nil || opts.OnResult != nil) {
		out, meta, err = c.stream(ctx, args, timeout, opts, exposed)
	} else {
		out, meta, err = transport.Call(ctx, c.t, c.session, runCode, args, timeout)
	}
	if err != nil {
		e := apierr.From(transport.Name(err, "code.Run", ""))
		if errors.Is(err, wire.ErrTooLong) {
			e.Hint = "write the code or its data to a file of the session, and have a short program use that"
		}
		return nil, e
	}
	if out.refusal != "" {
		return nil, &apierr.Error{
			Code: wire.ToolFaultCode(out.refusal), Op: "code.Run", SessionID: c.session, RequestID: meta.RequestID,
			Message: cmp.Or(c.t.Message(out.refusal), noReason),
		}
	}
	res := out.Result
	res.RequestID = meta.RequestID
	fault := &apierr.Error{Op: "code.Run", SessionID: c.session, RequestID: meta.RequestID}
	switch {
	case res.TimedOut:
		fault.Code, fault.Message = apierr.DeadlineExceeded, "code timeout: ended after "+timeout.String()
	case res.CPULimited:
		fault.Code = apierr.ResourceExhausted
		fault.Message = "processor time is used up: killed after " + (time.Duration(args.CPUTimeoutMS) * time.Millisecond).String() + " of it"
	default:
		return &res, nil
	}
	return &res, fault
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
	if o.CPUTimeout < 0 {
		return args, 0, apierr.Errorf(apierr.InvalidArgument, "processor time %v is negative", o.CPUTimeout)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if (o.Fresh || o.CPUTimeout > 0) && o.Context != "" {
		return args, 0, apierr.Errorf(apierr.InvalidArgument, "a run that is fresh, or has a limit of processor time, has no context")
	}
	args = wire.RunCodeArgs{
		ContextID: o.Context, Fresh: o.Fresh, Code: source, Language: string(lang), TimeoutS: roundUp(o.Timeout, time.Second), CPUTimeoutMS: roundUp(o.CPUTimeout, time.Millisecond),
	}
	if o.Timeout%time.Second != 0 {
		args.TimeoutMS = roundUp(o.Timeout, time.Millisecond) // AGB has seconds alone
	}
	if o.Stdin != "" {
		if lang != Python && lang != Bash && lang != Go {
			return args, 0, apierr.Errorf(apierr.InvalidArgument, "code in %s has no standard input here", lang).
				WithHint("write a file and read that, or run a command with Command.Command")
		}
		if !utf8.ValidString(o.Stdin) {
			return args, 0, apierr.Errorf(apierr.InvalidArgument, "the standard input is not valid UTF-8").
				WithHint("write it to a file and read that")
		}
		args.Stdin = &o.Stdin
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
