package engine

import (
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
)

// Every sandbox has a place from before it is made until it is gone. Places of
// sessions count against [Config.MaxSessions] and [Config.MemoryBudget]. Ready
// sandboxes of the pool take only what is left, and make room for sessions.

// places counts sandboxes. It is guarded by Engine.mu.
type places struct {
	admitted uint64 // creations so far
	making   int    // creations under way
	promised int64  // the memory limits of all sessions, with those in the making
}

// admit takes a place for a session with limits and returns a ready sandbox for
// it if there is one. Who gets no error gives the place back with release.
func (e *Engine) admit(image Image, limits driver.Limits) (*box, error) {
	if err := e.machine.check(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return nil, errClosed()
	}
	if !e.fits(1, limits.MemoryBytes) {
		return nil, e.errFull(limits)
	}
	e.places.admitted++
	e.places.making++
	e.places.promised += limits.MemoryBytes
	ready := e.pool.take(image, limits)
	for e.pool.count > 0 && !e.fits(e.pool.count, e.pool.memory) {
		e.discard(e.pool.any())
	}
	return ready, nil
}

// fits reports whether there is room for n more sandboxes with memory between
// them. e.mu is held.
func (e *Engine) fits(n int, memory int64) bool {
	budget := e.cfg.MemoryBudget
	return len(e.sessions)+e.places.making+n <= e.cfg.MaxSessions && (budget == NoLimit || budget == 0 || memory <= budget-e.places.promised)
}

// errFull says why there is no room. e.mu is held.
func (e *Engine) errFull(limits driver.Limits) error {
	if len(e.sessions)+e.places.making >= e.cfg.MaxSessions {
		return apierr.Errorf(apierr.ResourceExhausted, "there are %d sessions, more are not allowed", e.cfg.MaxSessions).
			WithHint("delete sessions that are no longer needed")
	}
	return apierr.Errorf(apierr.ResourceExhausted, "the memory limits of all sessions are %d of %d bytes, there is no room for %d more",
		e.places.promised, e.cfg.MemoryBudget, limits.MemoryBytes).
		WithHint("delete sessions that are no longer needed, or ask for less memory")
}

// made ends a creation that admit has let in. The session keeps the place.
// e.mu is held.
func (e *Engine) made() {
	e.places.making--
	e.pool.wake()
}

// release gives the memory of a place back. e.mu is held.
func (e *Engine) release(limits driver.Limits) {
	e.places.promised -= limits.MemoryBytes
	e.pool.wake()
}
