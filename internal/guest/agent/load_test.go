//go:build linux

package agent

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

// A thousand commands at once all get their turn, with bounded means. On a slow
// machine some wait too long for it, and ask again.
func TestThousandAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	before := len(descriptors(t, s.pid))
	var group sync.WaitGroup
	errs := make(chan error, 1000)
	for range cap(errs) {
		group.Go(func() {
			exit, err := s.Run(t.Context(), guest.Command{Args: []string{"true"}})
			for kind := new(guest.Error); errors.As(err, &kind) && kind.Kind == guest.Busy; {
				exit, err = s.Run(t.Context(), guest.Command{Args: []string{"true"}})
			}
			if err == nil && exit.Code != 0 {
				err = errors.New("exit code is not 0")
			}
			errs <- err
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		return len(descriptors(t, s.pid)) == before && len(childrenOf(t, s.pid)) == 0
	}, 5*time.Second, 10*time.Millisecond)
}

// As many commands as may run at once leave room for everything else, and
// one more is refused after a while.
func TestCommandLimit(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	for range commandLimit {
		group.Go(func() { _, _ = s.Run(ctx, guest.Command{Args: []string{"sleep", "76.1"}}) })
	}
	require.Eventually(t, func() bool { return len(childrenOf(t, s.pid)) == commandLimit }, 20*time.Second, 50*time.Millisecond)
	_, err := s.List(t.Context(), ".")
	require.NoError(t, err)
	_, err = s.Run(t.Context(), guest.Command{Args: []string{"true"}})
	requireKind(t, guest.Busy, err)
	cancel()
	group.Wait()
	require.Empty(t, childrenOf(t, s.pid))
	require.Zero(t, s.sh(t, "true").Code)
}

// Whenever a command is given up, there is one outcome and nothing is left.
func TestCancelAtAnyTime(t *testing.T) {
	t.Parallel()
	s := start(t)
	before := len(descriptors(t, s.pid))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(4_000))*time.Microsecond)
				cmd := guest.Command{Args: []string{"sh", "-c", "echo out; cat; sleep 0.002 & wait"}, Stdout: io.Discard}
				if rand.IntN(2) == 0 {
					cmd.Stdin = strings.NewReader(strings.Repeat("x", rand.IntN(100_000)))
				}
				exit, err := s.Run(ctx, cmd)
				cancel()
				switch {
				case err == nil && exit.Code != 0:
					t.Errorf("exit code %d", exit.Code)
				case err != nil && (!errors.Is(err, context.DeadlineExceeded) || errors.Is(err, guest.ErrUnresponsive)):
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	require.NoError(t, s.Err())
	require.Eventually(t, func() bool {
		return len(descriptors(t, s.pid)) == before && len(childrenOf(t, s.pid)) == 0
	}, 5*time.Second, 10*time.Millisecond)
}

// limited starts an agent of a user of its own, who may have so many processes.
func limited(tb testing.TB, user uint32, limit int) *sandbox {
	tb.Helper()
	if os.Getuid() != 0 {
		tb.Skip("needs a user of its own, so root")
	}
	home := memory(tb)
	require.NoError(tb, os.Chmod(home, 0o777))
	s := start(tb, func(cmd *exec.Cmd) {
		binary := home + "/agent"
		self, err := os.ReadFile(cmd.Path)
		require.NoError(tb, err)
		require.NoError(tb, os.WriteFile(binary, self, 0o600))
		require.NoError(tb, os.Chmod(binary, 0o755))
		cmd.Env = append(cmd.Env, marker+"="+home)
		prlimit, err := exec.LookPath("prlimit")
		require.NoError(tb, err)
		cmd.Path, cmd.Args = prlimit, []string{"prlimit", "--nproc=" + strconv.Itoa(limit), binary}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user, Groups: []uint32{}}}
	})
	s.home = home
	return s
}

// User code that takes every process it can get leaves the agent its threads.
func TestProcessesAreExhausted(t *testing.T) {
	t.Parallel()
	const limit = 100
	s := limited(t, 64321, limit)
	ctx, cancel := context.WithCancel(t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		_, _ = s.Run(ctx, guest.Command{Args: []string{"sh", "-c", "(while :; do sleep 77.5 & done) & exec sleep 78"}})
	})
	require.Eventually(t, func() bool { return len(find("sleep\x0077.5")) > limit/2 }, 20*time.Second, 20*time.Millisecond)
	for full := false; !full; { // the shell may have ended when it could start no more
		started, ended := make(chan struct{}), make(chan error, 1)
		group.Go(func() {
			_, err := s.Run(ctx, guest.Command{Args: []string{"sleep", "77.5"}, Started: func(uint64, int) { close(started) }})
			ended <- err
		})
		select {
		case <-started:
		case err := <-ended:
			requireKind(t, guest.NoProcess, err)
			full = true
		}
	}
	for range 20 {
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() { _, _ = s.List(t.Context(), "/usr/bin") })
		}
		_, err := s.Metrics(t.Context())
		require.NoError(t, err)
		if _, err = s.Run(t.Context(), guest.Command{Args: []string{"true"}}); err != nil {
			requireKind(t, guest.NoProcess, err)
			require.ErrorIs(t, err, syscall.EAGAIN)
		}
		calls.Wait()
	}
	cancel()
	group.Wait()
	require.NoError(t, s.Err())
	require.Empty(t, find("sleep\x0077.5"))
	require.Zero(t, s.sh(t, "true").Code)
}

// What the agent does about signals is not passed on to commands.
func TestSignalsEndCommands(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.Equal(t, 15, s.sh(t, "kill -TERM $$; sleep 5").Signal)
	require.Equal(t, 13, s.sh(t, "kill -PIPE $$; sleep 5").Signal)
}

// The agent is closed to others of the same user: what tells of it is root's,
// and that it is not root's anyhow takes an agent of another user.
func TestNotDumpable(t *testing.T) {
	t.Parallel()
	var s *sandbox
	if os.Getuid() == 0 {
		s = limited(t, 64324, 200)
	} else {
		s = start(t)
	}
	info, err := os.Stat("/proc/" + strconv.Itoa(s.pid) + "/environ")
	require.NoError(t, err)
	require.Zero(t, info.Sys().(*syscall.Stat_t).Uid)
}
