//go:build linux && (amd64 || arm64)

package seccomp

import "golang.org/x/sys/unix"

// byArguments are the calls of both architectures that are allowed with certain
// arguments only.
var byArguments = []examined{
	{unix.SYS_CLONE, clone},
	{unix.SYS_PERSONALITY, personality},
	{unix.SYS_PRCTL, prctl},
	{unix.SYS_SETRLIMIT, setrlimit},
	{unix.SYS_PRLIMIT64, prlimit},
	{unix.SYS_IOCTL, ioctl},
	{unix.SYS_SOCKET, socket},
	{unix.SYS_SOCKETPAIR, socketpair},
	{unix.SYS_SETSOCKOPT, setsockopt},
	{unix.SYS_SECCOMP, secureComputing},
	{unix.SYS_MMAP, mmap},
	{unix.SYS_MEMFD_CREATE, memfdCreate},
	{unix.SYS_FADVISE64, fadvise},
	{unix.SYS_PREADV2, preadv2},
}

// clone examines clone(unsigned long flags, ...), whose flags for namespaces
// are in the lower half.
var clone = &choice{
	on: low(0), mask: namespaceFlags,
	cases:     []span{{0, 0, allow}},
	otherwise: forbidden,
}

// namespaceFlags are the flags of clone that make namespaces. Time namespaces
// have none: clone3 and unshare alone make them.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// personality examines personality(unsigned int persona). Allowed are those
// that weaken nothing: PER_LINUX and PER_LINUX32, each also with UNAME26, and
// the query.
var personality = &choice{
	on:        low(0),
	cases:     each(allow, 0x0, 0x8, 0x20000, 0x20008, 0xffffffff),
	otherwise: forbidden,
}

// prctl examines prctl(int option, ...). Options that this package does not
// know are answered as by a kernel that does not.
var prctl = &choice{
	on: low(0),
	cases: []span{
		{unix.PR_SET_PDEATHSIG, unix.PR_SET_MM - 1, allow},
		// It lets a process show others a false picture of itself.
		{unix.PR_SET_MM, unix.PR_SET_MM, forbidden},
		{unix.PR_SET_MM + 1, unix.PR_SCHED_CORE - 1, allow},
		// It keeps everybody else off the other threads of a core: a sandbox
		// could halve the machine for its neighbours.
		{unix.PR_SCHED_CORE, unix.PR_SCHED_CORE, refuse(unix.EINVAL)},
		{unix.PR_SCHED_CORE + 1, unix.PR_FUTEX_HASH, allow},
		{unix.PR_SET_VMA, unix.PR_SET_VMA, allow},
		// It says who may use ptrace, which nobody can.
		{unix.PR_SET_PTRACER, unix.PR_SET_PTRACER, allow},
		{unix.PR_GET_AUXV, unix.PR_GET_AUXV, allow},
	},
	otherwise: refuse(unix.EINVAL),
}

// The limit of core files may be read and is never set. It is 1, the only value
// with which the kernel does not start the handler that core_pattern may name,
// as real root on the host; a program that sets 0, as careful ones do, would
// undo that.
var (
	// setrlimit examines setrlimit(unsigned int resource, ...).
	setrlimit = &choice{on: low(0), cases: each(pretend, unix.RLIMIT_CORE), otherwise: allow}

	// prlimit examines prlimit64(pid_t, unsigned int resource, const struct
	// rlimit64 *new, ...), where new may be null, in both its halves.
	prlimit = &choice{on: low(1), otherwise: allow, cases: each(
		&choice{on: low(2), otherwise: pretend, cases: each(
			&choice{on: high(2), otherwise: pretend, cases: each(allow, 0)}, 0)}, unix.RLIMIT_CORE)}
)

// ioctl examines ioctl(unsigned int fd, unsigned int command, ...).
var ioctl = &choice{
	on: low(1),
	cases: append(
		// They push input into a terminal, or change its line discipline, which
		// loads modules.
		each(forbidden, unix.TIOCSTI, unix.TIOCLINUX, unix.TIOCSETD),
		// On any socket and for anybody they load the modules for bridges and
		// virtual LANs.
		each(forbidden, siocGIFBR, siocSIFBR, siocGIFVLAN, siocSIFVLAN, siocBRADDBR, siocBRDELBR)...,
	),
	otherwise: allow,
}

// Commands of linux/sockios.h.
const (
	siocGIFBR   = 0x8940
	siocSIFBR   = 0x8941
	siocGIFVLAN = 0x8982
	siocSIFVLAN = 0x8983
	siocBRADDBR = 0x89a0
	siocBRDELBR = 0x89a1
)
