package httpapi

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Bounds of the output that is kept, in memory and in files, from when it comes
// until the answer is sent.
const (
	// freeOutput is how many bytes of one run are kept whatever else there is.
	freeOutput = 64 << 10
	// runOutput bounds what is kept of one run besides, sessionOutput what is
	// kept of all runs of a session, tenantOutput what is kept of all sessions
	// of a tenant, and engineOutput what is kept of all tenants. A tenant alone
	// takes no more than a quarter from the others.
	runOutput     = keptText + 2*largestPiece
	sessionOutput = 16 << 20
	tenantOutput  = 64 << 20
	engineOutput  = 256 << 20
	// outputWait is how long a run waits, in all, for what others have.
	// The rest of its output is then dropped, and counted.
	outputWait = 10 * time.Second
)

// bounds are how many bytes of output are kept. Each is at least the one after
// it.
type bounds struct{ engine, tenant, session, run int }

// ledger is the account of what is kept: of the engine, of each tenant, of each
// session.
//
// At each of these three levels one run is the first: the one that has asked
// for room for the longest. As much is left for it as any run may need. The
// first of the engine is also the first of its tenant and of its session, so
// it never waits: runs that all have a part and wait for more do not wait for
// each other, but the first comes to its end, then the next.
type ledger struct {
	bounds bounds

	mu      sync.Mutex
	engine  level
	tenants map[string]*tenant // those that have a session that is open, or a run that has asked
	freed   chan struct{}      // closed when some is given back, and replaced
}

func newLedger(b bounds) *ledger {
	return &ledger{bounds: b, engine: level{left: b.engine}, tenants: map[string]*tenant{}, freed: make(chan struct{})}
}

// level is what the engine, a tenant or a session may keep. It is guarded by
// ledger.mu.
type level struct {
	left int
	runs []*claim // in the order in which they asked first
}

// room returns how much c may have, which has asked. run is how much any run
// may need.
func (l *level) room(c *claim, run int) int {
	if first := l.runs[0]; first != c {
		return l.left - (run - first.held)
	}
	return l.left
}

// tenant is what all sessions of a tenant may keep.
type tenant struct {
	level
	name     string
	sessions int // that are open
}

// share is what one session may keep.
type share struct {
	level
	all    *ledger
	tenant *tenant
	closed bool // guarded by all.mu
}

// open returns the share of a new session of the tenant. Its owner closes it.
func (l *ledger) open(name string) *share {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tenants[name]
	if t == nil {
		t = &tenant{name: name, level: level{left: l.bounds.tenant}}
		l.tenants[name] = t
	}
	t.sessions++
	return &share{level: level{left: l.bounds.session}, all: l, tenant: t}
}

// forget drops t when nothing of it is left. What runs of ended sessions still
// have counts: a tenant that makes session after session has one bound.
// l.mu is held.
func (l *ledger) forget(t *tenant) {
	if t.sessions == 0 && len(t.runs) == 0 {
		delete(l.tenants, t.name)
	}
}

// wake has all that wait try again. l.mu is held.
func (l *ledger) wake() {
	close(l.freed)
	l.freed = make(chan struct{})
}

// close ends the session: its runs get nothing any more and keep what they have
// until they release it. Doing it twice is no harm.
func (s *share) close() {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.tenant.sessions--
	s.all.forget(s.tenant)
	s.all.wake()
}

// levels returns where what the session's runs keep is counted.
func (s *share) levels() [3]*level { return [...]*level{&s.level, &s.tenant.level, &s.all.engine} }

// claim is what one run keeps. It is for one goroutine at a time; release is
// for any.
type claim struct {
	share   *share
	ctx     context.Context // ends the waiting
	most    int             // bytes that the run may need, beyond freeOutput
	patient time.Duration   // how long it may still wait

	held  int  // guarded by share.all.mu, as is what follows
	asked bool // it is among the runs of all levels
	over  bool // nothing is to be had any more
}

// newClaim returns a claim of at most so many bytes, and of no more than any run
// may have.
func newClaim(ctx context.Context, s *share, most int) *claim {
	return &claim{share: s, ctx: ctx, most: min(most, s.all.bounds.run), patient: outputWait}
}

// take asks for n bytes more, and waits for them. It reports whether they are
// there.
func (c *claim) take(n int) bool {
	var patience *time.Timer
	for {
		ok, wait := c.try(n)
		if wait == nil {
			return ok
		}
		if patience == nil {
			patience = time.NewTimer(c.patient)
			defer patience.Stop()
			defer func(begin time.Time) { c.patient -= time.Since(begin) }(time.Now())
		}
		select {
		case <-wait:
		case <-c.ctx.Done():
			return false
		case <-patience.C:
			return false
		}
	}
}

// try takes n bytes if they are to be had. If they may be later, it returns
// what tells so.
func (c *claim) try(n int) (ok bool, wait <-chan struct{}) {
	all := c.share.all
	all.mu.Lock()
	defer all.mu.Unlock()
	if c.over || c.share.closed || c.held+n > c.most {
		return false, nil
	}
	levels := c.share.levels()
	if !c.asked {
		c.asked = true
		for _, l := range levels {
			l.runs = append(l.runs, c)
		}
	}
	for _, l := range levels {
		if n > l.room(c, all.bounds.run) {
			return false, all.freed
		}
	}
	c.held += n
	for _, l := range levels {
		l.left -= n
	}
	return true, nil
}

// release gives everything back, for good. Doing it twice is no harm.
func (c *claim) release() {
	all := c.share.all
	all.mu.Lock()
	defer all.mu.Unlock()
	c.over = true
	if !c.asked {
		return
	}
	for _, l := range c.share.levels() {
		l.runs = slices.DeleteFunc(l.runs, func(other *claim) bool { return other == c })
		l.left += c.held
	}
	c.held, c.asked = 0, false
	all.forget(c.share.tenant)
	all.wake()
}
