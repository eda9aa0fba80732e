//go:build linux

package agent

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// verdictOf runs the filter for one system call.
func verdictOf(t *testing.T, m *marks, arch, nr uint32, args ...uint64) uint32 {
	t.Helper()
	var program []bpf.RawInstruction
	for _, i := range m.filter(unix.AUDIT_ARCH_X86_64) {
		program = append(program, bpf.RawInstruction{Op: i.Code, Jt: i.Jt, Jf: i.Jf, K: i.K})
	}
	list, ok := bpf.Disassemble(program)
	require.True(t, ok)
	vm, err := bpf.NewVM(list)
	require.NoError(t, err)
	// struct seccomp_data in words, as the virtual machine reads them: network order.
	data := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, nr), arch)
	data = append(data, make([]byte, 8)...)
	for i := range 6 {
		var v uint64
		if i < len(args) {
			v = args[i]
		}
		data = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(data, uint32(v)), uint32(v>>32))
	}
	got, err := vm.Run(data)
	require.NoError(t, err)
	return uint32(got)
}

func TestFilter(t *testing.T) {
	t.Parallel()
	const (
		native, other = unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386
		permit        = unix.SECCOMP_RET_ALLOW
		refuse        = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		absent        = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		high          = 1 << 40 // a pointer of which the lower half is zero
	)
	m := &marks{key: [2]uint64{0x0123456789abcdef, 0xfedcba9876543210}}
	for _, limit := range []uint64{rlimitLocks, unix.RLIMIT_NPROC, rlimitLocks | 1<<32} {
		require.Equal(t, refuse, verdictOf(t, m, native, unix.SYS_SETRLIMIT, limit, high))
		require.EqualValues(t, permit, verdictOf(t, m, native, unix.SYS_PRLIMIT64, 7, limit, 0, high), "reading")
		for _, pointer := range []uint64{1, high} {
			require.Equal(t, refuse, verdictOf(t, m, native, unix.SYS_PRLIMIT64, 0, limit, pointer, 0))
			require.EqualValues(t, permit, verdictOf(t, m, native, unix.SYS_PRLIMIT64, 0, limit, pointer, 0, m.key[0], m.key[1]))
			for bit := range 128 {
				near := m.key
				near[bit/64] ^= 1 << (bit % 64)
				require.Equal(t, refuse, verdictOf(t, m, native, unix.SYS_PRLIMIT64, 0, limit, pointer, 0, near[0], near[1]), bit)
			}
		}
	}
	for _, limit := range []uint64{unix.RLIMIT_NOFILE, unix.RLIMIT_CPU, unix.RLIMIT_SIGPENDING} {
		require.EqualValues(t, permit, verdictOf(t, m, native, unix.SYS_SETRLIMIT, limit, high))
		require.EqualValues(t, permit, verdictOf(t, m, native, unix.SYS_PRLIMIT64, 0, limit, high))
		require.EqualValues(t, permit, verdictOf(t, m, native, unix.SYS_PRLIMIT64, 1, limit, 0), "reading")
		require.Equal(t, refuse, verdictOf(t, m, native, unix.SYS_PRLIMIT64, 1, limit, high), "of another process")
	}
	for nr := range uint32(600) {
		if nr != unix.SYS_SETRLIMIT && nr != unix.SYS_PRLIMIT64 {
			require.EqualValues(t, permit, verdictOf(t, m, native, nr, rlimitLocks, rlimitLocks, high), nr)
		}
		require.Equal(t, absent, verdictOf(t, m, other, nr))
		require.Equal(t, absent, verdictOf(t, m, native, nr|1<<30))
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("12 (a) Z (b c)) S 3 4 5 0 -1 0 0 0 0 0 10 20 30 40 20 0 1 0 777 1 2\n"))
	f.Add([]byte("1 (x) S"))
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = parseStat(b) })
}
