//go:build linux && (amd64 || arm64)

package seccomp

import "golang.org/x/sys/unix"

// Sockets are of families that mean nothing outside the sandbox's own network
// namespace, and of protocols for which the kernel loads no modules: it would
// for any pair of type and protocol that it does not know.

// socket examines socket(int family, int type, int protocol).
var socket = &choice{
	on: low(0),
	cases: []span{
		{unix.AF_UNIX, unix.AF_UNIX, allow},
		{unix.AF_INET, unix.AF_INET, internet(unix.IPPROTO_ICMP)},
		{unix.AF_INET6, unix.AF_INET6, internet(unix.IPPROTO_ICMPV6)},
	},
	// Netlink sockets are among the others: what waits in them is charged to
	// nobody, so that a sandbox could fill the machine's memory with it. glibc's
	// getaddrinfo does without; getifaddrs fails.
	otherwise: refuse(unix.EAFNOSUPPORT),
}

// internet examines the type and protocol of a socket of a family whose pings
// are of protocol ping. Raw sockets need a capability.
func internet(ping uint32) rule {
	return &choice{
		on: low(1), mask: socketTypes,
		cases: []span{
			{unix.SOCK_STREAM, unix.SOCK_STREAM, protocols(0, unix.IPPROTO_TCP, unix.IPPROTO_MPTCP)},
			{unix.SOCK_DGRAM, unix.SOCK_DGRAM, protocols(0, unix.IPPROTO_UDP, ping)},
			{unix.SOCK_RAW, unix.SOCK_RAW, forbidden},
		},
		otherwise: refuse(unix.EPROTONOSUPPORT),
	}
}

// socketTypes are the bits of a socket's type, SOCK_TYPE_MASK; the others are
// flags.
const socketTypes = 0xf

func protocols(known ...uint32) rule {
	return &choice{on: low(2), cases: each(allow, known...), otherwise: refuse(unix.EPROTONOSUPPORT)}
}

// socketpair examines socketpair(int family, ...). No other family has pairs.
var socketpair = &choice{
	on:        low(0),
	cases:     each(allow, unix.AF_UNIX),
	otherwise: refuse(unix.EOPNOTSUPP),
}

// setsockopt examines setsockopt(int fd, int level, int option, ...). Programs
// for sockets are out of the machine's one budget for compiled programs, which
// filters like this one need too. No level but SOL_SOCKET takes them.
var setsockopt = &choice{
	on: low(1), otherwise: allow,
	cases: each(&choice{on: low(2), otherwise: allow, cases: each(refuse(unix.ENOPROTOOPT),
		unix.SO_ATTACH_FILTER, unix.SO_ATTACH_BPF, unix.SO_ATTACH_REUSEPORT_CBPF, unix.SO_ATTACH_REUSEPORT_EBPF,
	)}, unix.SOL_SOCKET),
}
