package code

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// DefaultCallTimeout is how long a call of a function may take when
// [FunctionOptions] does not say.
const DefaultCallTimeout = time.Minute

// callsAtOnce bounds the calls of one run that are under way.
const callsAtOnce = 16

// FunctionOptions are the options of [Expose]. Nil and the zero value are ready
// to use. They are copied.
type FunctionOptions struct {
	// Description says what the function does, for [Client.Functions].
	Description string
	// Timeout is how long a call may take, by the context that the function
	// gets; 0 means [DefaultCallTimeout].
	Timeout time.Duration
	// Audit, when set, is told of each call when it has ended, or its context has.
	// It is called from several goroutines.
	Audit func(FunctionCall)
}

// FunctionCall is a call of a function by code in a session.
type FunctionCall struct {
	SessionID string
	Name      string
	Args      json.RawMessage // as the code gave them
	Result    json.RawMessage // nil with an error
	Err       error
	StartedAt time.Time
	Duration  time.Duration
}

// Expose lets code that c runs from now on call fn: by its name as a function
// of Python, with one argument or with keyword arguments, and as an async
// function of JavaScript, with one argument. A key, or a way into another system,
// need not be in the sandbox for that. It can be called while the run goes on.
//
// What the code gives is decoded into In as JSON, strictly: a field that In does
// not have, and a value of another type, is the call's error, which names the
// argument. Whatever it is, it is not to be trusted. The
// error of fn, its panic too, becomes an exception, a RuntimeError or an Error, with its text. The result is
// encoded as JSON. Arguments and result have at most 1 MiB each. A run has 16
// calls under way at most. The context of fn ends with its timeout, and with the
// run; then nobody waits for fn. It goes on until it returns; what it returns late
// is dropped. Until then it counts against the calls that may be under way, of
// all runs of c: beyond them a call fails.
//
// Fields that the code leaves out are zero. A function that runs code in the same
// context waits for itself.
//
// The name is letters, digits and underscores, at most 64, and no word of either
// language; what the languages have by that name is hidden. A client has at most
// 64 functions, and another client for the same session has none of them.
// Another of the same name takes the place of the first. The error
// has code [apierr.InvalidArgument]. Where the server cannot call functions, as
// AGB's hosted service, runs then fail with code [apierr.Unsupported].
func Expose[In, Out any](c *Client, name string, fn func(context.Context, In) (Out, error), opts *FunctionOptions) error {
	f := function{
		FunctionInfo: FunctionInfo{Name: name, Input: wire.SchemaOf[In](), Output: wire.SchemaOf[Out]()},
		session:      c.session, timeout: DefaultCallTimeout,
	}
	if fn == nil {
		return apierr.Errorf(apierr.InvalidArgument, "code.Expose: there is no function")
	}
	if opts != nil {
		f.Description = opts.Description
		f.audit = opts.Audit
		if opts.Timeout < 0 {
			return apierr.Errorf(apierr.InvalidArgument, "code.Expose: timeout %v is negative", opts.Timeout)
		}
		if opts.Timeout > 0 {
			f.timeout = opts.Timeout
		}
	}
	f.call = func(ctx context.Context, args json.RawMessage) (json.RawMessage, error) {
		var in In
		if err := f.decode(args, &in); err != nil {
			return nil, err
		}
		out, err := fn(ctx, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
	return c.functions.add(f)
}

// FunctionInfo is what is known of a function that code can call: enough to tell
// a model of it.
type FunctionInfo struct {
	Name, Description string
	// Input and Output are JSON schemas of its argument and its result, made
	// from their types.
	Input, Output json.RawMessage
}

// Functions returns the functions that code run by c can call, in the order in
// which they were exposed.
func (c *Client) Functions() []FunctionInfo {
	var all []FunctionInfo
	for _, f := range c.functions.all() {
		all = append(all, f.FunctionInfo)
	}
	return all
}

// function is a Go function that code can call.
type function struct {
	FunctionInfo

	session string
	timeout time.Duration
	audit   func(FunctionCall)
	call    func(context.Context, json.RawMessage) (json.RawMessage, error)
	left    *atomic.Int32 // calls that nobody waits for, of all functions of the client
}

// functions are those of a client. The zero functions is ready to use.
type functions struct {
	mu   sync.Mutex
	list []function // replaced, never changed
	left atomic.Int32
}

func (fs *functions) add(f function) error {
	if !wire.ValidFunctionName(f.Name) {
		return apierr.Errorf(apierr.InvalidArgument, "code.Expose: %.100q cannot be a function's name", f.Name).
			WithHint("use letters, digits and underscores, at most %d", wire.MaxFunctionName)
	}
	f.left = &fs.left
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(fs.list), func(other function) bool { return other.Name == f.Name })
	if len(list) >= wire.MaxFunctions {
		return apierr.Errorf(apierr.InvalidArgument, "code.Expose: there are %d functions, more are not allowed", wire.MaxFunctions)
	}
	fs.list = append(list, f)
	return nil
}

func (fs *functions) all() []function {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	return fs.list
}

func names(list []function) []string {
	var all []string
	for _, f := range list {
		all = append(all, f.Name)
	}
	return all
}
