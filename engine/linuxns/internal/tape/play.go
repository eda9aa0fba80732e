//go:build linux && (amd64 || arm64)

package tape

import (
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Start forks a child with the clone flags given (CLONE_NEW*, no others) that
// plays the tape, and returns its pid with a pidfd, closed on exec. It does not
// wait for it. The child is in the version 2 control group that the descriptor
// group stands for, from its first instruction on; with -1 in the caller's.
//
// It forks the whole address space, so it belongs in a small process. The
// calling goroutine must be locked to its thread; when a tape asks for a
// signal at the parent's death, that means the death of this thread.
func (t *Tape) Start(namespaces uint64, group int) (pid, pidFD int, err error) {
	m := &memory{report: t.report, block: ^uint64(0)}
	m.clone = cloneArgs{
		flags:      namespaces | unix.CLONE_CLEAR_SIGHAND | unix.CLONE_PIDFD,
		pidFD:      uint64(uintptr(unsafe.Pointer(&m.pidFD))),
		exitSignal: uint64(unix.SIGCHLD),
	}
	if group >= 0 {
		m.clone.flags |= unix.CLONE_INTO_CGROUP
		m.clone.cgroup = uint64(group)
	}
	r, errno := fork(t.parts, m)
	runtime.KeepAlive(t)
	if errno != 0 {
		return 0, 0, errno
	}
	return int(r), int(m.pidFD), nil
}

// cloneArgs is struct clone_args of the kernel.
type cloneArgs struct {
	flags, pidFD, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// memory is what fork and play need besides the tape, all of it on the heap.
type memory struct {
	clone      cloneArgs
	pidFD      int32
	block, old uint64    // signal masks
	failure    [3]uint32 // markFailure, index, errno
	report     uintptr
}

const sigSetMask = 2 // SIG_SETMASK

// The child of fork is a copy of one thread of a Go program whose other
// threads, and with them garbage collector and scheduler, do not exist. These
// rules keep it safe, for fork and play alike:
//
//  1. No stack growth (nosplit), so no call but raw system calls and each other.
//  2. No race detector or pointer checks (norace, nocheckptr): they call into
//     the runtime. No sync point, no preemption: there is no loop prologue and
//     all signals are blocked from before the fork on. They stay blocked in
//     the child until the tape unblocks them, and CLONE_CLEAR_SIGHAND has
//     removed Go's handlers by then.
//  3. No allocation, defer, closure, map, interface, and no store of a pointer:
//     that could meet a write barrier. Only integers are stored.
//  4. All memory is on the heap, which does not move, and is reached through
//     arguments. The child has a copy of it: what it stores, nobody else sees.
//  5. Results that nothing can be done about are ignored.
//  6. No CLONE_VM: nothing the child does can disturb the parent.

//go:nosplit
//go:norace
//go:nocheckptr
func fork(parts [][]op, m *memory) (uintptr, syscall.Errno) {
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, sigSetMask,
		uintptr(unsafe.Pointer(&m.block)), uintptr(unsafe.Pointer(&m.old)), unsafe.Sizeof(m.block), 0, 0)
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE3,
		uintptr(unsafe.Pointer(&m.clone)), unsafe.Sizeof(m.clone), 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		play(parts, m)
		for {
			_, _, _ = syscall.RawSyscall6(unix.SYS_EXIT_GROUP, exitFailed, 0, 0, 0, 0, 0)
		}
	}
	_, _, _ = syscall.RawSyscall6(unix.SYS_RT_SIGPROCMASK, sigSetMask,
		uintptr(unsafe.Pointer(&m.old)), 0, unsafe.Sizeof(m.old), 0, 0)
	return pid, errno
}

// play performs the calls. It returns only after one failed and was reported.
//
//go:nosplit
//go:norace
//go:nocheckptr
func play(parts [][]op, m *memory) {
	var saved uintptr
	var index uint32
	for p := range parts {
		ops := parts[p]
		for i := range ops {
			o := &ops[i]
			first := o.args[0]
			if o.flags&flagSaved != 0 {
				first = saved
			}
			r, _, errno := syscall.RawSyscall6(o.nr, first, o.args[1], o.args[2], o.args[3], o.args[4], o.args[5])
			if errno == 0 && r < o.want {
				errno = unix.EIO
			}
			if errno != 0 && o.flags&flagOptional != 0 {
				r, errno = ^uintptr(0), 0
			}
			if errno != 0 {
				m.failure[0] = markFailure
				m.failure[1] = index
				m.failure[2] = uint32(errno)
				_, _, _ = syscall.RawSyscall6(unix.SYS_WRITE, m.report,
					uintptr(unsafe.Pointer(&m.failure)), unsafe.Sizeof(m.failure), 0, 0, 0)
				_, _, _ = syscall.RawSyscall6(unix.SYS_WRITE, m.report, o.name, o.nameLen, 0, 0, 0)
				return
			}
			if o.flags&flagSave != 0 {
				saved = r
			}
			index++
		}
	}
}
