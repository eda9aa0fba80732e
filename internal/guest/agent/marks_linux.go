package agent

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// marks tell the processes of one command from those of others, whatever they
// do: each command starts with a mark of its own, which all that it starts
// inherits and none can change.
//
// The mark is the soft RLIMIT_LOCKS, which Linux has, passes on and lets
// everybody read, but has not looked at since 2.4.25. A filter of system calls,
// which is in force for the agent and thus for all commands, lets the limit be
// changed only by a call that carries a secret in the two registers that
// prlimit64(2) does not use: the agent's, which nobody else can read. The limit
// of processes is locked in the same way, because the agent keeps some of them
// for itself. To set a mark and to look at one takes a system call each.
//
// What else there is to know a process by, its parent, group or session, a
// command can shed by starting a grandchild in a session of its own, and a limit
// that is merely inherited it can change.
type marks struct {
	key  [2]uint64
	next uint64
}

// rlimitLocks is RLIMIT_LOCKS, the same on every architecture.
const rlimitLocks = 10

// newMarks locks the limits. The process must not be able to gain privileges,
// see no_new_privs in prctl(2), or have CAP_SYS_ADMIN.
func newMarks() (*marks, error) {
	var random [24]byte                                     // of the kernel: package crypto/rand would cost memory
	if _, err := unix.Getrandom(random[:], 0); err != nil { // all of it, or none
		return nil, os.NewSyscallError("getrandom", err)
	}
	number := binary.NativeEndian.Uint64
	// Few of one agent's marks, which count up from here, are another's.
	m := &marks{key: [2]uint64{number(random[:]), number(random[8:])}, next: number(random[16:]) >> 2}
	var now unix.Rlimit
	if err := unix.Getrlimit(rlimitLocks, &now); err != nil {
		return nil, os.NewSyscallError("read the limit of locks", err)
	}
	if now.Max != unix.RLIM_INFINITY {
		return nil, errors.New("agent: the limit of file locks, which Linux does not use, is set: remove it")
	}
	audit, ok := audits[runtime.GOARCH]
	if !ok {
		return nil, errors.New("agent: does not run on " + runtime.GOARCH)
	}
	filter := m.filter(audit)
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); errno != 0 && !without("no_new_privs") {
		return nil, os.NewSyscallError("lock limits by a filter", errno)
	}
	return m, nil
}

// take returns a mark that no process has.
func (m *marks) take() uint64 {
	m.next++
	return m.next
}

// put gives the agent a mark, for the command that it is about to start.
func (m *marks) put(mark uint64) error {
	return m.set(0, rlimitLocks, &unix.Rlimit{Cur: mark, Max: unix.RLIM_INFINITY})
}

// set changes a limit of a process, or with 0 of the agent.
func (m *marks) set(pid, resource int, limit *unix.Rlimit) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PRLIMIT64, uintptr(pid), uintptr(resource),
		uintptr(unsafe.Pointer(limit)), 0, uintptr(m.key[0]), uintptr(m.key[1]))
	if errno != 0 {
		return os.NewSyscallError("prlimit", errno)
	}
	return nil
}

// markOf returns the mark of a process. The error is ESRCH when there is none
// any more, and EPERM when it is another user's.
func markOf(pid int) (uint64, error) {
	var limit unix.Rlimit
	_, _, errno := unix.RawSyscall6(unix.SYS_PRLIMIT64, uintptr(pid), rlimitLocks,
		0, uintptr(unsafe.Pointer(&limit)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return limit.Cur, nil
}
