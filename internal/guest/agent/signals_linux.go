package agent

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lastSignal is the highest number of a signal.
const lastSignal = 64

// sigaction is struct sigaction of the kernel.
type sigaction struct {
	handler, flags, restorer uintptr
	mask                     uint64
}

const sigIgn = 1 // SIG_IGN

// ignoreSignals keeps commands from ending the agent with a signal. The default
// action, which the first process of a pid namespace is spared (see
// pid_namespaces(7)), is not enough: it is spared it only while the signal is
// not blocked, and Go blocks all at times. What the kernel itself sends for a
// fault still ends it. The runtime keeps the two signals that it needs, and
// those that stop a process or let it go on cannot end one.
//
// Commands do not inherit this: in a child Go resets every signal that it
// handles. The two that it does not are the C library's own and the first
// real-time one of programs; who uses these sets them first. The signals are
// not caught with os/signal, where each costs two switches of threads.
func ignoreSignals() error {
	if os.Getpid() != 1 {
		return nil
	}
	act := &sigaction{handler: sigIgn}
	for s := syscall.Signal(1); s <= lastSignal; s++ {
		switch s {
		case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG,
			syscall.SIGCONT, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU:
			continue
		}
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s),
			uintptr(unsafe.Pointer(act)), 0, unsafe.Sizeof(act.mask), 0, 0); errno != 0 {
			return os.NewSyscallError("ignore signals", errno)
		}
	}
	return nil
}
