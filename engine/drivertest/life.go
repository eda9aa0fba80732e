package drivertest

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest/leak"
	"github.com/agb-go/sdk/internal/guest"
)

func (s *suite) destroy() {
	t := s.t
	b := s.sandbox()
	select {
	case <-b.Sandbox.Done():
		require.Fail(t, "done before the end")
	default:
	}
	b.Output(t, "true")
	start := time.Now()
	b.Destroy(t)
	require.Less(t, time.Since(start), idleGone*slack)
	b.Destroy(t)
	_, err := b.Sandbox.Conn().Read(make([]byte, 1))
	require.Error(t, err, "the stream is over")
}

// destroyBusy destroys while a process is working that ignores signals.
func (s *suite) destroyBusy() {
	t := s.t
	b := s.sandbox()
	started := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := b.Client.Run(context.WithoutCancel(t.Context()), guest.Command{
			Args:   []string{"/bin/sh", "-c", "trap '' HUP INT TERM; (sleep 1000 &) ; echo; while :; do sleep 1000; done"},
			Stdout: onFirstWrite(func() { close(started) }),
		})
		ended <- err
	}()
	<-started
	b.Destroy(t)
	require.Error(t, <-ended, "the outcome is not known")
}

// destroyBomb destroys while as many processes as there may be do nothing but
// make others.
func (s *suite) destroyBomb() {
	t := s.t
	b := s.sandbox()
	started := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		_, err := b.Client.Run(context.WithoutCancel(t.Context()), guest.Command{
			Args:   []string{"/bin/sh", "-c", "trap '' HUP INT TERM; echo; f() { f & f & while :; do f & wait; done; }; f 2>/dev/null & while :; do :; done"},
			Stdout: onFirstWrite(func() { close(started) }),
		})
		ended <- err
	}()
	select {
	case <-started:
	case err := <-ended:
		require.Fail(t, "the bomb ends by itself", "%v", err)
	}
	time.Sleep(bombTime)
	start := time.Now()
	b.Destroy(t)
	require.Less(t, time.Since(start), busyGone*slack)
	require.Error(t, <-ended, "the outcome is not known")
}

// How long a sandbox may take to be gone.
const (
	idleGone = time.Second
	busyGone = 5 * time.Second
	bombTime = 500 * time.Millisecond // for processes to fill a sandbox
)

func onFirstWrite(fn func()) io.Writer { return &firstWrite{fn: fn} }

type firstWrite struct {
	once sync.Once
	fn   func()
}

func (w *firstWrite) Write(p []byte) (int, error) {
	w.once.Do(w.fn)
	return len(p), nil
}

// guestGone ends the guest from its own side: it leaves when its stream
// is over.
func (s *suite) guestGone() {
	t := s.t
	b := s.sandbox()
	require.NoError(t, b.Client.Close())
	awaitDone(t, b.Sandbox)
	b.Destroy(t)
}

// connClose unblocks a reader.
func (s *suite) connClose() {
	t := s.t
	r := s.runtime()
	sb, err := r.Create(t.Context(), Spec)
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, sb.Conn())
		ended <- err
	}()
	require.NoError(t, sb.Conn().Close())
	select {
	case err := <-ended:
		t.Logf("the reader ends with: %v", err)
	case <-time.After(Timeout):
		require.Fail(t, "the reader is still blocked")
	}
	_, err = sb.Conn().Write([]byte("x"))
	require.Error(t, err)
	require.NoError(t, sb.Destroy(t.Context()))
}

func (s *suite) canceled() {
	t := s.t
	r := s.runtime()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := tryCreate(ctx, r, Spec)
	require.ErrorIs(t, err, context.Canceled)
	require.NotNil(t, Create(t, r, Spec), "the runtime goes on")
}

// deadlines cuts creates short at many moments. Each leaves a sandbox or
// nothing.
func (s *suite) deadlines() {
	t := s.t
	r := s.runtime()
	Create(t, r, Spec) // whatever starts only once is started
	before := leak.Take(leak.Options{Scope: leak.Self})
	for d := time.Duration(0); d < 6*time.Millisecond; d += 300 * time.Microsecond {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		sb, err := r.Create(ctx, Spec)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			continue
		}
		require.NoError(t, sb.Destroy(t.Context()))
	}
	leak.Check(t, before, leak.Options{Scope: leak.Self})
}

func (s *suite) concurrent() {
	t := s.t
	const n = 20
	r := s.runtime()
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- oneOfMany(ctx, r, strconv.Itoa(i)) }()
	}
	for range n {
		require.NoError(t, <-errs)
	}
}

func oneOfMany(ctx context.Context, r driver.Runtime, word string) error {
	b, err := tryCreate(ctx, r, Spec)
	if err != nil {
		return err
	}
	var out strings.Builder
	_, err = b.Client.Run(ctx, guest.Command{Args: []string{"echo", word}, Stdout: &out})
	if err == nil && out.String() != word+"\n" {
		err = errors.New("another sandbox's answer: " + out.String())
	}
	_ = b.Client.Close() // as the engine does
	return errors.Join(err, b.Sandbox.Destroy(ctx))
}

func (s *suite) close() {
	t := s.t
	r := s.runtime()
	var boxes []*Box
	for range 3 {
		boxes = append(boxes, Create(t, r, Spec))
	}
	require.NoError(t, r.Close())
	for _, b := range boxes {
		requireDone(t, b.Sandbox)
		b.Destroy(t)
	}
	require.NoError(t, r.Close(), "twice")
	_, err := tryCreate(t.Context(), r, Spec)
	require.Error(t, err, "closed")
}
