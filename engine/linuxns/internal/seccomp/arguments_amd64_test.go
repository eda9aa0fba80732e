//go:build linux

package seccomp

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestArchPrctl(t *testing.T) {
	m := filter(t)
	for option, want := range map[uint64]verdict{
		0: eperm, 0x1000: eperm,
		0x1001: allow, // ARCH_SET_GS
		0x1002: allow, // ARCH_SET_FS
		0x1004: allow, // ARCH_GET_GS
		0x1005: eperm,
		0x1011: allow, // ARCH_GET_CPUID
		0x1023: allow, // ARCH_REQ_XCOMP_PERM
		0x2001: eperm, // ARCH_MAP_VDSO_X32
		0x2002: eperm, // ARCH_MAP_VDSO_32
		0x2003: eperm, // ARCH_MAP_VDSO_64
		0x3001: einval,
		0x4001: allow, // ARCH_GET_UNTAG_MASK
		0x5001: allow, // ARCH_SHSTK_ENABLE
		0x5006: eperm,
	} {
		require.Equal(t, want, m.decide(t, native(unix.SYS_ARCH_PRCTL, option)), "%#x", option)
		require.Equal(t, want, m.decide(t, native(unix.SYS_ARCH_PRCTL, option|1<<32)), "%#x", option)
	}
}
