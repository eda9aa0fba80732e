//go:build linux && (amd64 || arm64)

package linuxns

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestMountOf(t *testing.T) {
	for line, want := range map[string][2]string{
		"36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue":            {"/mnt2", "ext3"},
		"36 35 98:0 / /proc rw - proc proc rw":                                                      {"/proc", "proc"},
		`36 35 98:0 / /a\040b\134 rw shared:1 master:2 propagate_from:3 unbindable - sysfs none rw`: {`/a b\`, "sysfs"},
		"36 35 98:0 / /proc rw shared:1":                                                            {"", ""},
		"36 35 98:0 / /proc rw -":                                                                   {"", ""},
		"":                                                                                          {"", ""},
	} {
		at, kind := mountOf(line)
		require.Equal(t, want, [2]string{at, kind}, line)
	}
}

func TestCheckRoot(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, checkRoot(dir))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink("/proc", link))
	for _, root := range []string{
		"/", "/proc", "/proc/self", "/proc/self/root", "/sys", "/sys/fs", "/dev", "/dev/shm", "/run", "/proc/", "/usr/../dev", link,
		filepath.Join(link, "self"), "relative", "", filepath.Join(dir, "missing"),
	} {
		require.Error(t, checkRoot(root), root)
	}
}

// TestCheckRootMounts mounts file systems of the kernel in and around an image,
// in a mount namespace of this thread's own.
func TestCheckRootMounts(t *testing.T) {
	root := filepath.Join(t.TempDir(), "with blank")
	for _, d := range []string{"proc", "dev", "sys", "run", "home/user", "opt/x", "tmp/deep"} {
		require.NoError(t, os.MkdirAll(filepath.Join(root, d), 0o755))
	}
	require.NoError(t, checkRoot(root))
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
			t.Logf("only root can mount: %v", err)
			return
		}
		steps(t, root)
	}()
	<-done
}

func steps(t *testing.T, root string) {
	t.Helper()
	mount := func(kind, at string) bool { return unix.Mount(kind, at, kind, 0, "") == nil }
	if unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") != nil {
		return
	}
	for _, hidden := range []string{"proc", "home/user", "tmp/deep"} {
		if mount("proc", filepath.Join(root, hidden)) && checkMountsHere(root) != nil {
			t.Errorf("%s is not shown", hidden)
		}
	}
	if mount("proc", filepath.Join(root, "opt/x")) && checkMountsHere(root) == nil {
		t.Error("proc in the image is not seen")
	}
	if mount("proc", root) && (checkMountsHere(root) == nil || checkMountsHere(filepath.Join(root, "self")) == nil) {
		t.Error("the image is proc itself")
	}
}

// checkMountsHere is checkMounts for the calling thread.
func checkMountsHere(root string) error { return checkMounts("/proc/thread-self/mountinfo", root) }
