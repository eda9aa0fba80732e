//go:build linux && (amd64 || arm64)

package endurance

import (
	"context"
	"math/rand"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/transport/faultproxy"
)

const (
	nemesisPause = 250 * time.Millisecond // between two evils, on average
	stopped      = 300 * time.Millisecond
	full         = 300 * time.Millisecond
	cutWithin    = 1500 // bytes of answers
	tries        = 5    // to find a session whose guest can be found
)

// A nemesis does what can go wrong to a service, for whoever works with it.
type nemesis struct {
	tb      testing.TB
	crew    *crew
	service *service
	proxy   *faultproxy.Proxy
	rand    *rand.Rand
	did     map[string]int
}

var evils = []struct {
	name string
	do   func(*nemesis, context.Context) bool
}{
	{"connections reset", (*nemesis).breakAll},
	{"answers cut", (*nemesis).cutAnswers},
	{"answers cut again", (*nemesis).cutAnswers},
	{"answers late", (*nemesis).delayAnswers},
	{"guest killed", (*nemesis).killGuest},
	{"guest killed again", (*nemesis).killGuest},
	{"guest stopped", (*nemesis).stopGuest},
	{"launcher stopped", (*nemesis).stopLauncher},
	{"launcher killed", (*nemesis).killLauncher},
	{"store full", (*nemesis).fillStore},
	{"engine ended", func(n *nemesis, _ context.Context) bool { return n.restart(unix.SIGTERM) }},
	{"engine killed", func(n *nemesis, _ context.Context) bool { return n.restart(unix.SIGKILL) }},
}

// haunt does one evil after another, each as often as the others, until ctx
// ends.
func (n *nemesis) haunt(ctx context.Context) {
	for {
		for _, i := range n.rand.Perm(len(evils)) {
			wait(ctx, time.Duration(n.rand.Int63n(int64(2*nemesisPause))))
			if ctx.Err() != nil {
				return
			}
			if evils[i].do(n, ctx) {
				n.did[evils[i].name]++
			}
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (n *nemesis) breakAll(context.Context) bool {
	n.proxy.Break()
	return true
}

func (n *nemesis) cutAnswers(context.Context) bool {
	for range 3 {
		n.proxy.Next(faultproxy.Fault{CutAfter: 1 + n.rand.Intn(cutWithin), ResetAtCut: n.rand.Intn(2) == 0})
	}
	n.proxy.Break() // so that they are needed at once
	return true
}

func (n *nemesis) delayAnswers(context.Context) bool {
	n.proxy.Next(faultproxy.Fault{Delay: time.Second}, faultproxy.Fault{ResetAtOnce: true}, faultproxy.Fault{Delay: time.Second})
	n.proxy.Break()
	return true
}

// harmed notes that a session, or all, may not survive what f does.
func (n *nemesis) harmed(what action, session string, f func()) {
	e := event{Action: what, Session: session, Start: n.crew.history.now()}
	f()
	n.crew.history.add(e)
}

// kill kills processes of the service, and waits until they and all below them
// are gone.
func (n *nemesis) kill(session string, p process) {
	n.harmed(harm, session, func() {
		all := append(below(n.tb, p.pid), p)
		n.signal(p, unix.SIGKILL)
		requireGone(n.tb, all)
	})
}

// signal sends a signal to a process of the service, which may be gone.
func (n *nemesis) signal(p process, s unix.Signal) {
	if p.alive() {
		_ = unix.Kill(p.pid, s)
	}
}

// guest returns a session and its guest.
func (n *nemesis) guest() (s *known, guest process, ok bool) {
	for range tries {
		if s, _ = n.crew.pick(n.rand); s == nil {
			break
		}
		if guest, ok = guestOf(n.tb, n.service.pid(), s.key); ok {
			break
		}
	}
	return s, guest, ok
}

func (n *nemesis) killGuest(context.Context) bool {
	s, guest, ok := n.guest()
	if ok {
		n.kill(s.ID, guest)
	}
	return ok
}

func (n *nemesis) stopGuest(ctx context.Context) bool {
	_, guest, ok := n.guest()
	if ok {
		n.stop(ctx, guest)
	}
	return ok
}

func (n *nemesis) stopLauncher(ctx context.Context) bool {
	launcher, ok := launcherBelow(n.tb, n.service.pid())
	if ok {
		n.stop(ctx, launcher)
	}
	return ok
}

func (n *nemesis) stop(ctx context.Context, p process) {
	n.signal(p, unix.SIGSTOP)
	wait(ctx, stopped)
	n.signal(p, unix.SIGCONT)
}

func (n *nemesis) killLauncher(context.Context) bool {
	launcher, ok := launcherBelow(n.tb, n.service.pid())
	if ok {
		n.kill("", launcher)
	}
	return ok
}

// fillStore has every write to a file of the engine fail for a while.
func (n *nemesis) fillStore(ctx context.Context) bool {
	pid := n.service.pid()
	var old unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, nil, &old); err != nil {
		return false
	}
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1, Max: old.Max}, nil); err != nil {
		return false
	}
	wait(ctx, full)
	if err := unix.Prlimit(pid, unix.RLIMIT_FSIZE, &old, nil); err != nil {
		n.tb.Errorf("the store stays full: %v", err)
	}
	return true
}

// restart ends the engine and starts another.
func (n *nemesis) restart(how unix.Signal) bool {
	n.harmed(restart, "", func() {
		n.service.end(how)
		n.service.start()
	})
	return true
}
