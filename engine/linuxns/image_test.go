//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns"
)

// dynamic reports whether this test program is dynamically linked, as it is
// with the race detector.
func dynamic(t *testing.T) bool {
	t.Helper()
	f, err := elf.Open("/proc/self/exe")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return true
		}
	}
	return false
}

// withImages returns a runtime that directories can be images for. It is closed
// with the test.
func withImages(t *testing.T) driver.Runtime {
	t.Helper()
	if !dynamic(t) {
		return usable(t)
	}
	return withGuest(t)
}

// withGuest returns a runtime whose guest is a program of its own.
func withGuest(t *testing.T) driver.Runtime {
	t.Helper()
	drivertest.SkipUnavailable(t, newRuntime(t))
	r, err := linuxns.New(linuxns.Config{GuestBinary: drivertest.GuestBinary(t)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func TestGuestBinary(t *testing.T) {
	b := drivertest.Create(t, withGuest(t), drivertest.Spec)
	require.Equal(t, "hello\n", b.Output(t, "echo hello"))
	require.Equal(t, []string{"0", "1", "2"}, strings.Fields(b.Output(t, "ls /proc/$$/fd")))
}

func TestGuestBinaryOfNoUse(t *testing.T) {
	drivertest.SkipUnavailable(t, newRuntime(t))
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("no program\n", 10)), 0o755))
	for _, path := range []string{text, os.DevNull, "/does/not/exist"} {
		r, err := linuxns.New(linuxns.Config{GuestBinary: path})
		require.NoError(t, err)
		_, err = r.Create(t.Context(), drivertest.Spec)
		require.ErrorIs(t, err, apierr.IsolationUnavailable.Err(), path)
		require.NoError(t, r.Close())
	}
}

// TestDynamicGuest: with a guest that is dynamically linked no image can be
// used, since it would choose what is linked.
func TestDynamicGuest(t *testing.T) {
	drivertest.SkipUnavailable(t, newRuntime(t))
	r, err := linuxns.New(linuxns.Config{GuestBinary: "/bin/sh"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	spec := drivertest.Spec
	spec.Root = t.TempDir()
	_, err = r.Create(t.Context(), spec)
	require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
	require.Contains(t, apierr.From(err).Hint, "GuestBinary")
}

// TestImageCannotRunTheProgram: a shell that names the guest's program as its
// interpreter does not start what the guest is a copy of: this test.
func TestImageCannotRunTheProgram(t *testing.T) {
	if dynamic(t) {
		t.Skip("no images where the program is dynamically linked")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // sandboxes are not root
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "sh"), []byte("#!/proc/self/exe -test.list=.\n"), 0o755))
	spec := drivertest.Spec
	spec.Root = dir
	got := drivertest.Create(t, usable(t), spec).Run(t, "whatever")
	require.Equal(t, 126, got.Exit.Code)
	require.Empty(t, got.Stdout)
}

// TestCopyIsSealed: nobody can change the program that guests run, and only
// its owner read it.
func TestCopyIsSealed(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	for _, file := range []string{"exe", "mem", "maps", "smaps", "environ", "auxv", "stack", "syscall", "io", "pagemap", "fd/3", "root/", "cwd/"} {
		got := b.Run(t, "head -c 1 /proc/1/"+file)
		require.NotZero(t, got.Exit.Code, file)
		require.Empty(t, got.Stdout, file)
		require.NotZero(t, b.Run(t, ": >> /proc/1/"+file).Exit.Code, file)
	}
	require.NotZero(t, b.Run(t, "ls /proc/1/fd /proc/1/map_files /proc/1/task/1/fd").Exit.Code)
	for _, pid := range agents(t, launcherOf(t).pid) {
		exe := filepath.Join("/proc", strconv.Itoa(pid), "exe")
		f, err := os.Open(exe)
		if os.Geteuid() != 0 {
			require.ErrorIs(t, err, os.ErrPermission, "not even its owner, unless it is root")
			continue
		}
		require.NoError(t, err)
		seals, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
		require.NoError(t, err)
		const all = unix.F_SEAL_SEAL | unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK
		require.Equal(t, all, seals&all)
		info, err := f.Stat()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o111), info.Mode().Perm())
		_, err = io.ReadFull(f, make([]byte, 4))
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
}
