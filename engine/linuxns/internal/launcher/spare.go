//go:build linux && (amd64 || arm64)

package launcher

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

const (
	// spareDelay is for how many milliseconds the launcher must have had nothing
	// to do before it makes a spare sandbox: the guest of the last one is
	// starting, or serving its first calls.
	spareDelay = 5
	// spareWait is how long a request waits for a spare sandbox that is still on
	// its way.
	spareWait = 500 * time.Millisecond
)

// spare is the sandbox that is likely to be asked for next: like the last one,
// with a guest that is ready and waits for its stream, when there was time for
// it. Nothing else has run in it.
type spare struct {
	child                  // with the id that the next request will have
	like  *control.Request // what it is
	view  *tape.Tape       // of the host's files
	gives int              // socket over which the guest gets its stream
}

// useSpare gives the spare sandbox to a request, if it is what the request asks
// for, and orders the next.
func (l *launcher) useSpare(req *control.Request, stream, report int) bool {
	if req.Op != control.Start {
		return false
	}
	s := l.spare
	used := s != nil && l.fits(req) && s.give(stream, report)
	switch {
	case used:
		_ = unix.Close(s.gives) // nothing more is said there
		l.children[s.id], l.spare = s.child, nil
	case s != nil && s.id <= req.ID:
		l.dropSpare() // it was made for this one, or for one that did not come
	}
	if l.spare == nil && req.Root == "" {
		next := *req
		next.ID++
		l.wanted = &next
	}
	return used
}

// fits reports whether the spare sandbox is what a request asks for.
func (l *launcher) fits(req *control.Request) bool {
	s := l.spare
	same := s.id == req.ID && s.like.Root == req.Root && s.like.Hostname == req.Hostname && s.like.Limits == req.Limits
	if !same {
		return false
	}
	view, err := l.host.View()
	return err == nil && view == s.view
}

// give reports whether the guest is ready and has got its stream, and says so
// in the report.
func (s *spare) give(stream, report int) bool {
	if !readable(s.gives, spareWait) {
		return false
	}
	if n, err := unix.Read(s.gives, make([]byte, 1)); err != nil || n != 1 {
		return false // it has ended instead
	}
	if unix.Sendmsg(s.gives, []byte{0}, unix.UnixRights(stream), nil, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT) != nil {
		return false
	}
	_, _ = unix.Write(report, tape.AppendReady(nil)) // an owner that is gone does not mind
	return true
}

// readable reports whether there is something to read, or the end, in time.
func readable(fd int, wait time.Duration) bool {
	deadline := time.Now().Add(wait)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(max(time.Until(deadline), 0).Milliseconds()))
		if !errors.Is(err, unix.EINTR) {
			return err == nil && n == 1
		}
	}
}

// makeSpare makes the spare sandbox that was ordered. When that fails, things
// are only slower: who asks for the sandbox is told what is wrong.
func (l *launcher) makeSpare() {
	req := l.wanted
	l.wanted = nil
	if req == nil || req.ID <= l.last {
		return // none is wanted, or another request has come with its id
	}
	view, err := l.host.View()
	if err != nil {
		return
	}
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return
	}
	s := &spare{like: req, view: view, gives: p[0]}
	if err = move(p[1], layers.StreamFD); err == nil {
		s.child, err = l.make(req)
	}
	_ = take(layers.NullFD, layers.StreamFD) // dup3 between open descriptors does not fail
	if s.pid == 0 {
		_ = unix.Close(s.gives) // unused
		return
	}
	l.spare = s
	if err != nil {
		l.dropSpare()
	}
}

// dropSpare ends the spare sandbox, if there is one.
func (l *launcher) dropSpare() {
	s := l.spare
	if s == nil {
		return
	}
	l.spare = nil
	s.kill()
	_, _ = wait(s.pid, 0) // it is ours, and killed
	_ = unix.Close(s.gives)
	l.release(s.child)
}
