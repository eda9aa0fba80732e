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
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

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
	epoll    int
	children map[uint64]child // by the owner's id
	buf, oob []byte
}

// child is a process that was forked and is not reaped yet, so that its pid is
// its own.
type child struct {
	id      uint64
	pid, fd int
}

func (c child) kill() { _ = unix.Kill(c.pid, unix.SIGKILL) }

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
	// The owner's keys are not the sandboxes'. Where this is refused, so are
	// all other uses of keyrings.
	_, _ = unix.KeyctlJoinSessionKeyring("")

	var err error
	l.host, err = findHost(guestArgs, guestEnv)
	if err != nil {
		return err
	}
	unix.CloseOnExec(layers.ControlFD)
	for fd := layers.ProgramFD; fd < layers.ReservedFD; fd++ { // all are /dev/null yet
		unix.CloseOnExec(fd)
	}
	// This program is itself a sealed copy.
	self, err := unix.Open("/proc/self/exe", unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("launcher: open the program: %w", err)
	}
	if err := move(self, layers.ProgramFD); err != nil {
		return err
	}
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("launcher: epoll: %w", err)
	}
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
