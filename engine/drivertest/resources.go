package drivertest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/guest"
)

// pausedFor is how long a paused sandbox is watched.
const pausedFor = 300 * time.Millisecond

// requireLimit skips the test when the runtime says that sandboxes do not have
// a limit on this machine.
func (s *suite) requireLimit(b *Box, name string) {
	s.t.Helper()
	layers := b.Sandbox.Layers()
	i := slices.IndexFunc(layers, func(l driver.Layer) bool { return l.Name == name })
	require.GreaterOrEqual(s.t, i, 0, "a runtime says of each limit whether sandboxes have it")
	if !layers[i].OK {
		require.NotEmpty(s.t, layers[i].Cure)
		s.t.Skipf("sandboxes have no %s here: %s (%s)", name, layers[i].Detail, layers[i].Cure)
	}
}

// usage returns what the sandbox has used, or skips the test.
func (s *suite) usage(b *Box) driver.Usage {
	s.t.Helper()
	u, err := b.Sandbox.Usage(s.t.Context())
	if errors.Is(err, apierr.Unsupported.Err()) {
		s.t.Skipf("no account of what sandboxes use: %v", err)
	}
	require.NoError(s.t, err)
	return u
}

func (s *suite) usageGrows() {
	t := s.t
	b := s.sandbox()
	before := s.usage(b)
	require.Positive(t, before.CPU)
	require.Positive(t, before.MemoryBytes)
	require.Positive(t, before.Processes)
	require.Zero(t, before.OOMKills)
	b.Output(t, "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; head -c 4194304 /dev/zero > /tmp/f; (sleep 60 &) >/dev/null 2>&1")
	after := s.usage(b)
	require.Greater(t, after.CPU, before.CPU+10*time.Millisecond)
	require.GreaterOrEqual(t, after.MemoryBytes, before.MemoryBytes+4<<20-1<<20)
	require.GreaterOrEqual(t, after.Processes, before.Processes+1-3, "a thread of the guest may be gone")
	if after.PeakBytes != 0 {
		require.GreaterOrEqual(t, after.PeakBytes, after.MemoryBytes-1<<20)
	}
	b.Destroy(t)
	last, err := b.Sandbox.Usage(t.Context())
	require.NoError(t, err, "what was used stays known")
	require.GreaterOrEqual(t, last.CPU, after.CPU)
	require.Zero(t, last.Processes)
}

// pause pauses a sandbox, or skips the test.
func (s *suite) pause(b *Box) {
	s.t.Helper()
	err := b.Sandbox.Pause(s.t.Context())
	if errors.Is(err, apierr.Unsupported.Err()) {
		s.t.Skipf("sandboxes cannot be paused: %v", err)
	}
	require.NoError(s.t, err)
}

func (s *suite) pauses() {
	t := s.t
	b := s.sandbox()
	b.Output(t, "(while :; do :; done) >/dev/null 2>&1 & (while :; do sleep 0.001; done) >/dev/null 2>&1 & true")
	for range 3 {
		s.pause(b)
		s.pause(b)
		before, accountErr := b.Sandbox.Usage(t.Context())
		answer := make(chan error, 1)
		go func() {
			_, err := b.Client.Run(context.WithoutCancel(t.Context()), guest.Command{Args: []string{"true"}, Timeout: Timeout})
			answer <- err
		}()
		select {
		case err := <-answer:
			require.Fail(t, "the guest answers", "%v", err)
		case <-time.After(pausedFor):
		}
		if accountErr == nil {
			after, err := b.Sandbox.Usage(t.Context())
			require.NoError(t, err)
			require.Less(t, after.CPU-before.CPU, time.Millisecond, "nothing has run but the way into the freezer")
		}
		require.NoError(t, b.Sandbox.Resume(t.Context()))
		require.NoError(t, b.Sandbox.Resume(t.Context()), "twice")
		require.NoError(t, <-answer)
	}
	require.Equal(t, "fine\n", b.Output(t, "echo fine"))
}

// destroyPaused destroys paused sandboxes, one by itself and one with its runtime.
func (s *suite) destroyPaused() {
	t := s.t
	r := s.runtime()
	one, two := Create(t, r, Spec), Create(t, r, Spec)
	s.pause(one)
	one.Destroy(t)
	require.Error(t, one.Sandbox.Pause(t.Context()), "it is gone")
	s.pause(two)
	require.NoError(t, r.Close())
	requireDone(t, two.Sandbox)
}

func (s *suite) memoryLimit() {
	t := s.t
	b := s.sandbox()
	s.requireLimit(b, driver.MemoryLimit)
	const (
		program = 8 << 20  // the program's own memory
		reserve = 16 << 20 // the guest's, which commands can use up
		beyond  = 4 << 20
	)
	before, accountErr := b.Sandbox.Usage(t.Context()) // nothing where there is no account: the guest has its own then
	require.Equal(t, 0, b.Run(t, fill(Spec.Limits.MemoryBytes-before.MemoryBytes-program)).Exit.Code, "what fits is had")
	require.Equal(t, 9, b.Run(t, fill(Spec.Limits.MemoryBytes+reserve+beyond)).Exit.Signal, "what does not is killed")
	require.Equal(t, "still there\n", b.Output(t, "echo still there"), "the guest outlives its commands")
	if accountErr == nil {
		kills, err := b.Sandbox.OOMKills()
		require.NoError(t, err)
		require.Greater(t, kills, before.OOMKills)
		require.Equal(t, kills, s.usage(b).OOMKills)
		b.Destroy(t)
		_, err = b.Sandbox.OOMKills()
		require.ErrorIs(t, err, apierr.SessionNotFound.Err())
	}
}

func (s *suite) cpuLimit() {
	t := s.t
	spec := Spec
	spec.Limits.MilliCPU = 500 // so that one core is enough to exceed it
	b := Create(t, s.runtime(), spec)
	s.requireLimit(b, driver.CPULimit)
	before, start := s.usage(b), time.Now()
	b.Output(t, "for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) >/dev/null 2>&1 & done; sleep 2; kill -9 $(jobs -p) || true")
	used, took := s.usage(b).CPU-before.CPU, time.Since(start)
	t.Logf("%v of processor time in %v", used, took)
	// Two periods of 100 ms, of the kind that the kernel counts in, may be cut.
	require.LessOrEqual(t, used, (took+200*time.Millisecond)/2*105/100)
	require.Greater(t, used, took/5, "it works hard enough to be limited")
}
