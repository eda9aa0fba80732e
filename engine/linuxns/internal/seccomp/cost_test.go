//go:build linux && (amd64 || arm64)

package seccomp

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// BenchmarkCost compares system calls with and without the filter: one that is
// allowed whatever its arguments are, and two whose arguments are examined.
func BenchmarkCost(b *testing.B) {
	none := ^uintptr(0)
	for _, c := range []struct {
		name     string
		nr       uintptr
		one, two uintptr
	}{
		{"getppid", unix.SYS_GETPPID, 0, 0},
		{"ioctl", unix.SYS_IOCTL, none, unix.TCGETS},
		{"prctl", unix.SYS_PRCTL, unix.PR_GET_DUMPABLE, 0},
	} {
		b.Run(c.name+"/without", func(b *testing.B) {
			for b.Loop() {
				_, _, _ = unix.RawSyscall(c.nr, c.one, c.two, 0)
			}
		})
		b.Run(c.name+"/with", func(b *testing.B) {
			installed := make(chan error)
			go func() { // a thread that ends with it
				runtime.LockOSThread()
				installed <- install()
				for b.Loop() {
					_, _, _ = unix.RawSyscall(c.nr, c.one, c.two, 0)
				}
				close(installed)
			}()
			require.NoError(b, <-installed)
			require.NoError(b, <-installed, "closed")
		})
	}
}

// install puts the calling thread under the filter.
func install() error {
	filter, err := Filter()
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(program)))
	if errno != 0 {
		return errno
	}
	return nil
}
