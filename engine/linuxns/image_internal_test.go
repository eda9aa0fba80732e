//go:build linux && (amd64 || arm64)

package linuxns

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestSealWaits: what can be written to is sealed as soon as that is over, and
// refused when it stays.
func TestSealWaits(t *testing.T) {
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	require.NoError(t, err)
	image := os.NewFile(uintptr(fd), "test")
	defer func() { require.NoError(t, image.Close()) }()
	require.NoError(t, image.Truncate(1))
	mapped, err := unix.Mmap(fd, 0, 1, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	require.ErrorIs(t, seal(image), unix.EBUSY)
	sealed := make(chan error)
	go func() { sealed <- seal(image) }()
	time.Sleep(5 * sealPause)
	require.NoError(t, unix.Munmap(mapped))
	require.NoError(t, <-sealed)
	_, err = image.WriteAt([]byte("x"), 0)
	require.ErrorIs(t, err, unix.EPERM)
}
