//go:build linux && (amd64 || arm64)

package seccomp

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	eperm   = verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM))
	enosys  = verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS))
	einval  = verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.EINVAL))
	noProto = verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.EPROTONOSUPPORT))
	noFam   = verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.EAFNOSUPPORT))
	enomem  = verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOMEM))
	noOpt   = verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.ENOPROTOOPT))
	noSupp  = verdict(unix.SECCOMP_RET_ERRNO | uint32(unix.EOPNOTSUPP))
)

// call is struct seccomp_data, in words of 32 bits.
type call [dataSize / wordSize]uint32

const dataSize = 64

func native(nr uint32, arguments ...uint64) call {
	c := call{nr, nativeABI}
	for i, a := range arguments {
		c[low(word(i))/wordSize], c[high(word(i))/wordSize] = uint32(a), uint32(a>>32)
	}
	return c
}

// A machine interprets a program.
type machine struct{ vm *bpf.VM }

func newMachine(t *testing.T, program []bpf.Instruction) machine {
	t.Helper()
	vm, err := bpf.NewVM(program)
	require.NoError(t, err)
	return machine{vm}
}

// filter is the machine of the whole filter.
func filter(t *testing.T) machine {
	t.Helper()
	program, err := compile(byABI())
	require.NoError(t, err)
	return newMachine(t, program)
}

// decide lays a call out as the interpreter reads it: it knows packets, whose
// words are big-endian, where the kernel has native ones.
func (m machine) decide(t *testing.T, c call) verdict {
	t.Helper()
	var packet [dataSize]byte
	for i, w := range c {
		binary.BigEndian.PutUint32(packet[i*wordSize:], w)
	}
	r, err := m.vm.Run(packet[:])
	require.NoError(t, err)
	return verdict(r)
}
