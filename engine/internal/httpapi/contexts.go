package httpapi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/guest/kernel"
	"github.com/agb-go/sdk/internal/wire"
)

const (
	maxContexts    = 16  // of a session, each an interpreter that may have started
	maxContextName = 128 // bytes
)

// codeContext is an interpreter that keeps its state. It does not change.
type codeContext struct {
	*kernel.Context
	id, name string
	language kernel.Language
	dir      string
	fallback bool // it is what runs without a context use
	created  time.Time
}

// contexts are those of a session, in the order of their making. The zero
// contexts is ready to use.
type contexts struct {
	mu     sync.Mutex
	all    []*codeContext
	closed bool
}

// add makes c known.
func (cs *contexts) add(c *codeContext) error {
	if cs.closed {
		return errWorkspaceClosed
	}
	if len(cs.all) >= maxContexts {
		return apierr.Errorf(apierr.ResourceExhausted, "the session has %d contexts, more are not allowed", maxContexts).
			WithHint("delete one that is not needed, or run the code fresh")
	}
	cs.all = append(cs.all, c)
	return nil
}

// open makes a context.
func (cs *contexts) open(c *codeContext) error {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return cs.add(c)
}

// fallback returns the context of runs without one, which it makes if need be.
func (cs *contexts) fallback(client *guest.Client, language kernel.Language) (*codeContext, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.all {
		if c.fallback && c.language == language {
			return c, nil
		}
	}
	c := newContext(client, language, "", nil)
	c.fallback = true
	return c, cs.add(c)
}

// Ahead is what was started in a sandbox before it is a session's. It ends with
// the guest.
type Ahead struct{ contexts []*codeContext }

// StartAhead starts the default contexts of languages, by their names, in a
// sandbox that nobody uses. Languages that it cannot run are left out.
func StartAhead(ctx context.Context, client *guest.Client, languages []string) (Ahead, error) {
	var a Ahead
	for _, name := range languages {
		language, err := languageOf(name)
		if err != nil {
			return a, err
		}
		c := newContext(client, language, "", nil)
		c.fallback = true
		var missing *kernel.MissingError
		switch err := c.Start(ctx); {
		case err == nil:
			a.contexts = append(a.contexts, c)
		case !errors.As(err, &missing):
			return a, err
		}
	}
	return a, nil
}

// CheckAhead returns an error unless languages can be started ahead.
func CheckAhead(languages []string) error {
	for i, name := range languages {
		language, err := languageOf(name)
		if err != nil {
			return err
		}
		if !language.KeepsState() || slices.ContainsFunc(languages[:i], func(other string) bool {
			l, _ := kernel.Lookup(other)
			return l == language
		}) {
			return apierr.Errorf(apierr.InvalidArgument, "language %q keeps no state, or is there twice", name)
		}
	}
	return nil
}

func newContext(client *guest.Client, language kernel.Language, dir string, env []string) *codeContext {
	return &codeContext{
		Context: kernel.NewContext(client, language, dir, env),
		id:      uuid.NewString(), language: language, dir: dir, created: time.Now(),
	}
}

func (cs *contexts) find(id string) (*codeContext, error) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for _, c := range cs.all {
		if c.id == id {
			return c, nil
		}
	}
	return nil, apierr.Errorf(apierr.NotFound, "context %.100q not found", id)
}

func (cs *contexts) list() []*codeContext {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Clone(cs.all)
}

// remove forgets c and ends it.
func (cs *contexts) remove(ctx context.Context, c *codeContext) error {
	cs.mu.Lock()
	cs.all = slices.DeleteFunc(cs.all, func(other *codeContext) bool { return other == c })
	cs.mu.Unlock()
	return c.Close(ctx)
}

// close forgets all and has them ended. It does not wait for that: the guest
// that would confirm it goes, too.
func (cs *contexts) close() {
	cs.mu.Lock()
	all := cs.all
	cs.all, cs.closed = nil, true
	cs.mu.Unlock()
	for _, c := range all {
		c.Abandon()
	}
}

