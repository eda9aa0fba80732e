//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/halt"
)

// pauseTimeout bounds a Pause: what cannot be stopped by then goes on.
const pauseTimeout = 5 * time.Second

var errUnstoppable = errors.New("some process could not be stopped in time")

// Pause implements [driver.Sandbox]. Where there are no control groups it sends
// SIGSTOP to every process until none has run for a while; processes inside may
// then notice, and what they have arranged for, such as a timer that sends
// SIGCONT, can wake them.
func (s *sandbox) Pause(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pauseTimeout, errUnstoppable)
	defer cancel()
	return s.pausable(ctx, "pause", func() error {
		if s.paused {
			return nil
		}
		if err := s.stop(ctx); err != nil {
			return err
		}
		s.paused = true
		return nil
	})
}

// Resume implements [driver.Sandbox].
func (s *sandbox) Resume(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pauseTimeout, errUnstoppable)
	defer cancel()
	return s.pausable(ctx, "resume", func() error {
		if !s.paused {
			return nil
		}
		err := s.proceed(ctx)
		s.paused = err != nil
		return err
	})
}

// pausable calls fn for one pause or resume at a time.
func (s *sandbox) pausable(ctx context.Context, call string, fn func() error) error {
	select {
	case s.pausing <- struct{}{}:
		defer func() { <-s.pausing }()
	case <-ctx.Done():
		return s.pauseError(ctx, call, context.Cause(ctx))
	}
	if s.ending() {
		return s.over(call)
	}
	err := fn()
	if s.ending() {
		return s.over(call)
	}
	return s.pauseError(ctx, call, err)
}

func (s *sandbox) pauseError(ctx context.Context, call string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errUnstoppable):
		return s.fail(apierr.Unavailable, err, call+": "+errUnstoppable.Error())
	case ctx.Err() != nil:
		return s.fail(apierr.From(ctx.Err()).Code, err, call+": "+err.Error())
	}
	return s.fail(apierr.Internal, err, call+": "+err.Error())
}

// stop stops the sandbox.
func (s *sandbox) stop(ctx context.Context) error {
	if !s.launcher.places().Freezes() {
		return s.withGuest(ctx, func(guest *os.File) error { return halt.Stop(ctx, guest) })
	}
	err := s.group().Freeze(ctx)
	if s.ending() {
		// Version 1 holds frozen processes back from their death; and who
		// thawed them for it may have done so before they were frozen.
		return errors.Join(err, s.group().Thaw())
	}
	return err
}

// proceed undoes stop.
func (s *sandbox) proceed(ctx context.Context) error {
	if s.launcher.places().Freezes() {
		return s.group().Thaw()
	}
	return s.withGuest(ctx, func(guest *os.File) error { return halt.Continue(ctx, guest) })
}

func (s *sandbox) withGuest(ctx context.Context, fn func(guest *os.File) error) error {
	guest, err := s.launcher.find(ctx, s.id)
	if err != nil {
		return err
	}
	defer func() { _ = guest.Close() }() // a name
	return fn(guest)
}

// ending reports whether the sandbox is gone or on its way.
func (s *sandbox) ending() bool {
	select {
	case <-s.gone:
		return true
	default:
	}
	s.mu.Lock()
	killed := s.killed
	s.mu.Unlock()
	return killed || s.launcher.ending()
}

// find returns a pidfd of a sandbox's pid 1, which the caller must close.
func (l *launcher) find(ctx context.Context, id uint64) (*os.File, error) {
	ours, theirs, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	defer func() { _ = ours.Close() }() // read only
	err = l.send(ctx, &control.Request{Op: control.Find, ID: id}, theirs)
	_ = theirs.Close() // the launcher has its copy
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = ours.SetReadDeadline(past) })() // closed means read
	raw, err := ours.SyscallConn()
	if err != nil {
		return nil, err
	}
	var pidFD int
	var received error
	err = raw.Read(func(fd uintptr) bool {
		pidFD, received = control.ReceiveFound(int(fd))
		return !errors.Is(received, unix.EAGAIN)
	})
	if err = errors.Join(err, received); err != nil {
		return nil, errors.Join(context.Cause(ctx), err)
	}
	return os.NewFile(uintptr(pidFD), "agb-pidfd"), nil
}
