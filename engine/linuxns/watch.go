//go:build linux && (amd64 || arm64)

package linuxns

import (
	"time"

	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	"github.com/agb-go/sdk/engine/linuxns/internal/control"
)

// sweepPoll is how long one look for the end of a sandbox may take.
const sweepPoll = time.Second

// groupsTimeout bounds how long groups of a dead launcher are tried to be removed.
const groupsTimeout = 2 * time.Second

// watch takes the launcher's messages until it is dead, and then makes sure
// that all sandboxes are, too.
func (l *launcher) watch() {
	defer close(l.done)
	l.receive()
	left := l.breakOff()
	_ = l.process.Kill() // it has exited, or is of no use any more
	state, err := l.process.Wait()
	l.errors.wait()
	if err != nil || !state.Success() {
		l.log.Warn("linuxns: the launcher died; its sandboxes are gone",
			"sandboxes", len(left), "state", state.String(), "output", l.errors.String())
	}
	sweep(left)
	if err := l.sweepGroups(); err != nil {
		l.log.Warn("linuxns: control groups are left until a later start", "error", err)
	}
	_ = l.control.Close() // nobody is left to talk to
}

// receive takes messages until there are no more, or one makes no sense.
func (l *launcher) receive() {
	buf := make([]byte, control.HelloLimit+1)
	n, err := l.control.Read(buf)
	if err != nil {
		return
	}
	hello, err := control.ParseHello(buf[:n])
	if err != nil {
		return
	}
	l.groups = hello.Groups
	close(l.ready)
	buf = make([]byte, control.GoneLimit+1)
	for {
		n, err := l.control.Read(buf)
		if err != nil {
			return
		}
		gone, err := control.ParseGone(buf[:n])
		if err != nil {
			return
		}
		l.mu.Lock()
		s := l.sandboxes[gone.ID]
		l.mu.Unlock()
		if s != nil {
			s.end(gone.Usage)
		}
	}
}

// places returns where the groups of the launcher's sandboxes are. It is for
// sandboxes, which are not made before that is known.
func (l *launcher) places() cgroup.Places {
	select {
	case <-l.ready:
		return l.groups
	default:
		return cgroup.Places{}
	}
}

// sweepGroups removes the groups that a dead launcher has left.
func (l *launcher) sweepGroups() error {
	if l.tag == "" {
		return nil
	}
	select {
	case <-l.ready:
		return l.groups.Sweep(l.tag, groupsTimeout)
	default:
		return cgroup.Find("").All().Sweep(l.tag, groupsTimeout)
	}
}

// breakOff refuses further requests and returns the sandboxes that were not
// reported gone.
func (l *launcher) breakOff() []*sandbox {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	var left []*sandbox
	for _, s := range l.sandboxes {
		select {
		case <-s.gone:
		default:
			left = append(left, s)
		}
	}
	return left
}

// sweep waits until sandboxes without a launcher are gone. The kernel kills
// them with the launcher; guests also leave when their stream ends.
func sweep(left []*sandbox) {
	for _, s := range left {
		_ = s.stream.Close() // never fails
		group := s.group()
		_ = group.Thaw() // else the kill does not come through; without a group there is nothing to do
		group.Kill()
	}
	for _, s := range left {
		for !s.stream.waitPeer(sweepPoll) {
		}
		s.end(nil)
	}
}
