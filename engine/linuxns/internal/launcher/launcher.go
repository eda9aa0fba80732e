//go:build linux && (amd64 || arm64)

// Package launcher is the small process that forks sandboxes for an owner, and
// reaps them. See package control for the conversation.
//
// It exists because a fork copies the page tables of the whole process: the
// owner may be gigabytes large, the launcher is not. And because it outlives
// the owner, however that one dies, by the moment it takes to kill everything.
//
// All forks happen on the main thread: sandboxes are killed by the kernel when
// the thread that forked them ends, and the main thread ends with the process.
package launcher

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// Exit codes of a launcher.
const (
	exitDone   = 0 // the owner is gone, and so is every sandbox
	exitBroken = 96
)

// launcher is one thread: it waits for requests and for the ends of children,
// and handles them one at a time.
type launcher struct {
	host     layers.Host
	groups   *groups
	ranges   *ranges
	persona  persona
	epoll    int
	children map[uint64]child // by the owner's id
	last     uint64           // the highest id of a request so far
	spare    *spare           // nil when there is none
	wanted   *control.Request // what the next spare is to be like; nil when none is wanted
	buf, oob []byte
}

// child is a process that was forked and is not reaped yet, so that its pid is
// its own.
type child struct {
	id      uint64
	pid, fd int
	group   cgroup.Group
	ids     int64 // first of its range; 0 without
}

func (c child) kill() {
	_ = unix.Kill(c.pid, unix.SIGKILL)
	c.group.Kill()
}

// Main serves the owner at [layers.ControlFD] until it is gone, and then ends
// the process. Guests are started with the arguments and the environment given.
// It must be called on the main thread.
func Main(guestArgs, guestEnv []string) {
	runtime.LockOSThread()
	l := &launcher{
		children: map[uint64]child{},
		buf:      make([]byte, control.RequestLimit+1),
		oob:      make([]byte, unix.CmsgSpace(4*passed)),
	}
	err := l.prepare(guestArgs, guestEnv)
	if err == nil {
		err = l.serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		syscall.Exit(exitBroken)
	}
	syscall.Exit(exitDone)
}

// prepare finds out about the machine and puts descriptors in order.
func (l *launcher) prepare(guestArgs, guestEnv []string) error {
	// Whoever stops the owner's process group or service stops the owner; the
	// launcher follows when that one is gone. Not ignored: that is inherited.
	signal.Notify(make(chan os.Signal, 1), unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM)
	_ = leaveKeyring() // where this is refused, so are all other uses of keyrings
	// The program cannot be read, which makes who runs it undumpable, see
	// PR_SET_DUMPABLE of prctl(2). What is forked here needs its files in /proc.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("launcher: become dumpable: %w", err)
	}
	if err := errors.Join(closeInherited(), calm()); err != nil {
		return err
	}
	var err error
	l.host, err = findHost(guestArgs, guestEnv)
	if err != nil {
		return err
	}
	unix.CloseOnExec(layers.ControlFD)
	for fd := layers.ProgramFD; fd < layers.ReservedFD; fd++ { // the guest's program, and /dev/null
		unix.CloseOnExec(fd)
	}
	if l.ranges = newRanges(l.host.IDs, rangeLocks); l.host.IDs.Range {
		l.persona = newPersona()
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("launcher: epoll: %w", err)
	}
	l.groups = findGroups(os.Getenv(TagEnv))
	if err := l.groups.hello(); err != nil {
		return err
	}
	_ = l.groups.places.SweepDead() // what cannot be removed is no concern of this owner
	return l.watch(child{fd: layers.ControlFD})
}

// take makes fd a copy of from, closed on exec.
func take(from, fd int) error {
	if from == fd {
		return nil
	}
	if err := unix.Dup3(from, fd, unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("launcher: set descriptor %d: %w", fd, err)
	}
	return nil
}

// move is take, and closes from.
func move(from, fd int) error {
	if err := take(from, fd); err != nil {
		return err
	}
	return unix.Close(from)
}

// leaveKeyring gives the calling thread, and what it forks, a session keyring
// with nothing in it: the owner's keys are not the sandboxes'. It is one
// without a name, as what has a name can be joined by others; see
// KEYCTL_JOIN_SESSION_KEYRING of keyctl(2), which takes no empty one.
func leaveKeyring() error {
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	return err
}