// contextOf returns the context that a run is for, nil when it is for none.
func (ws *Workspace) contextOf(args wire.RunCodeArgs, language kernel.Language) (*codeContext, error) {
	switch {
	case (args.Fresh || args.CPUTimeoutMS != 0) && args.ContextID != "":
		return nil, apierr.Errorf(apierr.InvalidArgument, "run_code: invalid arguments: a run that is fresh, or has cpu_timeout_ms, has no context")
	case args.ContextID != "":
		c, err := ws.contexts.find(args.ContextID)
		if err == nil && c.language != language {
			err = apierr.Errorf(apierr.InvalidArgument, "run_code: invalid arguments: the context is for %s", c.language.Name())
		}
		return c, err
	case args.Fresh || args.CPUTimeoutMS != 0 || !language.KeepsState():
		return nil, nil //nolint:nilnil // none is what is asked for
	}
	return ws.contexts.fallback(ws.Guest, language)
}

// openContext makes a context, whose interpreter starts with its first run.
func (a *API) openContext(ctx context.Context, by caller, req wire.OpenContextRequest) (*wire.CodeContext, error) {
	var c *codeContext
	err := a.cfg.Engine.Do(ctx, by.tenant, req.SessionID, func(_ context.Context, ws *Workspace) (err error) {
		if c, err = ws.newContext(req); err != nil {
			return err
		}
		return ws.contexts.open(c)
	})
	if err != nil {
		return nil, fromInside(err)
	}
	return c.wire(), nil
}

// newContext returns the context that req asks for.
func (ws *Workspace) newContext(req wire.OpenContextRequest) (*codeContext, error) {
	language, err := languageOf(req.Language)
	if err != nil {
		return nil, err
	}
	switch {
	case !language.KeepsState():
		return nil, apierr.Errorf(apierr.InvalidArgument, "language: %s keeps no state: there are no contexts of it", language.Name())
	case len(req.Name) > maxContextName || !utf8.ValidString(req.Name):
		return nil, apierr.Errorf(apierr.InvalidArgument, "name: more than %d bytes, or no UTF-8", maxContextName)
	case strings.ContainsRune(req.Dir, 0):
		return nil, apierr.Errorf(apierr.InvalidArgument, "dir: has a zero byte")
	}
	env, err := environment(req.Env)
	if err != nil {
		return nil, err
	}
	c := newContext(ws.Guest, language, req.Dir, env)
	c.name = req.Name
	return c, nil
}

// wire returns what is told of c.
func (c *codeContext) wire() *wire.CodeContext {
	return &wire.CodeContext{
		ID: c.id, Language: c.language.Name(), Name: c.name, Dir: c.dir, Default: c.fallback, Created: c.created.UTC(), Busy: c.Busy(),
	}
}

func (a *API) listContexts(_ context.Context, by caller, req wire.SessionQuery) (*wire.ContextList, error) {
	ws, err := a.cfg.Engine.Workspace(by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	list := &wire.ContextList{Contexts: []wire.CodeContext{}}
	for _, c := range ws.contexts.list() {
		list.Contexts = append(list.Contexts, *c.wire())
	}
	return list, nil
}

// withContext runs fn for a context of a session, as a call.
func (a *API) withContext(ctx context.Context, by caller, req wire.ContextRequest, fn func(context.Context, *Workspace, *codeContext) error) (*wire.Empty, error) {
	err := a.cfg.Engine.Do(ctx, by.tenant, req.SessionID, func(ctx context.Context, ws *Workspace) error {
		c, err := ws.contexts.find(req.ContextID)
		if err != nil {
			return err
		}
		return fn(ctx, ws, c)
	})
	if err != nil {
		return nil, fromInside(err)
	}
	return &wire.Empty{}, nil
}

func (a *API) restartContext(ctx context.Context, by caller, req wire.ContextRequest) (*wire.Empty, error) {
	return a.withContext(ctx, by, req, func(ctx context.Context, _ *Workspace, c *codeContext) error { return c.Restart(ctx) })
}

func (a *API) interruptContext(ctx context.Context, by caller, req wire.ContextRequest) (*wire.Empty, error) {
	return a.withContext(ctx, by, req, func(ctx context.Context, _ *Workspace, c *codeContext) error { return c.Interrupt(ctx) })
}

// closeContext ends a context. One that is not there has been closed.
func (a *API) closeContext(ctx context.Context, by caller, req wire.ContextRequest) (*wire.Empty, error) {
	return a.withContext(ctx, by, req, func(ctx context.Context, ws *Workspace, c *codeContext) error { return ws.contexts.remove(ctx, c) })
}
