package engine

import (
	"time"

	"github.com/agb-go/sdk/engine/internal/failpoint"
)

// A session's life, once it is made: publish, watch, retire.

// Why sessions end, besides what leases end for.
const (
	endedDeleted   = "deleted"
	endedSandbox   = "sandbox died"
	endedGuest     = "guest unresponsive"
	endedClosed    = "engine closed"
	endedNotPaused = "neither paused nor running"
	endedUnused    = "never used" // nobody was told of it
)

// publish makes s known and has somebody watch it, unless the engine is
// closing.
func (e *Engine) publish(s *session, w wish) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return errClosed()
	}
	e.made()
	e.sessions[s.id] = s
	// A lease that is over at once has to wait for e.mu.
	s.lease = startLease(w.idle, w.lifetime, func(why string) { e.end(s, why) })
	e.tasks.Add(1)
	go e.watch(s)
	e.log.Info("session made", "session_id", s.id, "image", s.image)
	return nil
}

// watch ends s when its sandbox dies. It returns when s ends.
func (e *Engine) watch(s *session) {
	defer e.tasks.Done()
	select {
	case <-s.guest.Done():
		if s.ctx.Err() == nil {
			e.log.Warn("the guest of a session is gone", "session_id", s.id, "error", s.guest.Err())
		}
	case <-s.sandbox.Done():
		if s.ctx.Err() == nil {
			e.log.Warn("the sandbox of a session died", "session_id", s.id)
		}
	case <-s.ctx.Done():
	}
	e.end(s, endedSandbox)
}

// end ends s. It does not wait.
func (e *Engine) end(s *session, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retire(s, why)
}

// lost is the answer of a call that found s over. Then it is for everybody, also
// when who watches it has not seen it yet.
func (e *Engine) lost(s *session) error {
	e.end(s, endedSandbox)
	return e.errNotFound(s.tenant, s.id)
}

// retire hides s and starts to destroy it. e.mu is held.
func (e *Engine) retire(s *session, why string) {
	if s.why != "" {
		return
	}
	s.why = why
	e.tasks.Add(1)
	e.log.Info("session ends", "session_id", s.id, "why", why)
	go func() {
		defer e.tasks.Done()
		e.bury(s, why)
	}()
}

// bury destroys s, has its end recorded and gives its place back. Whatever goes
// wrong, all of it is done.
func (e *Engine) bury(s *session, why string) {
	at := time.Now()
	usage := e.lastUsage(s)
	e.step(s, failpoint.DeleteHidden)
	s.goneErr = s.destroy()
	if s.goneErr != nil {
		e.log.Error("destroy session", "session_id", s.id, "error", s.goneErr)
	}
	e.step(s, failpoint.DeleteDestroyed)
	e.keepEnd(s.id, ending{reason: why, at: at, usage: usage})
	e.step(s, failpoint.DeleteRecorded)
	e.mu.Lock()
	delete(e.sessions, s.id)
	e.release(s.limits)
	e.mu.Unlock()
	e.step(s, failpoint.DeleteForgotten)
	close(s.gone)
}

// step passes a point of the way out, on which nothing turns back.
func (e *Engine) step(s *session, p failpoint.Point) {
	if err := failpoint.At(p); err != nil {
		e.log.Error("end session", "session_id", s.id, "error", err)
	}
}
