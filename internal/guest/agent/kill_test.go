//go:build linux

package agent

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

// find returns the processes whose arguments contain text.
func find(text string) []int {
	var pids []int
	names, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil || !strings.Contains(string(b), text) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// only returns the one process that find finds, once there is one.
func only(tb testing.TB, text string) int {
	tb.Helper()
	pid := 0
	require.Eventually(tb, func() bool {
		pids := find(text)
		if len(pids) == 1 {
			pid = pids[0]
		}
		return pid != 0
	}, 5*time.Second, 5*time.Millisecond)
	return pid
}

// trees are scripts that start processes that are hard to get at. Each starts
// "sleep D", as often as it says.
var trees = []struct {
	name, script string
	count        int
}{
	{"child", "sleep D", 1},
	{"background", "sleep D & sleep D & wait", 2},
	{"ignores signals", "trap '' TERM INT HUP QUIT; sleep D; sleep D", 1},
	{"own session", "setsid sleep D & wait", 1},
	{"own session within another", "setsid sh -c 'setsid sleep D & sleep D' & sleep D", 3},
	{"stopped", "sleep D & sleep 0.1; kill -STOP $!; kill -STOP $$", 1},
	{"daemon", "(setsid sh -c '(sleep D &) ; exec sleep D' &) ; sleep D", 3},
	{"daemon without environment", "(env -i setsid sh -c '(setsid sleep D &)' &) ; exec sleep D", 2},
}

func TestTimeoutKillsTrees(t *testing.T) {
	t.Parallel()
	s := start(t)
	for i, tree := range trees {
		t.Run(tree.name, func(t *testing.T) {
			t.Parallel()
			nap := "71." + strconv.Itoa(1000+i)
			r := s.run(t, guest.Command{
				Args:    []string{"sh", "-c", strings.ReplaceAll(tree.script, "D", nap)},
				Timeout: 700 * time.Millisecond,
			})
			require.True(t, r.TimedOut)
			require.Equal(t, 9, r.Signal)
			require.GreaterOrEqual(t, r.Duration, 700*time.Millisecond)
			require.Empty(t, find("sleep\x00"+nap))
		})
	}
}

func TestCancelKillsTrees(t *testing.T) {
	t.Parallel()
	s := start(t)
	for i, tree := range trees {
		t.Run(tree.name, func(t *testing.T) {
			t.Parallel()
			nap := "72." + strconv.Itoa(1000+i)
			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				defer cancel()
				for range 1000 {
					if len(find("sleep\x00"+nap)) == tree.count {
						return
					}
				}
			}()
			var out bytes.Buffer
			exit, err := s.Run(ctx, guest.Command{
				Args:   []string{"sh", "-c", "echo first; " + strings.ReplaceAll(tree.script, "D", nap)},
				Stdout: &out,
			})
			require.ErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, guest.ErrUnresponsive)
			require.Equal(t, 9, exit.Signal)
			require.Positive(t, exit.Duration)
			require.Equal(t, "first\n", out.String())
			require.Empty(t, find("sleep\x00"+nap))
		})
	}
}

// Killing one command leaves others, and what they left behind, alone.
func TestKillSparesOthers(t *testing.T) {
	t.Parallel()
	s := start(t)
	require.Zero(t, s.sh(t, "setsid sleep 73.1 >/dev/null 2>&1 &").Code)
	other := make(chan guest.Exit, 1)
	go func() {
		exit, err := s.Run(t.Context(), guest.Command{Args: []string{"sh", "-c", "sleep 73.2; exit 5"}, Timeout: 3 * time.Second})
		if err == nil {
			other <- exit
		}
		close(other)
	}()
	behind, beside := only(t, "sleep\x0073.1"), only(t, "sleep\x0073.2")
	r := s.run(t, guest.Command{Args: []string{"sh", "-c", "(setsid sleep 73.3 &); sleep 73.4"}, Timeout: 300 * time.Millisecond})
	require.True(t, r.TimedOut)
	require.Equal(t, []int{behind}, find("sleep\x0073.1"))
	require.Equal(t, []int{beside}, find("sleep\x0073.2"))
	require.Empty(t, find("sleep\x0073.3"))
	exit, ok := <-other
	require.True(t, ok)
	require.True(t, exit.TimedOut)
	require.Equal(t, []int{behind}, find("sleep\x0073.1"))
}

