//go:build linux && (amd64 || arm64)

package seccomp

import "golang.org/x/sys/unix"

// A word is the offset of a 32-bit word in struct seccomp_data, which describes
// a call.
type word uint32

const (
	number word = 0
	abi    word = 4 // an AUDIT_ARCH value
	args   word = 16

	wordSize = 4
	argSize  = 8
)

// low is the lower half of an argument, numbered from 0; both architectures are
// little-endian. It is all that the kernel looks at where the argument is an
// int, an unsigned int or a pid_t, or is cut to one: high bits that a hostile
// program sets then change nothing, neither for the kernel nor for the filter.
func low(arg word) word { return args + argSize*arg }

// high is the upper half. Arguments that are longs or pointers need both.
func high(arg word) word { return low(arg) + wordSize }

const (
	allow verdict = unix.SECCOMP_RET_ALLOW
	// kill ends the process, not just its thread, with SIGSYS.
	kill verdict = unix.SECCOMP_RET_KILL_PROCESS
	// pretend answers success and does nothing.
	pretend verdict = unix.SECCOMP_RET_ERRNO
)

// refuse answers an error.
func refuse(errno unix.Errno) verdict { return unix.SECCOMP_RET_ERRNO | verdict(errno) }

var (
	forbidden = refuse(unix.EPERM)
	absent    = refuse(unix.ENOSYS)
)
