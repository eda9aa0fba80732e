//go:build linux && (amd64 || arm64)

package launcher

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A signal, of which the Go runtime sends itself many, ends no wait.
func TestReadableDespiteSignals(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	waiting := unix.Gettid()
	var p [2]int
	require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
	defer closeAll(p[:1])
	require.False(t, readable(p[0], time.Millisecond))
	var other sync.WaitGroup
	other.Go(func() {
		for range 20 {
			time.Sleep(time.Millisecond)
			_ = unix.Tgkill(os.Getpid(), waiting, unix.SIGURG)
		}
		closeAll(p[1:])
	})
	require.True(t, readable(p[0], time.Minute))
	other.Wait()
	require.True(t, readable(p[0], 0))
}
