package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

// Bounds of a session's calls.
const (
	maxCalls    = 16 // tools at work at once
	maxWaiting  = 64 // calls that wait for their turn
	waitForTurn = 5 * time.Second
	maxStreams  = 512 // streams at once, besides calls
)

// errSessionOver is the cause with which a session's context ends.
var errSessionOver = errors.New("engine: the session is over")

// session is a session. Its map and flags are guarded by Engine.mu, the rest
// does not change.
type session struct {
	*box
	tenant, image string
	runtime       string
	seq           uint64
	created       time.Time
	tools         *httpapi.Workspace
	lease         *lease

	ctx     context.Context
	cancel  context.CancelCauseFunc
	turns   chan struct{} // a slot for each call at work
	queue   chan struct{} // a slot for each call at work or waiting
	streams chan struct{} // a slot for each stream
	freezer chan struct{} // held while the session is paused or resumed

	writing sync.Mutex        // held while the record is changed
	labels  map[string]string // replaced, never changed
	paused  bool
	why     string        // it ends; empty while it can be found
	gone    chan struct{} // closed when everything is gone
	goneErr error         // whether it is; to be read when gone is closed
}

// newSession returns a session in b that nobody knows of.
func newSession(b *box, w wish, e *Engine) *session {
	s := &session{
		box: b, tenant: w.tenant, image: w.image, runtime: e.runtime.Name(), labels: w.labels, created: time.Now(),
		tools: e.api.Open(w.tenant, b.guest, b.sandbox.OOMKills, b.ahead),
		turns: make(chan struct{}, maxCalls), queue: make(chan struct{}, maxCalls+maxWaiting), freezer: make(chan struct{}, 1),
		streams: make(chan struct{}, maxStreams), gone: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// view returns what the protocol is told of s. Engine.mu is held.
func (s *session) view() httpapi.Session {
	v := httpapi.Session{
		ID: s.id, Image: s.image, Labels: s.labels, Seq: s.seq, Runtime: s.runtime,
		Created: s.created, State: httpapi.StateRunning, Limits: s.limits, Isolation: s.layers,
	}
	if s.paused {
		v.State = httpapi.StatePaused
	}
	v.Expires, v.Idle, v.IdleExpires = s.lease.deadlines()
	return v
}

// turn waits until the session has room for one more call. The caller gives it
// back with leave.
func (s *session) turn(ctx context.Context) error {
	select {
	case s.queue <- struct{}{}:
	default:
		return errTooManyCalls()
	}
	select {
	case s.turns <- struct{}{}:
		return nil
	default:
	}
	patience := time.NewTimer(waitForTurn)
	defer patience.Stop()
	select {
	case s.turns <- struct{}{}:
		return nil
	case <-patience.C:
		<-s.queue
		return errTooManyCalls()
	case <-ctx.Done():
		<-s.queue
		return ctx.Err()
	}
}

func (s *session) leave() {
	<-s.turns
	<-s.queue
}

// An entrance bounds how much of a kind a session has at once.
type entrance struct {
	enter func(*session, context.Context) error
	leave func(*session)
}

var (
	asCall   = entrance{(*session).turn, (*session).leave}
	asStream = entrance{
		enter: func(s *session, _ context.Context) error {
			select {
			case s.streams <- struct{}{}:
				return nil
			default:
				return apierr.Errorf(apierr.ResourceExhausted, "the session has %d streams, more are not allowed", maxStreams).
					WithHint("close some")
			}
		},
		leave: func(s *session) { <-s.streams },
	}
)

func errTooManyCalls() error {
	return apierr.Errorf(apierr.ResourceExhausted, "the session has %d calls at work, more are not allowed", maxCalls).
		WithHint("try again when one of them has ended")
}

// do runs fn with a context that also ends with the session. When that is what
// ended fn, the error is [errSessionOver].
func (s *session) do(ctx context.Context, as entrance, fn func(context.Context, *httpapi.Workspace) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(errSessionOver) })()
	err := as.enter(s, ctx)
	if err == nil {
		defer as.leave(s)
		err = fn(ctx, s.tools)
	}
	if err != nil && (s.ctx.Err() != nil || s.over()) {
		return errSessionOver
	}
	return err
}

// destroy frees everything that s holds and waits until it is gone.
func (s *session) destroy() error {
	s.lease.stop()
	s.cancel(errSessionOver)
	s.tools.Close()
	return s.box.destroy()
}
