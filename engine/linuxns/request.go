//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/control"
)

// killTimeout bounds how long a kill may wait for a busy launcher to take it.
const killTimeout = 2 * time.Second

var errBroken = errors.New("the launcher is dead")

// long past, for deadlines that are to unblock.
var past = time.Unix(1, 0)

// open asks for a sandbox, or a trial, and returns it with the pipe that tells
// how the making went. The sandbox exists until it is forgotten.
func (l *launcher) open(ctx context.Context, req control.Request, session string) (*sandbox, *os.File, error) {
	ours, theirs, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = theirs.Close() }() // the launcher has its copy
	report, reportEnd, err := os.Pipe()
	if err != nil {
		_ = ours.Close() // unused
		return nil, nil, err
	}
	defer func() { _ = reportEnd.Close() }() // the launcher has its copy
	s := &sandbox{session: session, launcher: l, stream: &stream{file: ours}, pausing: make(chan struct{}, 1), gone: make(chan struct{})}
	err = l.register(s)
	if err == nil {
		req.ID = s.id
		if err = l.send(ctx, &req, theirs, reportEnd); err != nil {
			l.forget(s)
		}
		if errors.Is(err, errBroken) {
			l.breakOff() // before its death is noticed otherwise
		}
	}
	if err != nil {
		s.stream.release()
		_ = report.Close() // unused
		return nil, nil, err
	}
	return s, report, nil
}

func (l *launcher) register(s *sandbox) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return errBroken
	}
	l.next++
	s.id = l.next
	l.sandboxes[s.id] = s
	return nil
}

// forget frees what the owner holds of a sandbox.
func (l *launcher) forget(s *sandbox) {
	s.stream.release()
	l.mu.Lock()
	delete(l.sandboxes, s.id)
	l.mu.Unlock()
}

// kill asks for the end of a sandbox. When the launcher cannot be asked any
// more, its death is the sandbox's, too.
func (l *launcher) kill(id uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	if err := l.send(ctx, &control.Request{Op: control.Kill, ID: id}); err != nil {
		l.log.Debug("linuxns: the launcher does not take a kill", "error", err)
	}
}

// send sends a request with descriptors. It waits while the launcher is busy,
// until ctx ends.
func (l *launcher) send(ctx context.Context, req *control.Request, files ...*os.File) error {
	msg, err := req.Append(make([]byte, 0, control.RequestLimit))
	if err != nil {
		return err
	}
	var oob []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	select {
	case l.sending <- struct{}{}:
		defer func() { <-l.sending }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	// A deadline, not ctx, ends a wait for the descriptor.
	if err := l.control.SetWriteDeadline(time.Time{}); err != nil {
		return errBroken
	}
	expired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = l.control.SetWriteDeadline(past) // closed means that send has failed
		close(expired)
	})
	err = l.write(msg, oob)
	if !stop() {
		<-expired // else it could end the next send
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return context.Cause(ctx)
		}
	}
	return err
}

func (l *launcher) write(msg, oob []byte) error {
	raw, err := l.control.SyscallConn()
	if err != nil {
		return errBroken
	}
	var sent error
	err = raw.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), msg, oob, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(sent, unix.EAGAIN)
	})
	switch {
	case err != nil:
		return err
	case errors.Is(sent, unix.EPIPE) || errors.Is(sent, unix.ECONNRESET):
		return errBroken
	case sent != nil:
		return fmt.Errorf("ask the launcher: %w", sent)
	}
	return nil
}

// ending reports whether the launcher is dead, or about to end with all its
// sandboxes.
func (l *launcher) ending() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken || l.stopped
}

func (l *launcher) isBroken() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.broken
}

// finished reports whether the process is gone and nothing is kept of its
// sandboxes.
func (l *launcher) finished() bool {
	select {
	case <-l.done:
	default:
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.sandboxes) == 0
}
