//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/drivertest/leak"
	"github.com/agb-go/sdk/engine/linuxns"
	"github.com/agb-go/sdk/internal/guest"
)

// ownerEnv makes a copy of the test program one of owners.
const ownerEnv = "AGB_TEST_OWNER"

var owners = map[string]func(){
	"waits": owner, "creates": createAndTell, "forbidden": forbidden, "covered": coveredProc, "filtered": filtered,
	"noexec": noExec, "closed": closedStandard, "few": fewDescriptors, "limits": tellLimits,
	"read-only groups": readOnlyGroups, "no groups": noGroups,
}

// goneWithin is how long anything may survive its owner.
const goneWithin = 2 * time.Second

const (
	sandboxes     = 5
	manySandboxes = 100
)

// process is a process of the host, told from later ones with its pid.
type process struct {
	pid     int
	started string
}

// stat returns the fields of /proc/PID/stat behind the name, or nil.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

func (p process) alive() bool {
	fields := stat(p.pid)
	return fields != nil && fields[0] != "Z" && fields[19] == p.started
}

// descendants returns all processes below pid.
func descendants(t *testing.T, pid int) []process {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	parents := map[int][]process{}
	for _, path := range paths {
		child, err := strconv.Atoi(filepath.Base(path))
		require.NoError(t, err)
		if fields := stat(child); fields != nil {
			parent, err := strconv.Atoi(fields[1])
			require.NoError(t, err)
			parents[parent] = append(parents[parent], process{child, fields[19]})
		}
	}
	var all []process
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		for _, p := range parents[next[0]] {
			all = append(all, p)
			next = append(next, p.pid)
		}
	}
	return all
}

func requireGone(t *testing.T, processes []process) {
	t.Helper()
	start := time.Now()
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(processes, process.alive)
	}, goneWithin, time.Millisecond)
	t.Logf("%d processes gone after %v", len(processes), time.Since(start))
}

// busy starts something that lives long.
func busy(ctx context.Context, b *drivertest.Box) error {
	_, err := b.Client.Run(ctx, guest.Command{
		Args: []string{"/bin/sh", "-c", "trap '' HUP INT TERM; setsid sleep 1000 </dev/null >/dev/null 2>&1 & sleep 0"},
	})
	return err
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// countEnv says how many sandboxes an owner makes.
const countEnv = "AGB_TEST_SANDBOXES"

// owner makes sandboxes, says so, and waits for its death. It never returns.
func owner() {
	r, err := linuxns.New(linuxns.Config{})
	fail(err)
	count := sandboxes
	if text := os.Getenv(countEnv); text != "" {
		count, err = strconv.Atoi(text)
		fail(err)
	}
	for range count {
		sb, err := r.Create(context.Background(), drivertest.Spec)
		fail(err)
		fail(busy(context.Background(), &drivertest.Box{Sandbox: sb, Client: guest.NewClient(sb.Conn())}))
	}
	fmt.Println("ready")
	select {}
}

func TestOwnerDeath(t *testing.T) {
	drivertest.SkipUnavailable(t, newRuntime(t))
	for _, c := range []struct {
		signal    unix.Signal
		sandboxes int
	}{{unix.SIGKILL, manySandboxes}, {unix.SIGTERM, sandboxes}, {unix.SIGSEGV, sandboxes}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			self, err := os.Executable()
			require.NoError(t, err)
			cmd := exec.CommandContext(t.Context(), self)
			cmd.Env = append(os.Environ(), ownerEnv+"=waits", countEnv+"="+strconv.Itoa(c.sandboxes))
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			line, err := bufio.NewReader(out).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "ready\n", line)
			all := descendants(t, cmd.Process.Pid)
			require.GreaterOrEqual(t, len(all), 1+2*c.sandboxes)
			groups := leak.Groups(cmd.Process.Pid)
			require.NoError(t, cmd.Process.Signal(c.signal))
			requireGone(t, all)
			require.Error(t, cmd.Wait())
			requireNoGroups(t, groups, cmd.Process.Pid)
		})
	}
}

// launcherOf returns the launcher of this process.
func launcherOf(t *testing.T) process {
	t.Helper()
	return launcherAmong(t, descendants(t, os.Getpid()))
}

func launcherAmong(t *testing.T, all []process) process {
	t.Helper()
	i := slices.IndexFunc(all, func(p process) bool {
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
		return err == nil && strings.HasPrefix(string(name), "agb-launcher\x00")
	})
	require.GreaterOrEqual(t, i, 0)
	return all[i]
}

func TestLauncherDeath(t *testing.T) {
	r := usable(t)
	boxes := make([]*drivertest.Box, sandboxes)
	for i := range boxes {
		boxes[i] = drivertest.Create(t, r, drivertest.Spec)
		require.NoError(t, busy(t.Context(), boxes[i]))
	}
	launcher := launcherOf(t)
	all := append(descendants(t, launcher.pid), launcher)
	require.GreaterOrEqual(t, len(all), 1+2*sandboxes)
	groups := leak.Groups(os.Getpid())
	require.NoError(t, boxes[0].Sandbox.Pause(t.Context()))
	require.NoError(t, unix.Kill(launcher.pid, unix.SIGKILL))
	requireGone(t, all)
	requireNoGroups(t, groups, os.Getpid())
	for _, b := range boxes {
		select {
		case <-b.Sandbox.Done():
		case <-time.After(goneWithin):
			require.Fail(t, "not done")
		}
		_, err := b.Sandbox.Usage(t.Context())
		require.Contains(t, []apierr.Code{apierr.Unavailable, apierr.Unsupported}, apierr.CodeOf(err), "nobody kept account")
		b.Destroy(t)
	}
	b := drivertest.Create(t, r, drivertest.Spec)
	require.Equal(t, "again\n", b.Output(t, "echo again"))
	require.NotEqual(t, launcher, launcherOf(t))
}

// TestLauncherDeathDuringCreate kills launchers while sandboxes are made: each
// Create gets its sandbox, from the next launcher if need be.
func TestLauncherDeathDuringCreate(t *testing.T) {
	r := usable(t)
	drivertest.Create(t, r, drivertest.Spec)
	for range 5 {
		launcher := launcherOf(t)
		results := make(chan error)
		for range sandboxes {
			go func() {
				sb, err := r.Create(t.Context(), drivertest.Spec)
				if err == nil {
					err = sb.Destroy(t.Context())
				}
				results <- err
			}()
		}
		require.NoError(t, unix.Kill(launcher.pid, unix.SIGKILL))
		for range sandboxes {
			require.NoError(t, <-results)
		}
		drivertest.Create(t, r, drivertest.Spec)
	}
	require.NoError(t, r.Close())
	requireNoGroups(t, nil, os.Getpid())
}

// TestLauncherIgnoresSignals: who stops a service stops its processes one by
// one; the owner decides what becomes of its sandboxes.
func TestLauncherIgnoresSignals(t *testing.T) {
	r := usable(t)
	b := drivertest.Create(t, r, drivertest.Spec)
	for _, signal := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGQUIT} {
		require.NoError(t, unix.Kill(launcherOf(t).pid, signal))
	}
	require.Equal(t, "fine\n", b.Output(t, "echo fine"))
	drivertest.Create(t, r, drivertest.Spec)
}
