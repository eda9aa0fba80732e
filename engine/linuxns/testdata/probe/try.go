//go:build linux && (amd64 || arm64)

package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

var (
	defaultAction [32]byte // a struct sigaction
	alarm         [4]int   // a struct itimerval
)

// How long a process may take, in seconds and microseconds. A call that is
// carried out may block, so it gets little, and once more time in case it was
// the machine that was busy. All others cannot.
var (
	little = [2]int{0, 30_000}
	more   = [2]int{1, 0}
	ample  = [2]int{10, 0}
)

// tryPatiently makes a call with the time that it needs.
func tryPatiently(w way, nr uintptr) (syscall.WaitStatus, error) {
	if w.watch != 0 {
		return try(w, nr, ample)
	}
	status, err := try(w, nr, little)
	if err == nil && status.Signaled() && status.Signal() == syscall.SIGALRM {
		return try(w, nr, more)
	}
	return status, err
}

// try makes a call in a new process and returns how that ended.
func try(w way, nr uintptr, patience [2]int) (syscall.WaitStatus, error) {
	alarm[2], alarm[3] = patience[0], patience[1]
	pid, errno := fork(w.bits|nr, w.i386, w.watch)
	if errno != 0 {
		return 0, fmt.Errorf("clone: %w", errno)
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(int(pid), &status, 0, nil)
		if err != syscall.EINTR {
			return status, err
		}
	}
}

// fork returns in the parent alone. The child has one thread of a runtime that
// had several: it makes raw calls and nothing else.
//
//go:noinline
//go:norace
//go:nosplit
func fork(nr uintptr, i386 bool, sixth uintptr) (uintptr, syscall.Errno) {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 || pid != 0 {
		return pid, errno
	}
	for sig := uintptr(1); sig <= 64; sig++ { // Go's own handlers need all of its runtime
		syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, sig, uintptr(unsafe.Pointer(&defaultAction)), 0, 8, 0, 0)
	}
	syscall.RawSyscall6(syscall.SYS_SETITIMER, 0, uintptr(unsafe.Pointer(&alarm)), 0, 0, 0, 0)
	if i386 {
		if r := int80(uint32(nr), uint32(sixth)); r < 0 {
			errno = syscall.Errno(-r)
		}
	} else {
		_, _, errno = syscall.RawSyscall6(nr, 0, 0, 0, 0, 0, sixth)
	}
	for {
		syscall.RawSyscall6(syscall.SYS_EXIT_GROUP, uintptr(errno), 0, 0, 0, 0, 0)
	}
}
