//go:build linux && (amd64 || arm64)

package endurance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/drivertest/leak"
)

func init() { roles["own"] = own }

const (
	deathEnv    = "AGB_ENDURANCE_DEATH"    // how the owner is to die
	sessionsEnv = "AGB_ENDURANCE_SESSIONS" // and how many sessions it has then
	busy        = 5                        // of them have a command at work
)

// deaths are the ways in which an owner ends itself.
var deaths = map[string]func(){
	"killed": func() { select {} },
	"panic":  func() { panic("the owner panics") },
	"exit":   func() { os.Exit(3) },
	"stack":  func() { debug.SetMaxStack(1 << 20); fmt.Println(deep(1 << 40)) },
	"abort":  func() { _ = unix.Kill(unix.Getpid(), unix.SIGABRT); select {} },
}

// deep needs a stack of n frames.
func deep(n int) int {
	if n == 0 {
		return 0
	}
	return deep(n-1) + n
}

// own has sessions, says so, and dies when its input ends.
func own() error {
	n, err := strconv.Atoi(os.Getenv(sessionsEnv))
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Config{StateDir: os.Getenv(configEnv), Pool: map[string]int{"host": 1}})
	if err != nil {
		return err
	}
	c, err := agb.New(agb.WithTransport(e.Transport()))
	if err != nil {
		return err
	}
	for i := range n {
		created, err := c.Create(context.Background(), nil)
		if err != nil {
			return err
		}
		run := created.Session.Command.Run
		if _, err := run(context.Background(), mark(strconv.Itoa(i)), nil); err != nil {
			return err
		}
		if i < busy {
			go func() { _, _ = run(context.Background(), "trap '' HUP TERM; while :; do :; done", nil) }()
		}
	}
	fmt.Println("ready")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	deaths[os.Getenv(deathEnv)]()
	return nil
}

// TestOwnerDies has owners die with many sessions: no process, no control group
// and no directory of theirs is left, and the next engine on the same directory
// knows that they died.
func TestOwnerDies(t *testing.T) {
	skipUnavailable(t)
	for how := range deaths {
		t.Run(how, func(t *testing.T) {
			n := busy
			if how == "killed" {
				n = *deathSessions
			}
			ownerDies(t, how, n)
		})
	}
}

func ownerDies(t *testing.T, how string, n int) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	temp, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), roleEnv+"=own", deathEnv+"="+how, configEnv+"="+state,
		fmt.Sprintf("%s=%d", sessionsEnv, n), "TMPDIR="+temp, "GOTRACEBACK=none")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	pid := cmd.Process.Pid
	all, groups := below(t, pid), leak.Groups(pid)
	require.GreaterOrEqual(t, len(all), 1+2*n)
	mounts := mountsOf(t)
	require.NoError(t, in.Close())
	if how == "killed" {
		require.NoError(t, cmd.Process.Kill())
	}
	drain(t, out)
	took := requireGone(t, all)
	require.Error(t, cmd.Wait())
	requireNoGroups(t, pid)
	t.Logf("%d processes gone after %v, and %d control groups", len(all), took, len(groups))
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
	require.Equal(t, mounts, mountsOf(t))
	requireDied(t, state, n)
}

// requireDied requires that the records of an owner's sessions say that they
// are over.
func requireDied(t *testing.T, state string, n int) {
	t.Helper()
	e, err := engine.New(engine.Config{StateDir: state})
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	c, err := agb.New(agb.WithTransport(e.Transport()))
	require.NoError(t, err)
	for r, err := range c.AllRecords(t.Context(), &agb.RecordsOptions{Limit: 100}) {
		require.NoError(t, err)
		require.NotZero(t, r.EndedAt, r.ID)
		_, err := c.Get(t.Context(), r.ID)
		require.ErrorIs(t, err, agb.ErrSessionNotFound)
		n--
	}
	require.Zero(t, n)
}

func mountsOf(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	return string(text)
}