func TestKillForkBomb(t *testing.T) {
	t.Parallel()
	s := start(t)
	// It grows for ever, but not by more than some hundred at once.
	script := "n=0; while [ $n -lt 400 ]; do n=$((n+1)); (exec sleep 74.5) & done; while :; do (exec sleep 74.5) & sleep 0.01; done"
	r := s.run(t, guest.Command{Args: []string{"sh", "-c", script}, Timeout: time.Second})
	require.True(t, r.TimedOut)
	require.Less(t, r.Duration, time.Second+2*time.Second)
	require.Empty(t, find("sleep\x0074.5"))
}

func TestOrphansAreReaped(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 20 {
		require.Zero(t, s.sh(t, "for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.01 &) ; done >/dev/null 2>&1").Code)
	}
	require.Eventually(t, func() bool { return len(childrenOf(t, s.pid)) == 0 }, 10*time.Second, 10*time.Millisecond)
}

func childrenOf(tb testing.TB, pid int) []procEntry {
	tb.Helper()
	all, err := processes()
	require.NoError(tb, err)
	var list []procEntry
	for _, e := range all {
		if e.parent == pid {
			list = append(list, e)
		}
	}
	return list
}

func TestBackgroundChildHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := start(t)
	begin := time.Now()
	r := s.sh(t, "echo first; sleep 75.1 & echo $!")
	require.Less(t, time.Since(begin), 2*time.Second)
	require.Contains(t, r.out, "first\n")
	only(t, "sleep\x0075.1")

	// What comes within the grace time is the command's. A busy machine may take longer, once.
	require.Eventually(t, func() bool {
		return strings.Contains(s.sh(t, "(for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.01; echo late; done) &").out, "late\n")
	}, 10*time.Second, time.Millisecond)

	// One that never is quiet.
	begin = time.Now()
	r = s.sh(t, "echo first; (while :; do echo more; sleep 0.01; done) & echo second")
	require.Less(t, time.Since(begin), 3*time.Second)
	require.Contains(t, r.out, "first\n")
	require.Contains(t, r.out, "second\n")
}

// What a command left behind can write on: it does not end by a broken pipe.
func TestBackgroundChildWritesOn(t *testing.T) {
	t.Parallel()
	s := start(t)
	mark := filepath.Join(s.home, "mark")
	r := s.sh(t, "(sleep 0.3; head -c 1000000 /dev/zero; echo; touch "+mark+") &")
	require.Zero(t, r.Code)
	require.Eventually(t, func() bool { _, err := os.Stat(mark); return err == nil }, 5*time.Second, 10*time.Millisecond)
}

// The pipes of what is left behind are kept up to a limit, and freed.
func TestLeftoversAreBounded(t *testing.T) {
	t.Parallel()
	s := start(t)
	before := len(descriptors(t, s.pid))
	for range leftoverLimit + 5 {
		require.Zero(t, s.sh(t, "sleep 1 2>/dev/null & :").Code)
	}
	require.LessOrEqual(t, len(descriptors(t, s.pid)), before+leftoverLimit)
	require.Eventually(t, func() bool { return len(descriptors(t, s.pid)) == before }, 10*time.Second, 20*time.Millisecond)
}

func descriptors(tb testing.TB, pid int) []os.DirEntry {
	tb.Helper()
	list, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if errors.Is(err, fs.ErrPermission) {
		return nil // the agent is not dumpable: only root sees its descriptors
	}
	require.NoError(tb, err)
	return list
}

// All that the main process wrote arrives, also when the reader is slow and
// somebody else holds the pipe.
func TestSlowReaderLosesNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	slow := &slowWriter{pause: 30 * time.Millisecond}
	exit, err := s.Run(t.Context(), guest.Command{
		Args:   []string{"sh", "-c", "sleep 2 & head -c 3000000 /dev/zero"},
		Stdout: slow,
	})
	require.NoError(t, err)
	require.Zero(t, exit.StdoutDropped)
	require.Equal(t, 3000000, slow.n)
}

type slowWriter struct {
	pause time.Duration
	n     int
}

func (w *slowWriter) Write(p []byte) (int, error) {
	<-time.After(w.pause)
	w.n += len(p)
	return len(p), nil
}
