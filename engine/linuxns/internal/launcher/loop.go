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
		n, err := unix.EpollWait(l.epoll, events, -1)
		if err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return fmt.Errorf("launcher: wait: %w", err)
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
	return nil
}

func (l *launcher) killAll() {
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, layers.ControlFD, nil) // it is there
	for _, c := range l.children {
		c.kill()
	}
}

// reap takes note of the end of a child, and with it of its whole sandbox: the
// kernel ends a pid 1 last.
func (l *launcher) reap(id uint64) {
	if c, ok := l.children[id]; ok {
		l.bury(c, unix.WNOHANG)
	}
}

// bury waits for a child, frees what was kept of it, and tells the owner.
func (l *launcher) bury(c child, options int) {
	var status unix.WaitStatus
	pid, err := unix.Wait4(c.pid, &status, options, nil)
	for errors.Is(err, unix.EINTR) {
		pid, err = unix.Wait4(c.pid, &status, options, nil)
	}
	if err == nil && pid != c.pid {
		return // not yet; the loop comes back while the descriptor is ready
	}
	_ = unix.Close(c.fd) // also leaves the loop
	delete(l.children, c.id)
	l.gone(c.id, uint32(status))
}

// gone tells the owner that a sandbox is gone. An owner that is gone itself
// does not mind.
func (l *launcher) gone(id uint64, status uint32) {
	msg := control.Gone{ID: id, Status: status}.Append(make([]byte, 0, control.GoneLimit))
	_, _ = unix.Write(layers.ControlFD, msg)
}
