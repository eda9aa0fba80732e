//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"bufio"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/drivertest/leak"
	"github.com/agb-go/sdk/engine/linuxns"
)

func newUngrouped(t *testing.T) driver.Runtime {
	t.Helper()
	r := newRuntime(t)
	linuxns.WithoutGroups(r)
	return r
}

// TestDriverWithoutGroups is the suite on a machine without control groups.
func TestDriverWithoutGroups(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	drivertest.Run(t, newUngrouped)
}

// TestLayersWithoutGroups: what cannot be limited is said, with what to do.
func TestLayersWithoutGroups(t *testing.T) {
	drivertest.SkipUnavailable(t, newUngrouped(t))
	r := newUngrouped(t)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	b := drivertest.Create(t, r, drivertest.Spec)
	require.Empty(t, linuxns.GroupDirs(b.Sandbox))
	limited := map[string]bool{
		driver.ProcessLimit: true, driver.DiskLimit: true, driver.MemoryLimit: false, driver.CPULimit: false,
	}
	for _, l := range b.Sandbox.Layers() {
		if want, ok := limited[l.Name]; ok {
			require.Equal(t, want, l.OK, l.Name)
			require.Equal(t, want, l.Cure == "", l.Name)
			require.NotEmpty(t, l.Detail, l.Name)
			delete(limited, l.Name)
		}
	}
	require.Empty(t, limited, "a limit that nothing is said of")
	_, err := b.Sandbox.OOMKills()
	require.ErrorIs(t, err, apierr.Unsupported.Err())
}

// requireNoGroups requires that an owner that had these groups soon has none.
func requireNoGroups(t *testing.T, had []string, pid int) {
	t.Helper()
	t.Logf("%d control groups", len(had))
	require.Eventually(t, func() bool { return len(leak.Groups(pid)) == 0 }, goneWithin, 10*time.Millisecond)
}

// grouped returns a runtime whose sandboxes have control groups, or skips the test.
func grouped(t *testing.T) driver.Runtime {
	t.Helper()
	r := usable(t)
	if ok, why := linuxns.HasGroups(drivertest.Create(t, r, drivertest.Spec).Sandbox); !ok {
		t.Skipf("no control groups: %s", why)
	}
	return r
}

// TestBothDead kills owner and launcher at once: the next start of any owner
// removes their groups, and nobody else's.
func TestBothDead(t *testing.T) {
	r := grouped(t)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), ownerEnv+"=waits")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	all := descendants(t, cmd.Process.Pid)
	launcher := launcherAmong(t, all)
	require.NoError(t, unix.Kill(launcher.pid, unix.SIGSTOP)) // it would remove them
	require.NoError(t, cmd.Process.Kill())
	require.NoError(t, unix.Kill(launcher.pid, unix.SIGKILL))
	requireGone(t, all)
	require.Error(t, cmd.Wait())
	left := leak.Groups(cmd.Process.Pid)
	require.GreaterOrEqual(t, len(left), sandboxes)
	require.NoError(t, r.Close())
	require.Equal(t, left, leak.Groups(cmd.Process.Pid), "an end removes nothing of others")
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	require.Empty(t, leak.Groups(cmd.Process.Pid))
	for _, dir := range linuxns.GroupDirs(b.Sandbox) {
		require.DirExists(t, dir)
	}
}

// TestGroups: a sandbox is in its groups, which go with it.
func TestGroups(t *testing.T) {
	r := grouped(t)
	b := drivertest.Create(t, r, drivertest.Spec)
	b.Output(t, "(sleep 60 &) >/dev/null 2>&1")
	for _, l := range b.Sandbox.Layers() {
		require.True(t, l.OK, "%+v", l)
	}
	dirs := linuxns.GroupDirs(b.Sandbox)
	require.NotEmpty(t, dirs)
	for _, dir := range dirs {
		procs, err := os.ReadFile(dir + "/cgroup.procs")
		require.NoError(t, err)
		require.Len(t, strings.Fields(string(procs)), 2, dir)
	}
	require.NotContains(t, b.Output(t, "cat /proc/self/cgroup"), "agb-", "names of owners are not shown")
	b.Destroy(t)
	for _, dir := range dirs {
		require.NoDirExists(t, dir)
	}
}

// TestGroupFails: a sandbox that cannot have its group is not made, and
// nothing is left of it.
func TestGroupFails(t *testing.T) {
	r := grouped(t)
	b := drivertest.Create(t, r, drivertest.Spec)
	dirs := linuxns.NextGroupDirs(b.Sandbox, 2)
	taken := dirs[len(dirs)-1]
	require.NoError(t, os.MkdirAll(taken+"/below", 0o755))
	drivertest.Create(t, r, drivertest.Spec)
	_, err := r.Create(t.Context(), drivertest.Spec)
	require.NoError(t, os.Remove(taken+"/below"))
	require.NoError(t, os.Remove(taken))
	var e *apierr.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, apierr.IsolationUnavailable, e.Code)
	require.ErrorIs(t, err, fs.ErrExist)
	require.NotEmpty(t, e.Hint)
	require.Contains(t, e.Message, filepath.Dir(taken))
	require.NotContains(t, e.Message, filepath.Base(taken), "a name that means nothing to the reader")
	require.Equal(t, 1, strings.Count(e.Message, unix.EEXIST.Error()), e.Message)
	require.Eventually(t, func() bool { // also what was busy
		return !slices.ContainsFunc(dirs, func(dir string) bool { _, err := os.Stat(dir); return err == nil })
	}, goneWithin, time.Millisecond)
	drivertest.Create(t, r, drivertest.Spec)
}
