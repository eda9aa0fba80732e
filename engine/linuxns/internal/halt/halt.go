//go:build linux

// Package halt stops all processes of a sandbox by signals, for machines where
// its owner has no control group to freeze.
//
// SIGSTOP does not do on its own: while one process is stopped another may fork,
// or continue those that are. So all are stopped again and again until two
// looks at all of them in a row find the same threads, each stopped, and none
// with a change of context in between. Then there is a moment, between the two
// looks, at which nothing ran; and what does not run cannot make anything run.
//
// What the kernel was asked for before does remain: a timer may send SIGCONT.
package halt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// threadLimit bounds how many threads a sandbox may have: the limit of its
// processes is far below.
const threadLimit = 1 << 16

// poll is how long to wait between two looks.
const poll = time.Millisecond

// ErrGone means that the sandbox has no processes any more.
var ErrGone = errors.New("halt: the sandbox is gone")

// Stop stops the process that pidFD refers to, the pid 1 of a pid namespace,
// with all processes below it, and returns when none runs any more. When it
// fails, they go on. The caller must be allowed to signal them.
func Stop(ctx context.Context, pidFD *os.File) error {
	err := stop(ctx, pidFD)
	if err != nil && !errors.Is(err, ErrGone) {
		err = errors.Join(err, Continue(context.WithoutCancel(ctx), pidFD))
	}
	return err
}

func stop(ctx context.Context, pidFD *os.File) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var before threads
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		now, err := look(pidFD)
		if err != nil {
			return err
		}
		if before != nil && now.stopped() && maps.Equal(before, now) {
			return nil
		}
		if before = now; !now.stopped() {
			before = nil
			if err := now.signal(pidFD, unix.SIGSTOP); err != nil {
				return err
			}
		}
		timer.Reset(poll)
	}
}

// Continue lets all processes go on that Stop has stopped.
func Continue(ctx context.Context, pidFD *os.File) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	all, err := look(pidFD)
	if err != nil {
		return err
	}
	return all.signal(pidFD, unix.SIGCONT)
}

// signal sends a signal to all processes that the threads belong to, and to
// nobody who got one of their pids since.
func (t threads) signal(pidFD *os.File, signal unix.Signal) error {
	namespace, err := namespaceOf(pidFD)
	if err != nil {
		return err
	}
	done := map[int]bool{}
	for id := range t {
		if done[id.pid] {
			continue
		}
		done[id.pid] = true
		if err := signalIn(namespace, id.pid, signal); err != nil {
			return err
		}
	}
	return nil
}

// signalIn signals a process if it is in the pid namespace. A process that is
// gone needs no signal.
func signalIn(namespace uint64, pid int, signal unix.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("halt: open process %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(fd) }() // a name
	// The pid is looked at after the descriptor was opened: should they not be
	// the same process, the descriptor's is dead.
	if in, err := namespaceInode(pid); err != nil || in != namespace {
		return nil // it is gone, and its pid perhaps somebody else's
	}
	if err := unix.PidfdSendSignal(fd, signal, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("halt: signal process %d: %w", pid, err)
	}
	return nil
}

func namespaceInode(pid int) (uint64, error) {
	var st unix.Stat_t
	err := unix.Stat(fmt.Sprintf("/proc/%d/ns/pid", pid), &st)
	return st.Ino, err
}

// namespaceOf returns the pid namespace of the process that pidFD refers to.
func namespaceOf(pidFD *os.File) (uint64, error) {
	pid, err := pidOf(pidFD)
	if err != nil {
		return 0, err
	}
	inode, err := namespaceInode(pid)
	if err != nil {
		return 0, fmt.Errorf("halt: find the pid namespace of process %d: %w", pid, err)
	}
	_, err = pidOf(pidFD) // it is still there, so the pid was its own
	return inode, err
}
