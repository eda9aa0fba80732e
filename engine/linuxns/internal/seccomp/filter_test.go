//go:build linux && (amd64 || arm64)

package seccomp

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	allowed = unix.SECCOMP_RET_ALLOW
	eperm   = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	enosys  = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
	noProto = unix.SECCOMP_RET_ERRNO | uint32(unix.EPROTONOSUPPORT)
	noFam   = unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT)
)

// verdict runs the filter. The VM reads big-endian words where the kernel has
// native ones, so the words are laid out for it.
func verdict(t *testing.T, arch, nr uint32, args ...uint64) uint32 {
	t.Helper()
	vm, err := bpf.NewVM(program())
	require.NoError(t, err)
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[offNr:], nr)
	binary.BigEndian.PutUint32(data[offArch:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[offArgs+8*i:], uint32(a))
		binary.BigEndian.PutUint32(data[offArgs+8*i+4:], uint32(a>>32))
	}
	r, err := vm.Run(data)
	require.NoError(t, err)
	return uint32(r)
}

func TestFilter(t *testing.T) {
	const high = 1 << 32
	for _, c := range []struct {
		name string
		nr   uint32
		args []uint64
		want uint32
	}{
		{"read", unix.SYS_READ, nil, allowed},
		{"execve", unix.SYS_EXECVE, nil, allowed},
		{"seccomp", unix.SYS_SECCOMP, nil, allowed},
		{"mount", unix.SYS_MOUNT, nil, eperm},
		{"ptrace", unix.SYS_PTRACE, nil, eperm},
		{"keyctl", unix.SYS_KEYCTL, nil, eperm},
		{"clone3", unix.SYS_CLONE3, nil, enosys},
		{"newest", newest, nil, allowed},
		{"newer", newest + 1, nil, enosys},
		{"x32 read", 0x40000000, nil, enosys},
		{"clone thread", unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_THREAD}, allowed},
		{"clone user", unix.SYS_CLONE, []uint64{unix.CLONE_NEWUSER}, eperm},
		{"clone net among others", unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_NEWNET}, eperm},
		{"clone high bits", unix.SYS_CLONE, []uint64{unix.CLONE_NEWUSER | high}, eperm},
		{"ioctl TCGETS", unix.SYS_IOCTL, []uint64{0, unix.TCGETS}, allowed},
		{"ioctl TIOCSTI", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI}, eperm},
		{"ioctl TIOCSTI high bits", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI | high}, eperm},
		{"ioctl TIOCLINUX", unix.SYS_IOCTL, []uint64{0, unix.TIOCLINUX}, eperm},
		{"ioctl TIOCSETD", unix.SYS_IOCTL, []uint64{0, unix.TIOCSETD}, eperm},
		{"personality query", unix.SYS_PERSONALITY, []uint64{0xffffffff}, allowed},
		{"personality usual", unix.SYS_PERSONALITY, []uint64{0}, allowed},
		{"personality no randomization", unix.SYS_PERSONALITY, []uint64{0x0040000}, eperm},
		{"personality read implies exec", unix.SYS_PERSONALITY, []uint64{0x0400000}, eperm},
		{"unix socket", unix.SYS_SOCKET, []uint64{unix.AF_UNIX, unix.SOCK_SEQPACKET, 0}, allowed},
		{"unix pair", unix.SYS_SOCKETPAIR, []uint64{unix.AF_UNIX, unix.SOCK_STREAM, 0}, allowed},
		{"tcp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM | unix.SOCK_CLOEXEC, 0}, allowed},
		{"tcp6", unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_TCP}, allowed},
		{"mptcp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP}, allowed},
		{"sctp", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, noProto},
		{"sctp by type", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_SEQPACKET, 0}, noProto},
		{"dccp", unix.SYS_SOCKET, []uint64{unix.AF_INET6, unix.SOCK_DCCP, 0}, noProto},
		{"route netlink", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, allowed},
		{"netfilter netlink", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_NETFILTER}, noProto},
		{"packet", unix.SYS_SOCKET, []uint64{unix.AF_PACKET, unix.SOCK_RAW, 0}, noFam},
		{"vsock", unix.SYS_SOCKET, []uint64{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, noFam},
		{"alg", unix.SYS_SOCKET, []uint64{unix.AF_ALG, unix.SOCK_SEQPACKET, 0}, noFam},
		{"alg high bits", unix.SYS_SOCKET, []uint64{unix.AF_ALG | high, unix.SOCK_SEQPACKET, 0}, noFam},
	} {
		require.Equal(t, c.want, verdict(t, auditArch, c.nr, c.args...), c.name)
	}
	require.Equal(t, uint32(unix.SECCOMP_RET_KILL_PROCESS), verdict(t, unix.AUDIT_ARCH_I386, unix.SYS_READ))
}

// TestSweep compares every number with the lists.
func TestSweep(t *testing.T) {
	refused := slices.Concat(denied, deniedHere)
	byArgument := []uint32{unix.SYS_SOCKET, unix.SYS_SOCKETPAIR} // family 0 is none
	for nr := range uint32(600) {
		want := uint32(allowed)
		switch {
		case nr > newest || slices.Contains(absent, nr):
			want = enosys
		case slices.Contains(refused, nr):
			want = eperm
		case slices.Contains(byArgument, nr):
			want = noFam
		}
		require.Equal(t, want, verdict(t, auditArch, nr), "system call %d", nr)
	}
}

func TestListsFitJumps(t *testing.T) {
	for _, list := range [][]uint32{absent, denied, deniedHere, deniedIoctls, personalities, protocols} {
		require.LessOrEqual(t, len(list), 255)
	}
	filter, err := Filter()
	require.NoError(t, err)
	require.Less(t, len(filter), 4096, "the kernel's limit")
	require.Contains(t, []string{"amd64", "arm64"}, runtime.GOARCH)
}
