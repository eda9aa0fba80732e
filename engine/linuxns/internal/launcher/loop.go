//go:build linux && (amd64 || arm64)

package launcher

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// ownerID stands for the owner among the children's ids, which start at 1.
const ownerID = 0

// eventsAtOnce is how many events are handled before waiting anew.
const eventsAtOnce = 32

// watch makes the loop wait for c's descriptor, too.
func (l *launcher) watch(c child) error {
	event := &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(uint32(c.id)), Pad: int32(uint32(c.id >> 32))}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, c.fd, event); err != nil {
		return fmt.Errorf("launcher: watch: %w", err)
	}
	return nil
}

// serve works until the owner is gone, then kills every child, and returns when
// all are reaped.
func (l *launcher) serve() error {
	events := make([]unix.EpollEvent, eventsAtOnce)
	owned := true
	for owned || len(l.children) > 0 {
		n, err := unix.EpollWait(l.epoll, events, l.timeout())
		if err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return fmt.Errorf("launcher: wait: %w", err)
		}
		if n == 0 {
			l.groups.retry()
			l.makeSpare()
		}
		for _, e := range events[:n] {
			id := uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
			if id != ownerID {
				l.reap(id)
				continue
			}
			if owned, err = l.receive(); err != nil {
				return err
			}
			if !owned {
				l.killAll()
			}
		}
	}
	l.groups.finish()
	return nil
}

// timeout returns after how many milliseconds without work to do what can
// wait; -1 is never.
func (l *launcher) timeout() int {
	busy := l.groups.timeout()
	if l.wanted != nil && (busy < 0 || busy > spareDelay) {
		return spareDelay
	}
	return busy
}

func (l *launcher) killAll() {
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, layers.ControlFD, nil) // it is there
	for _, c := range l.children {
		c.kill()
	}
	l.wanted = nil
	l.dropSpare()
}

// reap takes note of the end of a child, and with it of its whole sandbox: the
// kernel ends a pid 1 last.
func (l *launcher) reap(id uint64) {
	if c, ok := l.children[id]; ok {
		l.bury(c)
	} else if l.spare != nil && l.spare.id == id {
		l.dropSpare()
	}
}

// bury reaps a child if it is dead, frees what was kept of it, and tells the
// owner.
func (l *launcher) bury(c child) {
	reaped, err := wait(c.pid, unix.WNOHANG)
	if err == nil && reaped == nil {
		return // the loop comes back while the descriptor is ready
	}
	delete(l.children, c.id)
	gone := control.Gone{ID: c.id, Usage: l.groups.usage(c.group)}
	if reaped != nil {
		gone.Status = uint32(*reaped)
	}
	l.release(c)
	tell(gone)
}

// release frees what is kept of a child that is reaped.
func (l *launcher) release(c child) {
	_ = unix.Close(c.fd) // also leaves the loop
	l.groups.remove(c.group)
	l.ranges.free(c.ids)
}

// wait reaps a child. Without blocking it returns nil when it is not dead yet.
func wait(pid, options int) (*unix.WaitStatus, error) {
	var status unix.WaitStatus
	got, err := unix.Wait4(pid, &status, options, nil)
	for errors.Is(err, unix.EINTR) {
		got, err = unix.Wait4(pid, &status, options, nil)
	}
	if err != nil || got != pid {
		return nil, err
	}
	return &status, nil
}

// tell tells the owner that a sandbox is gone. An owner that is gone itself
// does not mind.
func tell(gone control.Gone) {
	_, _ = unix.Write(layers.ControlFD, gone.Append(make([]byte, 0, control.GoneLimit)))
}
