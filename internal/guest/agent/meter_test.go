//go:build linux

package agent

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

// busy is a loop that uses a processor.
const busy = "while :; do :; done"

func TestCPULimit(t *testing.T) {
	t.Parallel()
	const limit = 300 * time.Millisecond
	s := start(t)
	for _, test := range []struct {
		name, script string
		signal       int
	}{
		{"one process", busy, 24},
		{"one that goes on", "trap '' XCPU; " + busy, 9},
		{"children", "sh -c '" + busy + "' & sh -c '" + busy + "' & wait; wait; exit 3", 24},
		{"in a session of its own", "trap '' XCPU; setsid sh -c '" + busy + "' & exec sleep 80.25", 9},
		{"orphans", "trap '' XCPU; while :; do (setsid sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done' &); sleep 0.03; done", 9},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := s.run(t, guest.Command{Args: []string{"sh", "-c", test.script}, CPULimit: limit, Timeout: 30 * time.Second})
			require.True(t, r.CPULimited)
			require.False(t, r.TimedOut)
			require.Equal(t, test.signal, r.Signal)
			require.Less(t, r.Duration, 25*time.Second)
		})
	}
	require.Zero(t, s.sh(t, "true").Code)
	require.Empty(t, childrenOf(t, s.pid))
}

// The kernel holds each process to the limit by itself, in whole seconds.
func TestCPULimitOfTheKernel(t *testing.T) {
	t.Parallel()
	s := start(t)
	const show = "sleep 0.05; ulimit -St; ulimit -Ht"
	r := s.run(t, guest.Command{Args: []string{"sh", "-c", show}, CPULimit: 1001 * time.Millisecond})
	require.Equal(t, "2\n3\n", r.out)
	require.False(t, r.CPULimited)
	require.Equal(t, "unlimited\nunlimited\n", s.sh(t, show).out)
}

// Who ends at the kernel's word has reached the limit, whatever its account says.
func TestCPULimitInWholeSeconds(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, script := range []string{busy, busy, "sh -c '" + busy + "'; exit $?"} {
		r := s.run(t, guest.Command{Args: []string{"sh", "-c", script}, CPULimit: time.Second, Timeout: 30 * time.Second})
		require.True(t, r.CPULimited, "status %d after %v", r.Code, r.CPU)
		require.Equal(t, 152, r.Code)
	}
	r := s.run(t, guest.Command{Args: []string{"sh", "-c", "exit 152"}, CPULimit: time.Second})
	require.False(t, r.CPULimited)
	require.Equal(t, 152, r.Code)
}

// What a command has used is told, its children's with it, and a limit that is
// not reached changes nothing.
func TestUsage(t *testing.T) {
	t.Parallel()
	s := start(t)
	r := s.run(t, guest.Command{
		Args: []string{"sh", "-c", "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; exit 4"}, CPULimit: time.Minute,
	})
	require.False(t, r.CPULimited)
	require.Equal(t, 4, r.Code)
	require.Greater(t, r.CPU, 20*time.Millisecond)
	require.LessOrEqual(t, r.CPU, 2*r.Duration)
	require.Greater(t, r.MaxRSS, int64(256<<10))
}

// What is killed at a timeout has used what it used.
func TestUsageOfKilled(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 3 {
		r := s.run(t, guest.Command{Args: []string{"sh", "-c", "(" + busy + ") & (" + busy + ") & wait"}, Timeout: time.Second})
		require.True(t, r.TimedOut)
		require.Greater(t, r.CPU, 200*time.Millisecond)
	}
	r := s.run(t, guest.Command{Args: []string{"sh", "-c", "true"}, Timeout: time.Second})
	require.Less(t, r.CPU, 200*time.Millisecond)
}
