package code

import (
	"context"
	"maps"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// Contexts are the interpreters of a session that keep state. AGB's hosted
// service has none to be named: errors then have code [apierr.Unsupported]. It
// is safe for concurrent use.
type Contexts struct{ client *Client }

// Context is an interpreter that keeps its state from one run to the next. It
// starts with the first run.
type Context struct {
	ID       string
	Language Language
	Name     string
	// Dir is where it starts; empty means the home directory.
	Dir string
	// Default reports that it is the one of runs that name none.
	Default bool
	// Busy reports that a run was under way.
	Busy      bool
	CreatedAt time.Time
	// RequestID is the id of the request; empty in a [ContextList], which has
	// one for all.
	RequestID string

	client *Client
}

// ContextOptions are the options of [Contexts.New]. Nil and the zero value are
// ready to use. They are copied.
type ContextOptions struct {
	// Name is for people and need not be unique; at most 128 bytes.
	Name string
	// Dir is where the interpreter starts; empty means the home directory.
	Dir string
	// Env is added to the session's own environment.
	Env map[string]string
}

// New makes a context. A session has at most 16, those of runs that name none
// among them; beyond that the error has code [apierr.ResourceExhausted]. Its
// interpreter starts with the first run, which is when a directory that does not
// exist, or a missing interpreter, is an error.
func (cs *Contexts) New(ctx context.Context, lang Language, opts *ContextOptions) (*Context, error) {
	var o ContextOptions
	if opts != nil {
		o = *opts
	}
	c := cs.client
	lang, err := ParseLanguage(string(lang))
	if err != nil {
		return nil, transport.Name(err, "code.Contexts.New", c.session)
	}
	made, meta, err := transport.Do(ctx, c.t, wire.OpenContext, wire.OpenContextRequest{
		SessionID: c.session, Language: string(lang), Name: o.Name, Dir: o.Dir, Env: maps.Clone(o.Env),
	})
	if err != nil {
		return nil, transport.Name(err, "code.Contexts.New", c.session)
	}
	one := c.context(made)
	one.RequestID = meta.RequestID
	return &one, nil
}

func (c *Client) context(w wire.CodeContext) Context {
	return Context{
		ID: w.ID, Language: Language(w.Language), Name: w.Name, Dir: w.Dir, Default: w.Default, Busy: w.Busy, CreatedAt: w.Created, client: c,
	}
}

// ContextList is the outcome of [Contexts.List].
type ContextList struct {
	Contexts  []Context
	RequestID string
}

// List returns the session's contexts, the oldest first.
func (cs *Contexts) List(ctx context.Context) (*ContextList, error) {
	c := cs.client
	all, meta, err := transport.Do(ctx, c.t, wire.ListContexts, wire.SessionQuery{SessionID: c.session})
	if err != nil {
		return nil, transport.Name(err, "code.Contexts.List", c.session)
	}
	list := &ContextList{RequestID: meta.RequestID}
	for _, w := range all.Contexts {
		list.Contexts = append(list.Contexts, c.context(w))
	}
	return list, nil
}

// ContextResult is the outcome of [Contexts.Restart], [Contexts.Interrupt] and
// [Contexts.Delete].
type ContextResult struct{ RequestID string }

// Restart ends a context's interpreter, and with it the run under way, whose
// error has code [apierr.FailedPrecondition]. It returns when that is gone. The
// next run starts another; its [Result.Restarted] is empty, for it was asked for.
func (cs *Contexts) Restart(ctx context.Context, id string) (*ContextResult, error) {
	return cs.do(ctx, "code.Contexts.Restart", wire.RestartContext, id)
}

// Interrupt interrupts the run under way in a context, as Ctrl-C would, and
// does nothing where there is none. What that means for the code is the
// language's: in Python it is a KeyboardInterrupt, and the state stays. It does
// not wait for the run. When that has not ended five seconds later its
// interpreter is killed: its result is marked Ended, has the output until then,
// and its error is named InterruptError.
func (cs *Contexts) Interrupt(ctx context.Context, id string) (*ContextResult, error) {
	return cs.do(ctx, "code.Contexts.Interrupt", wire.InterruptContext, id)
}

// Delete ends a context, and with it the run under way. One that is not known is
// an error with code [apierr.NotFound].
func (cs *Contexts) Delete(ctx context.Context, id string) (*ContextResult, error) {
	return cs.do(ctx, "code.Contexts.Delete", wire.CloseContext, id)
}

func (cs *Contexts) do(ctx context.Context, name string, op wire.Op[wire.ContextRequest, wire.Empty], id string) (*ContextResult, error) {
	_, meta, err := transport.Do(ctx, cs.client.t, op, wire.ContextRequest{SessionID: cs.client.session, ContextID: id})
	if err != nil {
		return nil, transport.Name(err, name, cs.client.session)
	}
	return &ContextResult{RequestID: meta.RequestID}, nil
}

// Run is [Client.Run] in this context.
func (c *Context) Run(ctx context.Context, source string, opts *RunOptions) (*Result, error) {
	var o RunOptions
	if opts != nil {
		o = *opts
	}
	if c.client == nil {
		return nil, apierr.Errorf(apierr.InvalidArgument, "code.Context.Run: the context does not come from Contexts").
			WithHint("use RunOptions.Context with its id")
	}
	o.Context = c.ID
	return c.client.Run(ctx, c.Language, source, &o)
}
