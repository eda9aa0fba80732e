package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/engine/internal/store"
	"github.com/agb-go/sdk/internal/guest"
)

// owner is the tenant that the program itself is. Those of API keys have other
// names.
const owner = "owner"

// service is the engine as the protocol sees it.
type service Engine

var _ httpapi.Engine = (*service)(nil)

// Create implements [httpapi.Engine].
func (v *service) Create(ctx context.Context, tenant string, p httpapi.CreateParams) (httpapi.Session, error) {
	e := (*Engine)(v)
	w, err := e.grant(tenant, p)
	if err != nil {
		return httpapi.Session{}, err
	}
	if w.key != "" {
		return e.createOnce(ctx, w)
	}
	return e.create(ctx, w)
}

// with runs fn, if it is not nil, for a session of tenant that is alive. fn
// holds e.mu.
func (e *Engine) with(tenant, id string, fn func(*session) error) (*session, error) {
	e.mu.Lock()
	s := e.sessions[id]
	if s == nil || s.tenant != tenant || s.why != "" {
		e.mu.Unlock()
		return nil, e.errNotFound(tenant, id)
	}
	defer e.mu.Unlock()
	if fn == nil {
		return s, nil
	}
	return s, fn(s)
}

// Find implements [httpapi.Engine].
func (v *service) Find(tenant, id string) (view httpapi.Session, err error) {
	_, err = (*Engine)(v).with(tenant, id, func(s *session) error {
		view = s.view()
		return nil
	})
	return view, err
}

// List implements [httpapi.Engine].
func (v *service) List(tenant string) []httpapi.Session {
	e := (*Engine)(v)
	e.mu.Lock()
	var views []httpapi.Session
	for _, s := range e.sessions {
		if s.tenant == tenant && s.why == "" {
			views = append(views, s.view())
		}
	}
	e.mu.Unlock()
	slices.SortFunc(views, func(a, b httpapi.Session) int { return cmp.Compare(a.Seq, b.Seq) })
	return views
}

// Delete implements [httpapi.Engine]. A session that is being deleted can be
// deleted: whoever asks waits for the one destruction. One of the tenant's that
// has ended, for whatever reason, is deleted already.
func (v *service) Delete(ctx context.Context, tenant, id string) error {
	e := (*Engine)(v)
	e.mu.Lock()
	s := e.sessions[id]
	if s == nil || s.tenant != tenant {
		e.mu.Unlock()
		if r, ok := e.recorded(tenant, id); ok && !r.Live() {
			return nil
		}
		return e.errNotFound(tenant, id)
	}
	e.retire(s, endedDeleted)
	e.mu.Unlock()
	select {
	case <-s.gone:
		return s.goneErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SetLabels implements [httpapi.Engine].
func (v *service) SetLabels(tenant, id string, set map[string]string) error {
	e := (*Engine)(v)
	s, err := e.with(tenant, id, nil)
	if err != nil {
		return err
	}
	// The record and the session have to agree on who was last.
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := e.keepChange(s, func(r *store.Record) { r.Labels = set }); err != nil {
		return err
	}
	_, err = e.with(tenant, id, func(s *session) error {
		s.labels = set
		return nil
	})
	return err
}

// KeepAlive implements [httpapi.Engine].
func (v *service) KeepAlive(tenant, id string) error {
	e := (*Engine)(v)
	s, err := e.with(tenant, id, nil)
	if err == nil && !s.lease.touch() {
		err = e.errNotFound(tenant, id)
	}
	return err
}

// Extend implements [httpapi.Engine].
func (v *service) Extend(tenant, id string, lifetime time.Duration) (view httpapi.Session, err error) {
	e := (*Engine)(v)
	if _, err := e.with(tenant, id, nil); err != nil {
		return view, err // before what is wrong with lifetime: a foreign session is like none
	}
	if err := e.checkLifetime(lifetime); err != nil {
		return view, err
	}
	extended := false
	_, err = e.with(tenant, id, func(s *session) error {
		if extended = s.lease.extend(lifetime); extended {
			view = s.view()
		}
		return nil
	})
	if err == nil && !extended {
		err = e.errNotFound(tenant, id)
	}
	return view, err
}

// Usage implements [httpapi.Engine].
func (v *service) Usage(ctx context.Context, tenant, id string) (driver.Usage, error) {
	e := (*Engine)(v)
	s, err := e.with(tenant, id, nil)
	if err != nil {
		return driver.Usage{}, err
	}
	u, err := s.sandbox.Usage(ctx)
	if err != nil && s.over() {
		err = e.lost(s)
	}
	return u, err
}

// Do implements [httpapi.Engine].
func (v *service) Do(ctx context.Context, tenant, id string, fn func(context.Context, *httpapi.Workspace) error) error {
	return (*Engine)(v).busy(ctx, tenant, id, asCall, fn)
}

// Stream implements [httpapi.Engine].
func (v *service) Stream(ctx context.Context, tenant, id string, fn func(context.Context, *httpapi.Workspace) error) error {
	return (*Engine)(v).busy(ctx, tenant, id, asStream, fn)
}

// busy runs fn for a session that is alive, which it keeps from being idle.
func (e *Engine) busy(ctx context.Context, tenant, id string, as entrance, fn func(context.Context, *httpapi.Workspace) error) error {
	s, err := e.with(tenant, id, nil)
	if err != nil {
		return err
	}
	if err := s.lease.begin(); err != nil {
		if errors.Is(err, errLeasePaused) {
			return errPaused(id)
		}
		return e.errNotFound(tenant, id)
	}
	defer s.lease.end()
	err = s.do(ctx, as, fn)
	switch {
	case errors.Is(err, guest.ErrUnresponsive):
		// What could not be confirmed to be gone goes with the session.
		e.end(s, endedGuest)
		return e.errNotFound(tenant, id)
	case errors.Is(err, errSessionOver):
		return e.lost(s)
	}
	return err
}

// Workspace implements [httpapi.Engine].
func (v *service) Workspace(tenant, id string) (*httpapi.Workspace, error) {
	s, err := (*Engine)(v).with(tenant, id, nil)
	if err != nil {
		return nil, err
	}
	return s.tools, nil
}
