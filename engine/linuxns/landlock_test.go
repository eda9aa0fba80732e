//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// landlocked returns a sandbox with Landlock, or skips the test.
func landlocked(t *testing.T) *drivertest.Box {
	t.Helper()
	if abi := layers.LandlockABI(); abi < layers.LandlockLeast {
		t.Skipf("this kernel has Landlock in version %d; sandboxes are made with %d or newer", abi, layers.LandlockLeast)
	}
	return drivertest.Create(t, usable(t), drivertest.Spec)
}

// TestLandlock makes what only Landlock refuses: the directories are the
// sandbox's own, and everybody may make the device 0, 0.
func TestLandlock(t *testing.T) {
	b := landlocked(t)
	for _, dir := range []string{"/tmp", "/var/tmp", "/home/user", "/dev/shm"} {
		got := b.Run(t, "mknod "+dir+"/node c 0 0")
		require.NotZero(t, got.Exit.Code, dir)
		require.Contains(t, got.Stderr, "Permission denied", dir)
	}
	i := slices.IndexFunc(b.Sandbox.Layers(), func(l driver.Layer) bool { return l.Name == driver.Landlock })
	require.GreaterOrEqual(t, i, 0)
	require.True(t, b.Sandbox.Layers()[i].OK)
	require.Contains(t, b.Sandbox.Layers()[i].Detail, "ABI ")
}

// TestLandlockLeavesRoom does what programs do.
func TestLandlockLeavesRoom(t *testing.T) {
	b := landlocked(t)
	for _, script := range []string{
		"cd /tmp && mkdir -p a/b c && echo x > a/b/f && mv a/b/f c/g && ln c/g a/b/h && mv a c/ && cat c/a/b/h",
		"cd /home/user && echo long > f && : > f && test ! -s f && truncate -s 3 f && ln -s f l && mkfifo p && rm f l p",
		"ls / /dev /proc /proc/sys/kernel /etc /usr/bin > /dev/null",
		"cp /bin/true /tmp/prog && /tmp/prog",
		"echo x > /dev/null; head -c 1 /dev/zero /dev/urandom > /dev/null; : > /dev/full",
		"echo name > /proc/self/comm",
		"cat < /dev/null; test -e /dev/ptmx; stat -t /dev/tty > /dev/null",
		`python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind("/tmp/s"); s.listen(); socket.socket(socket.AF_UNIX).connect("/tmp/s")' || ! command -v python3`,
		`python3 -c 'import pty, os; p, q = pty.openpty(); os.write(q, b"x"); os.read(p, 1)' || ! command -v python3`,
		`python3 -c 'import tempfile, shutil; d = tempfile.mkdtemp(); f = tempfile.TemporaryFile(); f.write(b"x"); shutil.rmtree(d)' || ! command -v python3`,
	} {
		got := b.Run(t, script)
		require.Zero(t, got.Exit.Code, "%s: %s", script, got.Stderr)
	}
}

// TestSignalsInside: the scope of signals is the whole sandbox, not a command.
func TestSignalsInside(t *testing.T) {
	b := landlocked(t)
	b.Output(t, "setsid sleep 1000 > /dev/null 2>&1 & echo $! > /tmp/pid")
	b.Output(t, "kill -0 $(cat /tmp/pid) && kill $(cat /tmp/pid)")
	b.Output(t, `python3 -c 'import socket, os
s = socket.socket(socket.AF_UNIX); s.bind("\0inside"); s.listen()
if os.fork() == 0: socket.socket(socket.AF_UNIX).connect("\0inside"); os._exit(0)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))' || ! command -v python3`)
}
