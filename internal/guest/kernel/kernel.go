// Package kernel runs code of a language in a sandbox, keeps its state from one
// run to the next, and tells its results apart from its output.
//
// A language is an interpreter in the sandbox and a small driver for it, which
// is embedded here. The driver is told what to run over a socket of its own,
// runs it, and says there what the code evaluated to and how it ended:
//
//	engine                              sandbox
//	run python3 -c driver ──────────────▶
//	"run more 1 4 -\n1/0\n" (fd 3) ─────▶  the driver runs one piece of code
//	         ◀─────────────────────────── output of the code (fd 1, fd 2)
//	         ◀─────────────────────────── "item 21\n{…}", "done 52\n{"error":{…}}" (fd 3)
//	"run more …" ───────────────────────▶  the next, in the same interpreter
//
// So output is output, whatever it looks like. Programs that the code starts
// do not have the socket; those that R starts have R's end of a pipe to it, under
// another number. The code itself, being in the same process, can find it; what
// it could forge is the result of itself, and what is not as it should be ends
// the interpreter, nothing else. What a driver says comes after all output that
// was written before.
//
// What a driver is told, each a line and so many bytes:
//
//	run <last or more> <lines> <bytes> <bytes or ->
//	    code to run, in lines and bytes that end with a line's end, and what it
//	    finds as its standard input, - for nothing. After the last the
//	    interpreter ends by itself.
//	functions <bytes>
//	    names of the functions that code can call from now on, a list in JSON,
//	    where the language has a way to call them
//	return <bytes>
//	    {"id":1,"value":…} or {"id":1,"error":"…"}: what a call came to
//	order 0
//	    somebody reads both outputs of the next run as they come
//	go 0
//	    all output from before wait has been read
//
// What it says:
//
//	item <bytes>   {"main":true,"truncated":true,"data":{"text/plain":"…"}}: a
//	               result, truncated when a form of it is cut or left out
//	call <bytes>   {"id":1,"name":"…","args":…}: a call of a function
//	failed <bytes> {"status":1,"line":2}: a command in this line of the code has
//	               failed, with which the run may end; the last is told
//	wait 0         the next output is for the other stream, and waits for go
//	late1 <bytes>, late2 <bytes>
//	               output of what an earlier run has left behind
//	done <bytes>   {"error":{"name":…,"value":…,"traceback":…},"status":0,"exit":false,"unbuilt":false,"cpu_us":0,"max_rss":0}:
//	               the run is over, and with exit the interpreter; with unbuilt
//	               the code did not compile; all of it may be left out
//
// SIGINT is to interrupt the run under way, and to do nothing otherwise. SIGURG
// is to do nothing but to wake an interpreter that has yet to see to SIGINT.
package kernel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/agb-go/sdk/internal/guest"
)

// Bounds of what a run takes.
const (
	CodeLimit  = 4 << 20 // bytes of code
	StdinLimit = 1 << 20 // bytes of its standard input
)

// Errors of what a run is asked to do.
var (
	ErrCodeTooLong  = errors.New("kernel: code too long")  // more than [CodeLimit]
	ErrStdinTooLong = errors.New("kernel: input too long") // more than [StdinLimit]
	ErrClosed       = errors.New("kernel: the context is closed")
	ErrBusy         = errors.New("kernel: another run is under way") // for as long as [Options.Wait]
	ErrRestarted    = errors.New("kernel: the context was restarted")
)

// MissingError means that the sandbox has no interpreter for a language.
type MissingError struct {
	Language     string
	Interpreters []string // programs that were looked for
	Install      string   // how to get one
	Unfit        bool     // there is one, which cannot do it
}

// Error implements error.
func (e *MissingError) Error() string {
	if e.Unfit {
		return fmt.Sprintf("no interpreter for %s: that of the image cannot run it", e.Language)
	}
	return fmt.Sprintf("no interpreter for %s: %s not found", e.Language, strings.Join(e.Interpreters, ", "))
}

// Options are limits of a run, where its output goes, and what it is given.
type Options struct {
	// Wait is how long a run waits for its turn in a context; 0 means for ever.
	Wait time.Duration
	// Queued, when not nil, is called once a run in a context has its place among
	// those that take turns: a later one is behind it.
	Queued func()
	// Timeout and CPULimit end the run; 0 means never. The processor time is
	// that of the whole interpreter, so that it takes a context of its own.
	Timeout, CPULimit time.Duration
	// Stdout and Stderr receive the output as it comes; nil discards. Each
	// gets at most OutputLimit bytes; 0 means [guest.OutputLimit].
	Stdout, Stderr io.Writer
	OutputLimit    int64
	// Ordered keeps the order between what is written to the two, as far as the
	// language can: what Python and JavaScript write themselves.
	Ordered bool
	// Stdin is what the code finds as its standard input; nil means nothing.
	Stdin []byte
	// Item, when not nil, is given results as they come, which are then not in
	// [Result.Items]. Its error ends the run.
	Item func(Item) error
	// Reserve, when not nil, is asked before so many bytes of a result are
	// kept. It may block, as a writer may.
	Reserve func(n int) bool
	// OutOfMemory, when not nil, says whether the memory was used up while the
	// code ran. It is asked when the interpreter was killed.
	OutOfMemory func() bool
	// Functions are those that the code can call, if it is Python, JavaScript
	// or TypeScript, and Call calls one, each call from a goroutine of its own.
	Functions []string
	Call      func(name string, args json.RawMessage) (json.RawMessage, error)
}

// Result is how code ended.
type Result struct {
	Items        []Item     // in the order in which the code showed them
	ItemsDropped int        // results that were left out, being too many or too large
	Error        *Error     // nil when the code ran to its end
	ErrorShown   bool       // whether the error output tells Error already
	Exit         guest.Exit // of the interpreter; of one that goes on, of the run

	Runs      int    // of this interpreter, this one included
	Ended     bool   // whether the interpreter has ended, and with it all state
	Restarted string // why the interpreter of the runs before has ended, when it has
	Late      Late   // what came between the run before and this one
}

// Late is output that belongs to no run: of threads, timers and processes that
// an earlier run has left behind.
type Late struct {
	Stdout, Stderr []byte
	Dropped        int64 // bytes that were too many
}
