package engine

import (
	"sync"
	"time"
)

// Why a lease ended.
const (
	endedIdle = "idle"
	endedLife = "end of life"
)

// A lease is how long a session may live: until it was idle for some time, and
// not beyond its whole life. All leases together cost one timer each and no
// goroutine. The clock is the monotonic one.
//
// A session is busy from begin to end; touch is activity without length.
// Whatever arrives when the lease is over loses: nothing is ever extended that
// has ended.
type lease struct {
	idle   time.Duration // NoTimeout: for ever
	ending time.Time     // of the whole life; zero: none
	expire func(why string)

	mu    sync.Mutex
	busy  int
	last  time.Time // activity
	over  bool
	timer *time.Timer
}

// startLease starts a lease. expire is called once, in its own goroutine,
// unless stop comes first.
func startLease(idle, life time.Duration, expire func(why string)) *lease {
	now := time.Now()
	l := &lease{idle: idle, expire: expire, last: now}
	if life != NoTimeout {
		l.ending = now.Add(life)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.next(); !at.IsZero() {
		l.timer = time.AfterFunc(at.Sub(now), l.check)
	}
	return l
}

// next returns when the lease ends if nothing happens until then; zero: never.
// l.mu is held.
func (l *lease) next() time.Time {
	at := l.ending
	if l.idle != NoTimeout {
		from := l.last
		if l.busy > 0 {
			// Busy sessions are looked at again after the idle time.
			from = time.Now()
		}
		if idleAt := from.Add(l.idle); at.IsZero() || idleAt.Before(at) {
			at = idleAt
		}
	}
	return at
}

// idleUntil returns the idle time, and when the lease ends if nothing happens
// until then. Both are zero when idleness does not end it.
func (l *lease) idleUntil() (idle time.Duration, end time.Time) {
	if l.idle == NoTimeout {
		return 0, time.Time{}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.idle, l.next()
}

// check ends the lease if it is time, else sleeps on.
func (l *lease) check() {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	why, wait := endedIdle, time.Until(l.next())
	if wait > 0 {
		l.timer.Reset(wait)
		l.mu.Unlock()
		return
	}
	if !l.ending.IsZero() && !time.Now().Before(l.ending) {
		why = endedLife
	}
	l.over = true
	l.mu.Unlock()
	l.expire(why)
}

// begin makes the session busy until end is called. It reports whether the
// lease goes on.
func (l *lease) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.busy++
	return true
}

func (l *lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	l.last = time.Now()
	if l.busy == 0 && l.timer != nil && !l.over {
		l.timer.Reset(time.Until(l.next()))
	}
}

// touch is activity. It reports whether the lease goes on.
func (l *lease) touch() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	l.last = time.Now()
	return true
}

// stop ends the lease without calling expire.
func (l *lease) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	if l.timer != nil {
		l.timer.Stop()
	}
}
