//go:build linux && (amd64 || arm64)

package seccomp

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestArguments gives every case with the arguments as they are, and with the
// upper halves set of those of which the kernel takes the lower one.
func TestArguments(t *testing.T) {
	m := filter(t)
	for _, c := range []struct {
		name string
		nr   uint32
		args []uint64
		want verdict
	}{
		{"clone a process", unix.SYS_CLONE, []uint64{uint64(unix.SIGCHLD)}, allow},
		{"clone a thread", unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_THREAD}, allow},
		{"clone vfork", unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_VFORK | uint64(unix.SIGCHLD)}, allow},
		{"clone user", unix.SYS_CLONE, []uint64{unix.CLONE_NEWUSER}, eperm},
		{"clone mount", unix.SYS_CLONE, []uint64{unix.CLONE_NEWNS}, eperm},
		{"clone pid", unix.SYS_CLONE, []uint64{unix.CLONE_NEWPID}, eperm},
		{"clone ipc", unix.SYS_CLONE, []uint64{unix.CLONE_NEWIPC}, eperm},
		{"clone uts", unix.SYS_CLONE, []uint64{unix.CLONE_NEWUTS}, eperm},
		{"clone cgroup", unix.SYS_CLONE, []uint64{unix.CLONE_NEWCGROUP}, eperm},
		{"clone net among others", unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_NEWNET}, eperm},
		{"clone all", unix.SYS_CLONE, []uint64{math.MaxUint32}, eperm},
		{"ioctl TCGETS", unix.SYS_IOCTL, []uint64{0, unix.TCGETS}, allow},
		{"ioctl TIOCGPTN", unix.SYS_IOCTL, []uint64{0, unix.TIOCGPTN}, allow},
		{"ioctl TIOCSTI", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI}, eperm},
		{"ioctl TIOCLINUX", unix.SYS_IOCTL, []uint64{0, unix.TIOCLINUX}, eperm},
		{"ioctl TIOCSETD", unix.SYS_IOCTL, []uint64{0, unix.TIOCSETD}, eperm},
		{"ioctl before TIOCSTI", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI - 1}, allow},
		{"ioctl SIOCGIFBR", unix.SYS_IOCTL, []uint64{0, 0x8940}, eperm},
		{"ioctl SIOCSIFVLAN", unix.SYS_IOCTL, []uint64{0, 0x8983}, eperm},
		{"ioctl SIOCBRDELBR", unix.SYS_IOCTL, []uint64{0, 0x89a1}, eperm},
		{"ioctl SIOCGIFCONF", unix.SYS_IOCTL, []uint64{0, 0x8912}, allow},
		{"personality query", unix.SYS_PERSONALITY, []uint64{0xffffffff}, allow},
		{"personality usual", unix.SYS_PERSONALITY, []uint64{0}, allow},
		{"personality linux32", unix.SYS_PERSONALITY, []uint64{8}, allow},
		{"personality no randomization", unix.SYS_PERSONALITY, []uint64{0x0040000}, eperm},
		{"personality read implies exec", unix.SYS_PERSONALITY, []uint64{0x0400000}, eperm},
		{"prctl PR_SET_NAME", unix.SYS_PRCTL, []uint64{unix.PR_SET_NAME}, allow},
		{"prctl PR_SET_SECCOMP", unix.SYS_PRCTL, []uint64{unix.PR_SET_SECCOMP}, allow},
		{"prctl PR_SET_NO_NEW_PRIVS", unix.SYS_PRCTL, []uint64{unix.PR_SET_NO_NEW_PRIVS}, allow},
		{"prctl PR_SET_VMA", unix.SYS_PRCTL, []uint64{unix.PR_SET_VMA}, allow},
		{"prctl PR_SET_PTRACER", unix.SYS_PRCTL, []uint64{unix.PR_SET_PTRACER}, allow},
		{"prctl before PR_SET_MM", unix.SYS_PRCTL, []uint64{unix.PR_SET_MM - 1}, allow},
		{"prctl PR_SET_MM", unix.SYS_PRCTL, []uint64{unix.PR_SET_MM}, eperm},
		{"prctl PR_SCHED_CORE", unix.SYS_PRCTL, []uint64{unix.PR_SCHED_CORE}, einval},
		{"prctl PR_FUTEX_HASH", unix.SYS_PRCTL, []uint64{unix.PR_FUTEX_HASH}, allow},
		{"prctl unknown", unix.SYS_PRCTL, []uint64{unix.PR_FUTEX_HASH + 1}, einval},
		{"prctl none", unix.SYS_PRCTL, []uint64{0}, einval},
		{"setrlimit core", unix.SYS_SETRLIMIT, []uint64{unix.RLIMIT_CORE, 4096}, pretend},
		{"setrlimit stack", unix.SYS_SETRLIMIT, []uint64{unix.RLIMIT_STACK, 4096}, allow},
		{"unix socket", unix.SYS_SOCKET, []uint64{unix.AF_UNIX, unix.SOCK_SEQPACKET, 0}, allow},
		{"unix pair", unix.SYS_SOCKETPAIR, []uint64{unix.AF_UNIX, unix.SOCK_STREAM, 0}, allow},
		{"inet pair", unix.SYS_SOCKETPAIR, []uint64{unix.AF_INET, unix.SOCK_STREAM, 0}, noSupp},
		{"tipc pair", unix.SYS_SOCKETPAIR, []uint64{unix.AF_TIPC, unix.SOCK_STREAM, 0}, noSupp},
		{"tcp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC, 0}, allow},
		{"tcp6", unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_STREAM | unix.SOCK_NONBLOCK, unix.IPPROTO_TCP}, allow},
		{"udp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP}, allow},
		{"ping", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP}, allow},
		{"ping6", unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_ICMPV6}, allow},
		{"ping of the other family", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMPV6}, noProto},
		{"udp by stream", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_UDP}, noProto},
		{"mptcp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP}, allow},
		{"sctp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, noProto},
		{"sctp by type", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_SEQPACKET, 0}, noProto},
		{"dccp", unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_DCCP, 0}, noProto},
		{"packet by type", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_PACKET, 0}, noProto},
		{"raw", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP}, eperm},
		{"route netlink", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, noFam},
		{"netfilter netlink", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER}, noFam},
		{"usual option", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_SOCKET, unix.SO_REUSEADDR}, allow},
		{"option before filters", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_SOCKET, 25}, allow},
		{"filter", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_SOCKET, 26}, noOpt},
		{"detach filter", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_SOCKET, unix.SO_DETACH_FILTER}, allow},
		{"option before programs", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_SOCKET, 49}, allow},
		{"program", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_SOCKET, 50}, noOpt},
		{"filter of a group", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_SOCKET, 51}, noOpt},
		{"program of a group", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_SOCKET, 52}, noOpt},
		{"option after programs", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_SOCKET, 53}, allow},
		{"option 26 of tcp", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_TCP, 26}, allow},
		{"option 50 of ipv6", unix.SYS_SETSOCKOPT, []uint64{3, unix.SOL_IPV6, 50}, allow},
		{"packet", unix.SYS_SOCKET, []uint64{unix.AF_PACKET, unix.SOCK_RAW, 0}, noFam},
		{"vsock", unix.SYS_SOCKET, []uint64{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, noFam},
		{"alg", unix.SYS_SOCKET, []uint64{unix.AF_ALG, unix.SOCK_SEQPACKET, 0}, noFam},
		{"no family", unix.SYS_SOCKET, []uint64{0, unix.SOCK_STREAM, 0}, noFam},
		{"seccomp strict", unix.SYS_SECCOMP, []uint64{unix.SECCOMP_SET_MODE_STRICT, 0}, allow},
		{"seccomp filter", unix.SYS_SECCOMP, []uint64{unix.SECCOMP_SET_MODE_FILTER, 0}, allow},
		{"seccomp all threads", unix.SYS_SECCOMP, []uint64{unix.SECCOMP_SET_MODE_FILTER, 1 | 1<<1 | 1<<2 | 1<<4}, allow},
		{"seccomp listener", unix.SYS_SECCOMP, []uint64{unix.SECCOMP_SET_MODE_FILTER, 1 << 3}, einval},
		{"seccomp listener among others", unix.SYS_SECCOMP, []uint64{unix.SECCOMP_SET_MODE_FILTER, math.MaxUint32}, einval},
		{"mmap", unix.SYS_MMAP, []uint64{0, 4096, unix.PROT_READ, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS}, allow},
		{"mmap all others", unix.SYS_MMAP, []uint64{0, 4096, 0, math.MaxUint32 &^ 0x40000}, allow},
		{"mmap huge", unix.SYS_MMAP, []uint64{0, 4096, 0, 0x40000}, enomem},
		{"mmap huge of a size", unix.SYS_MMAP, []uint64{0, 1 << 30, 0, unix.MAP_ANONYMOUS | unix.MAP_HUGETLB | unix.MAP_HUGE_1GB}, enomem},
		{"memfd", unix.SYS_MEMFD_CREATE, []uint64{4, unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING}, allow},
		{"memfd all others", unix.SYS_MEMFD_CREATE, []uint64{0, math.MaxUint32 &^ 4}, allow},
		{"memfd huge", unix.SYS_MEMFD_CREATE, []uint64{0, 4}, einval},
		{"memfd huge of a size", unix.SYS_MEMFD_CREATE, []uint64{0, unix.MFD_HUGETLB | unix.MFD_HUGE_2MB}, einval},
		{"advice to drop", unix.SYS_FADVISE64, []uint64{3, 0, 0, 4}, pretend},
		{"advice to read", unix.SYS_FADVISE64, []uint64{3, 0, 0, unix.FADV_WILLNEED}, allow},
		{"advice on reuse", unix.SYS_FADVISE64, []uint64{3, 4, 4, unix.FADV_NOREUSE}, allow},
		{"preadv2", unix.SYS_PREADV2, []uint64{3, 0, 0, 8, 8, 0}, allow},
		{"preadv2 all others", unix.SYS_PREADV2, []uint64{3, 0, 0, 0, 0, math.MaxUint32 &^ 8}, allow},
		{"preadv2 without waiting", unix.SYS_PREADV2, []uint64{3, 0, 0, 0, 0, 8}, noSupp},
		{"preadv2 without waiting among others", unix.SYS_PREADV2, []uint64{3, 0, 0, 0, 0, math.MaxUint32}, noSupp},
	} {
		require.Equal(t, c.want, m.decide(t, native(c.nr, c.args...)), c.name)
		for i := range c.args {
			raised := append([]uint64(nil), c.args...)
			raised[i] |= math.MaxUint32 << 32
			require.Equal(t, c.want, m.decide(t, native(c.nr, raised...)), "%s, argument %d raised", c.name, i)
		}
	}
}

// TestCoreLimit: prlimit reads the limit when its pointer is null in both halves.
func TestCoreLimit(t *testing.T) {
	m := filter(t)
	for _, c := range []struct {
		resource, limit uint64
		want            verdict
	}{
		{unix.RLIMIT_CORE, 0, allow},
		{unix.RLIMIT_CORE, 1, pretend},
		{unix.RLIMIT_CORE, 1 << 32, pretend},
		{unix.RLIMIT_CORE, 0x7fff_0000_0000, pretend},
		{unix.RLIMIT_CORE, 0x7fff_1234_5678, pretend},
		{unix.RLIMIT_CORE | 1<<32, 1, pretend},
		{unix.RLIMIT_CORE | 1<<32, 0, allow},
		{unix.RLIMIT_NOFILE, 0x7fff_1234_5678, allow},
	} {
		for _, pid := range []uint64{0, 1, 1<<32 | 1} {
			require.Equal(t, c.want, m.decide(t, native(unix.SYS_PRLIMIT64, pid, c.resource, c.limit)), "%+v", c)
		}
	}
}
