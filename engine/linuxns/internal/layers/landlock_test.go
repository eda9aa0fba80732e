//go:build linux && (amd64 || arm64)

package layers

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// TestHandled: of every version all rights are handled that it knows, and no
// others, which the kernel would refuse.
func TestHandled(t *testing.T) {
	for abi, last := range map[int]uint64{
		2: unix.LANDLOCK_ACCESS_FS_REFER, 3: unix.LANDLOCK_ACCESS_FS_TRUNCATE, 4: unix.LANDLOCK_ACCESS_FS_TRUNCATE,
		5: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, 6: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, 99: unix.LANDLOCK_ACCESS_FS_IOCTL_DEV,
	} {
		require.Equal(t, 2*last-1, handled(abi), "version %d", abi)
	}
}

// TestRuleset: versions that know scopes are asked for both, and those that do
// not are told of nothing that they do not know.
func TestRuleset(t *testing.T) {
	for abi := LandlockLeast; abi < 2*LandlockScopes; abi++ {
		attr, size := ruleset(abi)
		require.Equal(t, handled(abi), attr.Access_fs, "version %d", abi)
		if abi < LandlockScopes {
			require.EqualValues(t, 8, size, "version %d", abi)
			require.Zero(t, attr.Scoped, "version %d", abi)
			continue
		}
		require.EqualValues(t, 24, size, "version %d", abi)
		require.EqualValues(t, unix.LANDLOCK_SCOPE_SIGNAL|unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, attr.Scoped, "version %d", abi)
	}
}

// TestRulesOnlyRead: but for the devices, the names of threads and the sandbox's
// own places, nothing may be written.
func TestRulesOnlyRead(t *testing.T) {
	own := []string{"/dev", "/proc"}
	for _, w := range writable {
		own = append(own, w.path)
	}
	for _, r := range rules() {
		if !slices.Contains(own, r.path) {
			require.EqualValues(t, fsRead, r.rights, r.path)
		}
	}
	require.Len(t, rules(), 1+len(own), "one rule for the root, and no more")
	require.Zero(t, (fsWrite|fsMake|fsNodes|fsDevice)&fsRead)
}

func TestRulesGiveNoNodes(t *testing.T) {
	for _, r := range rules() {
		require.Zero(t, r.rights&fsNodes, r.path)
		require.True(t, r.path == "/" || r.rights&fsRead == 0, "%s: the root gives what may be read", r.path)
	}
}

// TestLandlockByVersion: versions that are too old add nothing to a tape.
func TestLandlockByVersion(t *testing.T) {
	calls := func(abi int) *tape.Tape {
		b := &builder{tape.New(ReportFD)}
		b.landlock(abi)
		return b.Tape
	}
	empty := tape.New(ReportFD)
	require.Equal(t, empty, calls(0))
	require.Equal(t, empty, calls(LandlockLeast-1))
	require.NotEqual(t, empty, calls(LandlockLeast))
}
