package engine

import (
	"context"
	"errors"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/store"
)

// Bounds of a pause.
const (
	stillTimeout = 5 * time.Second // for the guest to read what was sent to it
	thawTimeout  = 5 * time.Second // for undoing a pause that failed
)

// Pause implements [httpapi.Engine].
func (v *service) Pause(ctx context.Context, tenant, id string) error {
	return (*Engine)(v).frozen(ctx, tenant, id, (*Engine).pause)
}

// Resume implements [httpapi.Engine].
func (v *service) Resume(ctx context.Context, tenant, id string) error {
	return (*Engine)(v).frozen(ctx, tenant, id, (*Engine).resume)
}

// frozen runs fn for a session that is alive, while nobody else pauses or
// resumes it.
func (e *Engine) frozen(ctx context.Context, tenant, id string, fn func(*Engine, context.Context, *session) error) error {
	s, err := e.with(tenant, id, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	select {
	case s.freezer <- struct{}{}:
		defer func() { <-s.freezer }()
		err = fn(e, ctx, s)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil && (s.ctx.Err() != nil || s.over()) {
		return e.lost(s)
	}
	return err
}

// pause stops the processes of s. A session with calls at work cannot be
// paused: their timeouts could not be kept.
func (e *Engine) pause(ctx context.Context, s *session) error {
	switch err := s.lease.pause(); {
	case errors.Is(err, errLeaseOver):
		return e.errNotFound(s.tenant, s.id)
	case err != nil:
		return apierr.Errorf(apierr.FailedPrecondition, "the session has calls at work and cannot be paused").
			WithHint("wait for them to end, or cancel them; programs in the background do not hinder")
	}
	if s.paused {
		return nil
	}
	s.tools.Pause()
	// Nothing may be on its way to a guest that is stopped.
	err := s.alive(ctx, stillTimeout)
	if err == nil {
		err = s.sandbox.Pause(ctx)
	}
	if err != nil {
		return errors.Join(err, e.thaw(s))
	}
	e.setPaused(s, true)
	return nil
}

// thaw undoes a pause that failed. A session of which it is not certain that it
// runs is ended.
func (e *Engine) thaw(s *session) error {
	ctx, cancel := context.WithTimeout(context.Background(), thawTimeout)
	defer cancel()
	if err := s.sandbox.Resume(ctx); err != nil && apierr.CodeOf(err) != apierr.Unsupported {
		e.end(s, endedNotPaused)
		return err
	}
	s.tools.Resume()
	s.lease.resume()
	return nil
}

// resume lets the processes of s go on.
func (e *Engine) resume(ctx context.Context, s *session) error {
	if !s.paused {
		return nil
	}
	if err := s.sandbox.Resume(ctx); err != nil {
		return err
	}
	s.tools.Resume()
	s.lease.resume()
	e.setPaused(s, false)
	return nil
}

// setPaused makes known whether s is paused. The record follows as well as it
// can: what it says is not what the session does.
func (e *Engine) setPaused(s *session, paused bool) {
	e.mu.Lock()
	s.paused = paused
	e.mu.Unlock()
	state := store.Running
	if paused {
		state = store.Paused
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := e.keepChange(s, func(r *store.Record) { r.State = state }); err != nil && s.ctx.Err() == nil {
		e.log.Error("record a session's state", "session_id", s.id, "error", err)
	}
}

func errPaused(id string) error {
	err := apierr.Errorf(apierr.FailedPrecondition, "the session is paused").WithHint("resume it first")
	err.SessionID = clip(id)
	return err
}
