package engine

import (
	"errors"
	"math"
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
// goroutine. The clock is the monotonic one, which stands still while the
// machine is suspended.
//
// A session is busy from begin to end; touch is activity without length. While
// it is paused its idle clock stands still and its life goes on.
//
// Whatever arrives when the lease is over loses: nothing is ever extended that
// has ended.
type lease struct {
	idle   time.Duration // NoTimeout: for ever
	expire func(why string)

	mu     sync.Mutex
	ending time.Time // of the whole life; zero: none
	busy   int
	last   time.Time // activity
	paused time.Time // since when; zero: it is not
	over   bool
	timer  *time.Timer
}

// startLease starts a lease. expire is called once, in its own goroutine,
// unless stop comes first.
func startLease(idle, life time.Duration, expire func(why string)) *lease {
	now := time.Now()
	l := &lease{idle: idle, expire: expire, last: now, ending: endOf(life, now)}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.timer = time.AfterFunc(math.MaxInt64, l.check)
	l.schedule(now)
	return l
}

// endOf returns the end of a life that begins at now; zero: never.
func endOf(life time.Duration, now time.Time) time.Time {
	if life == NoTimeout {
		return time.Time{}
	}
	return now.Add(life)
}

// next returns when the lease ends if nothing happens until then; zero: never.
// l.mu is held.
func (l *lease) next(now time.Time) time.Time {
	at := l.ending
	if l.idle == NoTimeout || !l.paused.IsZero() {
		return at
	}
	from := l.last
	if l.busy > 0 {
		// Busy sessions are looked at again after the idle time.
		from = now
	}
	if idleAt := from.Add(l.idle); at.IsZero() || idleAt.Before(at) {
		at = idleAt
	}
	return at
}

// schedule has check called when the lease may end. l.mu is held.
func (l *lease) schedule(now time.Time) {
	if at := l.next(now); at.IsZero() {
		l.timer.Stop()
	} else {
		l.timer.Reset(at.Sub(now))
	}
}

// deadlines returns the end of the whole life, the idle time, and when the
// lease ends if nothing happens until then. What does not end it is zero, and
// so is the last while the idle clock stands still.
func (l *lease) deadlines() (life time.Time, idle time.Duration, idleEnd time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.idle == NoTimeout:
		return l.ending, 0, time.Time{}
	case !l.paused.IsZero():
		return l.ending, l.idle, time.Time{}
	default:
		return l.ending, l.idle, l.next(time.Now())
	}
}

// check ends the lease if it is time, else sleeps on.
func (l *lease) check() {
	l.mu.Lock()
	if l.over {
		l.mu.Unlock()
		return
	}
	now := time.Now()
	if at := l.next(now); at.IsZero() || at.After(now) {
		l.schedule(now)
		l.mu.Unlock()
		return
	}
	why := endedIdle
	if !l.ending.IsZero() && !now.Before(l.ending) {
		why = endedLife
	}
	l.over = true
	l.mu.Unlock()
	l.expire(why)
}

// Why a lease refuses.
var (
	errLeaseOver   = errors.New("engine: the lease is over")
	errLeasePaused = errors.New("engine: the lease is paused")
	errLeaseBusy   = errors.New("engine: the lease is busy")
)

// begin makes the session busy until end is called, unless the lease is over or
// paused.
func (l *lease) begin() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over:
		return errLeaseOver
	case !l.paused.IsZero():
		return errLeasePaused
	}
	l.busy++
	return nil
}

func (l *lease) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	l.last = time.Now()
	if l.busy == 0 && !l.over {
		l.schedule(l.last)
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
	if !l.paused.IsZero() {
		l.paused = l.last // resume goes on from here
	}
	return true
}

// extend moves the end of the whole life to life from now, NoTimeout for
// never, and reports whether the lease goes on. It is no activity.
func (l *lease) extend(life time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return false
	}
	now := time.Now()
	l.ending = endOf(life, now)
	l.schedule(now)
	return true
}

// pause stops the idle clock and keeps calls from beginning, unless the lease
// is over or the session busy.
func (l *lease) pause() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.over:
		return errLeaseOver
	case l.busy > 0:
		return errLeaseBusy
	case l.paused.IsZero():
		l.paused = time.Now()
		l.schedule(l.paused)
	}
	return nil
}

// resume has the idle clock go on where it stood. A lease that is not paused
// stays as it is.
func (l *lease) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over || l.paused.IsZero() {
		return
	}
	now := time.Now()
	l.last = l.last.Add(now.Sub(l.paused))
	l.paused = time.Time{}
	l.schedule(now)
}

// stop ends the lease without calling expire.
func (l *lease) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.timer.Stop()
}
