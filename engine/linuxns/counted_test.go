//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// These tests are about what the kernel counts for a user, or for the machine,
// and not for a sandbox.

// requireSetting requires the value of a kernel setting inside, that it cannot
// be changed, and that the host's is as it was. Not every kernel has every one.
func requireSetting(t *testing.T, b *drivertest.Box, name, value string) {
	t.Helper()
	path := "/proc/sys/" + name
	before, err := os.ReadFile(path)
	if err != nil {
		return
	}
	require.Equal(t, strings.Fields(value), strings.Fields(b.Output(t, "cat "+path)), name)
	require.NotZero(t, b.Run(t, "echo 1000 > "+path).Exit.Code, name)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), name)
}

func TestUserSettings(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	for _, kind := range []string{"user", "cgroup", "ipc", "mnt", "net", "pid", "time", "uts"} {
		requireSetting(t, b, "user/max_"+kind+"_namespaces", "0")
	}
	requireSetting(t, b, "user/max_fanotify_groups", "0")
	requireSetting(t, b, "user/max_fanotify_marks", "0")
	requireSetting(t, b, "user/max_inotify_watches", "8192")
}

// TestSystemV bounds memory that is no process's. Before Linux 6.9 only the
// host's root can set this, and never for an ordinary owner's sandboxes.
func TestSystemV(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	if !layers.FindIDs().Range {
		t.Skip("the kernel lets nobody but root set limits of System V objects")
	}
	if major, minor := kernel(t); major < 6 || major == 6 && minor < 9 {
		t.Skipf("Linux %d.%d lets nobody in a user namespace set limits of System V objects", major, minor)
	}
	requireSetting(t, b, "kernel/shmmax", "67108864")
	requireSetting(t, b, "kernel/shmall", "16384")
	requireSetting(t, b, "kernel/msgmni", "32")
	requireSetting(t, b, "kernel/sem", "250 4096 100 64")
}

func kernel(t *testing.T) (major, minor int) {
	t.Helper()
	var u unix.Utsname
	require.NoError(t, unix.Uname(&u))
	_, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	require.NoError(t, err)
	return major, minor
}

func TestCountedLimits(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	limits := b.Output(t, "cat /proc/self/limits")
	for name, want := range map[string]string{
		"Max msgqueue size": "0", "Max locked memory": "65536", "Max pending signals": "1024",
		"Max nice priority": "0", "Max realtime priority": "0",
	} {
		found := false
		for line := range strings.Lines(limits) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				found = true
				require.Equal(t, []string{want, want}, strings.Fields(rest)[:2], name)
			}
		}
		require.True(t, found, name)
	}
}

// use uses up something as far as it goes and prints how far, and then waits
// for the end of its standard input.
const use = `python3 -c '
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
n = 0
while n < 5000 and libc.%s >= 0: n += 1
print(n)'`

func python(t *testing.T, b *drivertest.Box) {
	t.Helper()
	if b.Run(t, "python3 -c 'import ctypes'").Exit.Code != 0 {
		t.Skip("no python3 with ctypes in the sandbox")
	}
}

// TestInotify has several sandboxes use up all that they can at once: together
// that is more than one user may have, and the owner still gets what it wants.
func TestInotify(t *testing.T) {
	r := usable(t)
	want, sandboxes := 8, 3
	if layers.FindIDs().Range {
		want = 64 // more than 128, the usual limit of a user, together
	}
	for i := range sandboxes {
		spec := drivertest.Spec
		spec.ID = "inotify-" + strconv.Itoa(i)
		spec.Limits.OpenFiles = 1024
		b := drivertest.Create(t, r, spec)
		python(t, b)
		hold := strings.Replace(fmt.Sprintf(use, "inotify_init()"), "print(n)", `print(n, flush=True)
if os.fork() == 0: os.setsid(); null = os.open("/dev/null", 2); os.dup2(null, 1); os.dup2(null, 2); libc.pause()`, 1)
		require.Equal(t, strconv.Itoa(want)+"\n", b.Output(t, hold))
		require.Equal(t, "0\n", b.Output(t, fmt.Sprintf(use, "inotify_init()")), "the sandbox still holds them")
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	require.NoError(t, err, "the owner's own")
	require.NoError(t, unix.Close(fd))
}

func TestNoMessageQueues(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	python(t, b)
	require.Equal(t, "0\n", b.Output(t, fmt.Sprintf(use, `mq_open(b"/q%d" % n, 66, 448, None)`)))
}

// TestTimers: each takes a signal that may be pending.
func TestTimers(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	python(t, b)
	made := strings.TrimSpace(b.Output(t, fmt.Sprintf(use, `timer_create(1, None, ctypes.byref(ctypes.c_void_p()))`)))
	n, err := strconv.Atoi(made)
	require.NoError(t, err)
	require.Positive(t, n)
	require.LessOrEqual(t, n, 1024)
}
