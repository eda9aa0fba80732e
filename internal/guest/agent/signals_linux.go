package agent

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lastSignal is the highest number of a signal.
const lastSignal = 64

// sigaction is struct sigaction of the kernel; on every architecture the zero
// value asks for the default action.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

// defaultSignals makes signals take their default action, which for the first
// process of a pid namespace is none when they come from inside (see
// pid_namespaces(7)): so commands cannot end the agent, not even with those
// that Go answers with a crash. What the kernel itself sends for a fault still
// ends it. The runtime keeps the two signals that it needs.
//
// They are not ignored, because that would be inherited, and not caught with
// os/signal, where each costs two switches of threads.
func defaultSignals() error {
	if os.Getpid() != 1 {
		return nil
	}
	act := new(sigaction)
	for s := syscall.Signal(1); s <= lastSignal; s++ {
		switch s {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG:
			continue
		}
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s),
			uintptr(unsafe.Pointer(act)), 0, unsafe.Sizeof(act.mask), 0, 0); errno != 0 {
			return os.NewSyscallError("set signals to default", errno)
		}
	}
	return nil
}
