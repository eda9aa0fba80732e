//go:build linux && (amd64 || arm64)

package endurance

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/drivertest/leak"
)

// aloneEnv tells a copy of the test program that it is alone in namespaces of
// its own.
const aloneEnv = "AGB_ENDURANCE_ALONE"

// alone runs the rest of a test in a process that sees no processes and mounts
// but its own, so that every one of them can be counted, and reports whether
// this is that process. Only root can be so without being another user: for
// others the test goes on where it is.
func alone(t *testing.T) bool {
	t.Helper()
	skipUnavailable(t)
	if os.Getuid() != 0 || os.Getenv(aloneEnv) != "" {
		return here(t)
	}
	self, err := os.Executable()
	require.NoError(t, err)
	args := append(strings.Split(soakFlags(), " "), "-test.v", "-test.run=^"+t.Name()+"$")
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = append(os.Environ(), aloneEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	runtime.LockOSThread() // the child dies with the thread that started it
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	if err != nil && strings.Contains(err.Error(), unix.EPERM.Error()) {
		return here(t) // root in a container
	}
	t.Logf("alone:\n%s", out)
	require.NoError(t, err)
	require.Contains(t, string(out), "--- PASS: "+t.Name())
	return false
}

// here has the rest of a test make its files where they can be counted, and
// returns true.
func here(t *testing.T) bool {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	return true
}

// mountOwnProc has /proc tell of this process's own pid namespace.
func mountOwnProc() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

// scope is what can be counted where this process is.
func scope() leak.Options {
	o := leak.Options{Dirs: []string{os.TempDir()}}
	if os.Getenv(aloneEnv) != "" {
		o.Scope = leak.Everything
	}
	return o
}

// mine takes away from a count the control groups beside ours, which others
// have; requireNoGroups looks at ours by their names.
func mine(s leak.Snapshot) leak.Snapshot {
	for name := range s {
		if strings.HasPrefix(name, "cgroup ") {
			delete(s, name)
		}
	}
	return s
}

// requireAtRest requires that soon there is no more of anything than before.
func requireAtRest(t *testing.T, before leak.Snapshot) {
	t.Helper()
	var left []string
	end := time.Now().Add(leak.Settle)
	for {
		if left = mine(leak.Take(scope())).Left(before); len(left) == 0 || time.Now().After(end) {
			break
		}
		time.Sleep(tick)
	}
	require.Empty(t, left)
	requireNoGroups(t, os.Getpid())
}

// atRest counts what there is before.
func atRest() leak.Snapshot { return mine(leak.AtRest(scope())) }
