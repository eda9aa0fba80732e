//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/drivertest"
)

// TestNothingIsInherited: a descriptor that the owner would pass on to all that
// it starts reaches neither launcher nor guest.
func TestNothingIsInherited(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte("secret"), 0o600))
	fd, err := unix.Open(path, unix.O_RDONLY, 0) // without O_CLOEXEC
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Close(fd)) }()
	high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, 500)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Close(high)) }()

	b := drivertest.Create(t, usable(t), drivertest.Spec)
	launcher := launcherOf(t)
	dir := filepath.Join("/proc", strconv.Itoa(launcher.pid), "fd")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, entries)
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		require.NotEqual(t, path, target)
	}
	hello, err := b.Client.Hello(t.Context())
	require.NoError(t, err)
	require.Equal(t, 4, hello.Self.OpenFiles, "standard descriptors and the stream")
}
