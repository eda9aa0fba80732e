package command_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
)

const busy = "while :; do :; done"

func TestUsage(t *testing.T) {
	s := agbtest.NewSession(t)
	const work = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 3"
	ran, err := s.Command.Run(t.Context(), work, &command.RunOptions{CPUTimeout: time.Minute})
	require.NoError(t, err)
	talked, err := s.Command.Shell(t.Context(), work).Output()
	require.NoError(t, err)
	for _, res := range []*command.Result{ran, talked} {
		require.Equal(t, 3, res.ExitCode)
		require.Greater(t, res.CPUTime, 10*time.Millisecond)
		require.GreaterOrEqual(t, res.Duration, res.CPUTime*9/10)
		require.Greater(t, res.MaxRSS, int64(256<<10))
		require.False(t, res.TimedOut || res.CPULimited || res.OOMKilled)
	}
}

func TestCPUTimeout(t *testing.T) {
	s := agbtest.NewSession(t)
	for _, cmd := range []string{busy, "trap '' XCPU; setsid sh -c '" + busy + "' & wait"} {
		res, err := s.Command.Run(t.Context(), "echo before; "+cmd, &command.RunOptions{CPUTimeout: 200 * time.Millisecond})
		require.ErrorIs(t, err, agb.ErrResourceExhausted)
		require.NotErrorIs(t, err, agb.ErrTimeout)
		require.NotNil(t, res)
		require.True(t, res.CPULimited)
		require.False(t, res.TimedOut)
		require.NotZero(t, res.ExitCode)
		require.Equal(t, "before\n", res.Stdout)
	}
	_, err := s.Command.Run(t.Context(), "true", &command.RunOptions{CPUTimeout: -1})
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
	_, err = s.Command.Run(t.Context(), "true", &command.RunOptions{CPUTimeout: 25 * time.Hour})
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
	res, err := s.Command.Run(t.Context(), "exit 0", &command.RunOptions{CPUTimeout: 24 * time.Hour, Timeout: 24 * time.Hour})
	require.NoError(t, err)
	require.Zero(t, res.ExitCode)
}

// What a command did not get is told as what it was, and the session goes on.
func TestOutOfProcesses(t *testing.T) {
	s := agbtest.NewSession(t, agbtest.WithEngineConfig(engine.Config{Limits: engine.Limits{Processes: 20}}))
	ctx, cancel := context.WithCancel(t.Context())
	var filling sync.WaitGroup
	refused := make(chan error, 16)
	for range cap(refused) { // as many as a session has at work; the guest has some threads, too
		filling.Go(func() {
			if _, err := s.Command.Run(ctx, "exec sleep 60", nil); !errors.Is(err, context.Canceled) {
				refused <- err
			}
		})
	}
	err := <-refused
	for range 20 {
		require.ErrorIs(t, err, agb.ErrResourceExhausted)
		var fault *agb.Error
		require.ErrorAs(t, err, &fault)
		require.Contains(t, fault.Hint, "processes")
		_, err = s.Command.Run(t.Context(), "true", nil)
	}
	cancel()
	filling.Wait()
	require.Eventually(t, func() bool { // what was cancelled is gone
		_, err := s.Command.Run(t.Context(), "true", nil)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
}

// More calls at once than a session takes wait for their turn.
func TestManyAtOnce(t *testing.T) {
	s := agbtest.NewSession(t)
	var group sync.WaitGroup
	for range 80 {
		group.Go(func() {
			res, err := s.Command.Run(t.Context(), "echo x", nil)
			if err != nil || res.Stdout != "x\n" {
				t.Error(res, err)
			}
		})
	}
	group.Wait()
}

// So is a disk that is full, and a file that is too large.
func TestOutOfDisk(t *testing.T) {
	s := agbtest.NewSession(t, agbtest.WithEngineConfig(engine.Config{Limits: engine.Limits{DiskBytes: 4 << 20, FileBytes: 3 << 20}}))
	_, err := s.FileSystem.WriteFile(t.Context(), "large", bytes.Repeat([]byte("x"), 3<<20+1), nil)
	require.ErrorIs(t, err, agb.ErrResourceExhausted)
	var fault *agb.Error
	require.ErrorAs(t, err, &fault)
	require.Contains(t, fault.Hint, "size")
	_, err = s.FileSystem.Remove(t.Context(), "large", nil)
	require.NoError(t, err)
	_, err = s.FileSystem.WriteFile(t.Context(), "one", bytes.Repeat([]byte("x"), 3<<20), nil)
	require.NoError(t, err)
	_, err = s.FileSystem.WriteFile(t.Context(), "two", bytes.Repeat([]byte("x"), 3<<20), nil)
	require.ErrorIs(t, err, agb.ErrResourceExhausted)
	require.ErrorAs(t, err, &fault)
	require.Contains(t, fault.Hint, "disk")
	res, err := s.Command.Run(t.Context(), "head -c 4000000 /dev/zero > three", nil)
	require.NoError(t, err)
	require.NotZero(t, res.ExitCode)
	require.False(t, res.OOMKilled)
}
