package agent

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Offsets into struct seccomp_data, see seccomp(2). Every word of the machines
// that agents run on has its lower half first.
const (
	dataNr   = 0
	dataArch = 4
	dataArgs = 16
)

// audits are the architectures that agents run on.
var audits = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// filter returns the program that locks limits against all who do not have the
// key. It knows the calls of one architecture alone, so it refuses those of
// others that the kernel takes: of 32 bits and, on amd64, of the x32 ABI.
func (m *marks) filter(audit uint32) []unix.SockFilter {
	const x32 = 1 << 30
	permit, refuse := verdict(unix.SECCOMP_RET_ALLOW), verdict(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM))
	absent := verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS))

	// prlimit64(pid, resource, new, old), with the key behind: reading is free.
	locked := join(
		when(arg(2), 0, when(arg(2)+4, 0, permit)),
		unless(arg(4), uint32(m.key[0]), refuse), unless(arg(4)+4, uint32(m.key[0]>>32), refuse),
		unless(arg(5), uint32(m.key[1]), refuse), unless(arg(5)+4, uint32(m.key[1]>>32), refuse),
		permit,
	)
	return join(
		unless(dataArch, audit, absent),
		word(dataNr), jump(unix.BPF_JGE, x32, 0, len(absent)), absent,
		// setrlimit(resource, new)
		when(dataNr, unix.SYS_SETRLIMIT, join(
			when(arg(0), rlimitLocks, refuse), when(arg(0), unix.RLIMIT_NPROC, refuse), permit,
		)),
		// Of another process, which may be the agent, nobody sets any.
		when(dataNr, unix.SYS_PRLIMIT64, join(
			when(arg(1), rlimitLocks, locked), when(arg(1), unix.RLIMIT_NPROC, locked), when(arg(0), 0, permit), locked,
		)),
		permit,
	)
}

// arg is the offset of the lower half of argument i.
func arg(i uint32) uint32 { return dataArgs + 8*i }

// when does body if the word at offset is v, and unless if it is not. A body
// ends with a verdict or goes on behind.
func when(offset, v uint32, body []unix.SockFilter) []unix.SockFilter {
	return join(word(offset), jump(unix.BPF_JEQ, v, 0, len(body)), body)
}

func unless(offset, v uint32, body []unix.SockFilter) []unix.SockFilter {
	return join(word(offset), jump(unix.BPF_JEQ, v, len(body), 0), body)
}

func word(offset uint32) []unix.SockFilter {
	return []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}}
}

// jump skips as many instructions as yes or no says.
func jump(compare uint16, v uint32, yes, no int) []unix.SockFilter {
	return []unix.SockFilter{{Code: unix.BPF_JMP | compare | unix.BPF_K, Jt: uint8(yes), Jf: uint8(no), K: v}}
}

func verdict(v uint32) []unix.SockFilter {
	return []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: v}}
}

func join(parts ...[]unix.SockFilter) []unix.SockFilter { return slices.Concat(parts...) }
