//go:build linux && (amd64 || arm64)

package launcher

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// few are some ranges, with locks.
func few(t *testing.T, locks string, count int64) *ranges {
	t.Helper()
	r := newRanges(layers.IDs{Range: true, First: layers.RangeSize << 10, End: (1<<10 + count) * layers.RangeSize}, locks)
	t.Cleanup(func() {
		if r.locks >= 0 {
			require.NoError(t, unix.Close(r.locks))
		}
	})
	return r
}

func TestRanges(t *testing.T) {
	r := few(t, filepath.Join(t.TempDir(), "locks"), 3)
	got := map[int64]bool{}
	for range 3 {
		first, err := r.take()
		require.NoError(t, err)
		require.Zero(t, first%layers.RangeSize)
		require.GreaterOrEqual(t, first, int64(layers.RangeSize<<10))
		require.Less(t, first, int64(layers.RangeSize*(1<<10+3)))
		got[first] = true
	}
	require.Len(t, got, 3, "no two are alike")
	_, err := r.take()
	require.ErrorIs(t, err, unix.EAGAIN)
	r.free(0)
	_, err = r.take()
	require.ErrorIs(t, err, unix.EAGAIN)
	for first := range got {
		r.free(first)
		again, err := r.take()
		require.NoError(t, err)
		require.Equal(t, first, again)
	}
}

// TestRangesAreReusedLate: the one that was given back last is taken last.
func TestRangesAreReusedLate(t *testing.T) {
	r := few(t, "/dev/null/none", 3)
	first, err := r.take()
	require.NoError(t, err)
	r.free(first)
	for range 2 {
		other, err := r.take()
		require.NoError(t, err)
		require.NotEqual(t, first, other)
	}
}

// TestRangesOfTwoOwners: the locks keep them apart.
func TestRangesOfTwoOwners(t *testing.T) {
	locks := filepath.Join(t.TempDir(), "locks")
	one, two := few(t, locks, 4), few(t, locks, 4)
	got := map[int64]bool{}
	for range 2 {
		for _, r := range []*ranges{one, two} {
			first, err := r.take()
			require.NoError(t, err)
			got[first] = true
		}
	}
	require.Len(t, got, 4)
	_, err := two.take()
	require.ErrorIs(t, err, unix.EAGAIN)
	for first := range got {
		if one.taken[first/layers.RangeSize] {
			one.free(first)
		}
	}
	for range 2 {
		_, err := two.take()
		require.NoError(t, err)
	}
	info, err := os.Stat(locks)
	require.NoError(t, err)
	require.Zero(t, info.Size())
	require.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestRangesOfUsersAreSkipped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subuid")
	// The first range but for one id, the last id of the third, all of the fifth and more.
	require.NoError(t, os.WriteFile(path, []byte(
		"a:67108865:65535\nnonsense\nb:67305471:1\nroot:0:4294967295\nc:x:1\nd:1:\ne:67371008:9999999\n"), 0o600))
	r := few(t, "/dev/null/none", 5)
	r.skip(path, 1, 2)
	r.skip("/does/not/exist", 1, 2)
	got := map[int64]bool{}
	for range 2 {
		first, err := r.take()
		require.NoError(t, err)
		got[first] = true
	}
	require.Equal(t, map[int64]bool{1025 << 16: true, 1027 << 16: true}, got)
	_, err := r.take()
	require.ErrorIs(t, err, unix.EAGAIN)
}

func TestNoRanges(t *testing.T) {
	_, err := newRanges(layers.IDs{UID: 1000}, "/dev/null/none").take()
	require.ErrorIs(t, err, unix.EAGAIN)
}
