package engine

import (
	"context"
	"errors"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/internal/guest"
)

// Bounds of a session's calls.
const (
	maxCalls    = 16 // tools at work at once
	maxWaiting  = 64 // calls that wait for their turn
	waitForTurn = 5 * time.Second
)

// destroyTimeout bounds the wait for a sandbox to be gone.
const destroyTimeout = 30 * time.Second

// errSessionOver is the cause with which a session's context ends.
var errSessionOver = errors.New("engine: the session is over")

// session is a session. Its maps and flags are guarded by Engine.mu, the rest
// does not change.
type session struct {
	id, tenant, image string
	runtime           string
	seq               uint64
	sandbox           driver.Sandbox
	guest             *guest.Client
	tools             *httpapi.Workspace
	lease             *lease

	ctx    context.Context
	cancel context.CancelCauseFunc
	turns  chan struct{} // a slot for each call at work
	queue  chan struct{} // a slot for each call at work or waiting

	labels map[string]string // replaced, never changed
	ending bool              // no longer to be found
	gone   chan struct{}     // closed when everything is gone
}

// view returns what the protocol is told of s. Engine.mu is held.
func (s *session) view() httpapi.Session {
	v := httpapi.Session{ID: s.id, Image: s.image, Labels: s.labels, Seq: s.seq, Runtime: s.runtime, Expires: s.lease.ending}
	v.Idle, v.IdleExpires = s.lease.idleUntil()
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

func errTooManyCalls() error {
	return apierr.Errorf(apierr.ResourceExhausted, "the session has %d calls at work, more are not allowed", maxCalls).
		WithHint("try again when one of them has ended")
}

// do runs fn with a context that also ends with the session.
func (s *session) do(ctx context.Context, fn func(context.Context, *httpapi.Workspace) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(errSessionOver) })()
	err := s.turn(ctx)
	if err == nil {
		defer s.leave()
		err = fn(ctx, s.tools)
	}
	if err != nil && s.over() {
		return errNotFound(s.id)
	}
	return err
}

// over reports whether the session, or the conversation with its guest, has
// ended.
func (s *session) over() bool {
	select {
	case <-s.guest.Done():
		return true
	default:
		return s.ctx.Err() != nil
	}
}

// destroy frees everything that s holds and waits until it is gone.
func (s *session) destroy() error {
	s.lease.stop()
	s.cancel(errSessionOver)
	s.tools.Close()
	closeErr := s.guest.Close()
	ctx, cancel := context.WithTimeout(context.Background(), destroyTimeout)
	defer cancel()
	return errors.Join(s.sandbox.Destroy(ctx), ignoreClosed(closeErr))
}

// ignoreClosed returns err unless it says that the conversation was over.
func ignoreClosed(err error) error {
	if errors.Is(err, guest.ErrClosed) {
		return nil
	}
	return err
}

// errNotFound is the answer about a session that is over, foreign, or never
// was.
func errNotFound(id string) error {
	id = clip(id)
	return &apierr.Error{Code: apierr.SessionNotFound, Message: "Session " + id + " not found", SessionID: id}
}
