//go:build linux && (amd64 || arm64)

package seccomp

import (
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// mostAllowed bounds what of the kernel can be reached.
const mostAllowed = 280

// gaps are numbers up to newest, both included, that no kernel ever used.
var gaps = map[string][][2]uint32{
	"amd64": {{337, 423}},
	"arm64": {{244, 259}, {295, 423}},
}

// expected says from the tables alone what becomes of each number in them, and
// why. It is kept apart from the code that makes them a rule.
func expected(t *testing.T) (verdicts map[uint32]verdict, why map[uint32]string) {
	t.Helper()
	verdicts, why = map[uint32]verdict{}, map[uint32]string{}
	say := func(nr uint32, v verdict, reason string) {
		require.NotContains(t, why, nr, "%d is twice in the tables: %s", nr, reason)
		verdicts[nr], why[nr] = v, reason
	}
	for _, tables := range []struct {
		groups []group
		then   verdict
	}{
		{slices.Concat(allowed, allowedHere), unix.SECCOMP_RET_ALLOW},
		{slices.Concat(refused, refusedHere), eperm},
		{slices.Concat(missing, missingHere), enosys},
		{pretended, unix.SECCOMP_RET_ERRNO},
	} {
		for _, g := range tables.groups {
			require.NotEmpty(t, g.why)
			for _, nr := range g.calls {
				say(nr, tables.then, g.why)
			}
		}
	}
	return verdicts, why
}

func examinedCalls() []uint32 {
	var list []uint32
	for _, e := range slices.Concat(byArguments, byArgumentsHere) {
		list = append(list, e.call)
	}
	return list
}

// TestEveryCallHasItsPlace: each number up to the newest is in one group,
// examined, or in a gap.
func TestEveryCallHasItsPlace(t *testing.T) {
	_, why := expected(t)
	for _, nr := range examinedCalls() {
		require.NotContains(t, why, nr)
		why[nr] = "examined"
	}
	for _, gap := range gaps[runtime.GOARCH] {
		for nr := gap[0]; nr <= gap[1]; nr++ {
			require.NotContains(t, why, nr)
			why[nr] = "gap"
		}
	}
	for nr := range uint32(newest + 1) {
		require.Contains(t, why, nr)
	}
	require.Len(t, why, newest+1)
}

func TestFewAreAllowed(t *testing.T) {
	n := len(examinedCalls())
	for _, g := range slices.Concat(allowed, allowedHere) {
		n += len(g.calls)
	}
	t.Logf("%d calls are allowed", n)
	require.LessOrEqual(t, n, mostAllowed)
}

// TestNumbers compares the program with the tables.
func TestNumbers(t *testing.T) {
	verdicts, _ := expected(t)
	m := filter(t)
	numbers := []uint32{5000, 0x3fffffff, 0x80000000, math.MaxUint32 - 1, math.MaxUint32}
	for nr := range uint32(601) {
		numbers = append(numbers, nr)
	}
	for _, nr := range numbers {
		if slices.Contains(examinedCalls(), nr) {
			continue
		}
		want, known := verdicts[nr]
		if !known {
			want = enosys
		}
		require.Equal(t, want, m.decide(t, native(nr)), "system call %d", nr)
		for i := range word(6) { // arguments mean nothing
			c := native(nr)
			c[low(i)/wordSize], c[high(i)/wordSize] = math.MaxUint32, math.MaxUint32
			require.Equal(t, want, m.decide(t, c), "system call %d", nr)
		}
	}
}

// TestOtherABIs: they are closed, whatever the number.
func TestOtherABIs(t *testing.T) {
	m := filter(t)
	abis := []uint32{
		0, math.MaxUint32, nativeABI - 1, nativeABI + 1, nativeABI &^ 0x80000000, // without the mark of 64 bits
		unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARM, unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_AARCH64,
	}
	for _, abi := range abis {
		if abi == nativeABI {
			continue
		}
		for nr := range uint32(601) {
			require.Equal(t, kill, m.decide(t, call{nr, abi}), "system call %d of %#x", nr, abi)
		}
	}
	if runtime.GOARCH != "amd64" {
		return
	}
	const x32 = 0x40000000
	for nr := range uint32(601) {
		require.Equal(t, kill, m.decide(t, native(x32|nr)), "x32 system call %d", nr)
	}
	require.Equal(t, kill, m.decide(t, native(0x7fffffff)))
}

// TestKernelCanFollow: with other instructions the kernel would run the program
// for every call, also for those that are always allowed.
func TestKernelCanFollow(t *testing.T) {
	program, err := compile(byABI())
	require.NoError(t, err)
	for _, i := range program {
		switch i := i.(type) {
		case bpf.LoadAbsolute:
			require.Equal(t, wordSize, i.Size)
		case bpf.JumpIf:
			require.Contains(t, []bpf.JumpTest{bpf.JumpEqual, bpf.JumpGreaterOrEqual}, i.Cond)
		case bpf.ALUOpConstant:
			require.Equal(t, bpf.ALUOpAnd, i.Op)
		case bpf.Jump, bpf.RetConstant:
		default:
			require.Failf(t, "instruction", "%v", i)
		}
	}
	raw, err := Filter()
	require.NoError(t, err)
	require.Len(t, raw, len(program))
	t.Logf("%d instructions", len(raw))
}
