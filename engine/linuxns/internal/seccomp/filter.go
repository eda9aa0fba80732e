//go:build linux && (amd64 || arm64)

// Package seccomp builds the system call filter of the sandboxes.
//
// It is a list of what is refused, not of what is allowed: a sandbox has no
// capabilities and sees little, so the filter's task is to close what works
// without either (new namespaces, keyrings, io_uring, ...) and to shrink what
// of the kernel can be reached at all. Calls newer than this package answer
// ENOSYS, so that programs fall back to what they used before.
package seccomp

import (
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets into struct seccomp_data. Both architectures are little-endian, so
// the low half of an argument comes first. The kernel itself looks only at the
// low half of the arguments examined here: high bits that a hostile program
// adds change nothing, neither for it nor for the filter.
const (
	offNr   = 0
	offArch = 4
	offArgs = 16
)

// namespaceFlags are the flags of clone that make namespaces.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// Filter returns the program, for SECCOMP_SET_MODE_FILTER.
func Filter() ([]unix.SockFilter, error) {
	raw, err := bpf.Assemble(program())
	if err != nil {
		return nil, fmt.Errorf("seccomp: assemble: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return filter, nil
}

func program() []bpf.Instruction {
	p := join(
		code(load(offArch)),
		code(bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArch, SkipTrue: 1}),
		code(bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}),
		code(load(offNr)),
		// Beyond the newest call: what is to come, and on amd64 the x32 calls.
		code(bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: newest, SkipTrue: 1}),
		refuse(unix.ENOSYS),
		oneOf(absent, refuse(unix.ENOSYS)),
		oneOf(denied, refuse(unix.EPERM)),
		oneOf(deniedHere, refuse(unix.EPERM)),
		oneOf([]uint32{unix.SYS_CLONE}, join(
			code(arg(0)),
			code(bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: namespaceFlags, SkipFalse: 1}),
			refuse(unix.EPERM), allow(),
		)),
		oneOf([]uint32{unix.SYS_IOCTL}, join(
			code(arg(1)), oneOf(deniedIoctls, refuse(unix.EPERM)), allow(),
		)),
		oneOf([]uint32{unix.SYS_SOCKET, unix.SYS_SOCKETPAIR}, sockets()),
		oneOf([]uint32{unix.SYS_PERSONALITY}, join(
			code(arg(0)), oneOf(personalities, allow()), refuse(unix.EPERM),
		)),
		oneOf([]uint32{unix.SYS_SETRLIMIT}, join(
			code(arg(0)), oneOf([]uint32{unix.RLIMIT_CORE}, pretend()), allow(),
		)),
		oneOf([]uint32{unix.SYS_PRLIMIT64}, join(
			code(arg(1)), oneOf([]uint32{unix.RLIMIT_CORE}, coreLimit()), allow(),
		)),
	)
	return join(p, allow())
}

// coreLimit examines prlimit64(pid, RLIMIT_CORE, new, old): the limit may be
// read and is never set. It is 1, the only value with which the kernel does not
// start the handler that core_pattern may name, as real root on the host; a
// program that sets 0, as careful ones do, would undo that.
func coreLimit() []bpf.Instruction {
	return join(
		code(arg(2)), oneOf([]uint32{0}, join(
			code(load(offArgs+8*2+4)), oneOf([]uint32{0}, allow()), pretend(),
		)),
		pretend(),
	)
}

// sockets examines socket(family, type, protocol). Only families that mean
// nothing outside the sandbox's own network namespace are allowed, and of
// those only protocols that do not make the kernel load modules.
func sockets() []bpf.Instruction {
	return join(
		code(arg(0)),
		oneOf([]uint32{unix.AF_UNIX}, allow()),
		oneOf([]uint32{unix.AF_INET, unix.AF_INET6}, join(
			code(arg(1)), code(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: socketTypeMask}),
			oneOf([]uint32{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW}, join(
				code(arg(2)), oneOf(protocols, allow()),
			)),
			refuse(unix.EPROTONOSUPPORT),
		)),
		// glibc's getaddrinfo and node's os.networkInterfaces ask for addresses.
		oneOf([]uint32{unix.AF_NETLINK}, join(
			code(arg(2)), oneOf([]uint32{unix.NETLINK_ROUTE}, allow()), refuse(unix.EPROTONOSUPPORT),
		)),
		refuse(unix.EAFNOSUPPORT),
	)
}

// oneOf runs body when the accumulator is one of values, and goes on behind it
// otherwise. body must end by returning: it may overwrite the accumulator.
func oneOf(values []uint32, body []bpf.Instruction) []bpf.Instruction {
	n := len(values)
	list := make([]bpf.Instruction, 0, n+1+len(body))
	for i, v := range values {
		list = append(list, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(n - i)})
	}
	list = append(list, bpf.Jump{Skip: uint32(len(body))})
	return append(list, body...)
}

func load(off uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: off, Size: 4} }

func arg(i uint32) bpf.Instruction { return load(offArgs + 8*i) }

func code(i bpf.Instruction) []bpf.Instruction { return []bpf.Instruction{i} }

func allow() []bpf.Instruction {
	return code(bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW})
}

func refuse(errno unix.Errno) []bpf.Instruction {
	return code(bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(errno)})
}

// pretend answers success and does nothing.
func pretend() []bpf.Instruction { return refuse(0) }

func join(parts ...[]bpf.Instruction) []bpf.Instruction {
	var all []bpf.Instruction
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}
