package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/internal/guest"
)

// owner is the tenant that the program itself is. Those of API keys have other
// names.
const owner = "owner"

// createTimeout bounds the making of a sandbox.
const createTimeout = time.Minute

// service is the engine as the protocol sees it.
type service Engine

var _ httpapi.Engine = (*service)(nil)

// Create implements [httpapi.Engine].
func (v *service) Create(ctx context.Context, tenant string, p httpapi.CreateParams) (httpapi.Session, error) {
	e := (*Engine)(v)
	p.Image = cmp.Or(p.Image, defaultImage)
	image, ok := e.cfg.Images[p.Image]
	if !ok {
		return httpapi.Session{}, apierr.Errorf(apierr.InvalidArgument, "image %q is unknown", clip(p.Image)).
			WithHint("known images: %s", strings.Join(slices.Sorted(maps.Keys(e.cfg.Images)), ", "))
	}
	if err := e.reserve(); err != nil {
		return httpapi.Session{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()

	s := &session{
		id: newID(), tenant: tenant, image: p.Image, runtime: e.runtime.Name(), labels: p.Labels,
		turns: make(chan struct{}, maxCalls), queue: make(chan struct{}, maxCalls+maxWaiting), gone: make(chan struct{}),
	}
	if err := e.start(ctx, s, image); err != nil {
		e.unreserve()
		if e.ctx.Err() != nil {
			err = errClosed()
		}
		return httpapi.Session{}, err
	}
	return e.publish(s, cmp.Or(p.Idle, e.cfg.IdleTimeout))
}

// maxEcho is how many bytes of a client's text are told back.
const maxEcho = 128

func clip(s string) string { return s[:min(len(s), maxEcho)] }

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "s-" + hex.EncodeToString(b[:])
}

// reserve takes one of the places for sessions.
func (e *Engine) reserve() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return errClosed()
	}
	if len(e.sessions)+e.reserved >= e.cfg.MaxSessions {
		return apierr.Errorf(apierr.ResourceExhausted, "there are %d sessions, more are not allowed", e.cfg.MaxSessions).
			WithHint("delete sessions that are no longer needed")
	}
	e.reserved++
	return nil
}

func (e *Engine) unreserve() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reserved--
}

// find returns a session of tenant that is alive. e.mu is held.
func (e *Engine) find(tenant, id string) (*session, error) {
	s := e.sessions[id]
	if s == nil || s.tenant != tenant || s.ending {
		return nil, errNotFound(id)
	}
	return s, nil
}

// alive is find for those who do not hold e.mu.
func (v *service) alive(tenant, id string) (*session, error) {
	e := (*Engine)(v)
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.find(tenant, id)
}

// Find implements [httpapi.Engine].
func (v *service) Find(tenant, id string) (httpapi.Session, error) {
	e := (*Engine)(v)
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.find(tenant, id)
	if err != nil {
		return httpapi.Session{}, err
	}
	return s.view(), nil
}

// List implements [httpapi.Engine].
func (v *service) List(tenant string) []httpapi.Session {
	e := (*Engine)(v)
	e.mu.Lock()
	var views []httpapi.Session
	for _, s := range e.sessions {
		if s.tenant == tenant && !s.ending {
			views = append(views, s.view())
		}
	}
	e.mu.Unlock()
	slices.SortFunc(views, func(a, b httpapi.Session) int { return cmp.Compare(a.Seq, b.Seq) })
	return views
}

// Delete implements [httpapi.Engine]. A session that is being deleted can be
// deleted: whoever asks waits for the one destruction.
func (v *service) Delete(ctx context.Context, tenant, id string) error {
	e := (*Engine)(v)
	e.mu.Lock()
	s := e.sessions[id]
	if s == nil || s.tenant != tenant {
		e.mu.Unlock()
		return errNotFound(id)
	}
	e.retire(s, "deleted")
	e.mu.Unlock()
	select {
	case <-s.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SetLabels implements [httpapi.Engine].
func (v *service) SetLabels(tenant, id string, set map[string]string) error {
	e := (*Engine)(v)
	e.mu.Lock()
	defer e.mu.Unlock()
	s, err := e.find(tenant, id)
	if err == nil {
		s.labels = set
	}
	return err
}

// KeepAlive implements [httpapi.Engine].
func (v *service) KeepAlive(tenant, id string) error {
	s, err := v.alive(tenant, id)
	if err == nil && !s.lease.touch() {
		err = errNotFound(id)
	}
	return err
}

// Do implements [httpapi.Engine].
func (v *service) Do(ctx context.Context, tenant, id string, fn func(context.Context, *httpapi.Workspace) error) error {
	s, err := v.alive(tenant, id)
	if err != nil {
		return err
	}
	if !s.lease.begin() {
		return errNotFound(id)
	}
	defer s.lease.end()
	err = s.do(ctx, fn)
	if errors.Is(err, guest.ErrUnresponsive) {
		// What could not be confirmed to be gone goes with the session.
		(*Engine)(v).end(s, "guest unresponsive")
		return errNotFound(id)
	}
	return err
}

// Workspace implements [httpapi.Engine].
func (v *service) Workspace(tenant, id string) (*httpapi.Workspace, error) {
	s, err := v.alive(tenant, id)
	if err != nil {
		return nil, err
	}
	return s.tools, nil
}
