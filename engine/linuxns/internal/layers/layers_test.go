//go:build linux && (amd64 || arm64)

package layers

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

func TestSmallCopiesOnlyWhatAllMayRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, size int, perm os.FileMode) (string, os.FileInfo) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, make([]byte, size), perm))
		require.NoError(t, os.Chmod(path, perm))
		info, err := os.Lstat(path)
		require.NoError(t, err)
		return path, info
	}
	for _, c := range []struct {
		name string
		size int
		perm os.FileMode
		want bool
	}{
		{"limit", copyLimit, 0o644, true},
		{"beyond", copyLimit + 1, 0o644, false},
		{"private", 10, 0o600, false},
		{"group", 10, 0o640, false},
		{"empty", 0, 0o444, true},
	} {
		path, info := write(c.name, c.size, c.perm)
		_, ok := small(path, info)
		require.Equal(t, c.want, ok, c.name)
	}
	require.NoError(t, os.Symlink("limit", filepath.Join(dir, "link")))
	info, err := os.Lstat(filepath.Join(dir, "link"))
	require.NoError(t, err)
	_, ok := small(filepath.Join(dir, "link"), info)
	require.False(t, ok, "links stay links")
}

func TestParents(t *testing.T) {
	require.Empty(t, parents("/etc/fonts"))
	require.Equal(t, []string{"/etc/pki", "/etc/pki/tls"}, parents("/etc/pki/tls/certs"))
}

func TestViewIsKeptUntilItChanges(t *testing.T) {
	var v view
	one, err := v.tape()
	require.NoError(t, err)
	two, err := v.tape()
	require.NoError(t, err)
	require.Same(t, one, two)
	v.stamps["/etc"] = unix.Timespec{}
	three, err := v.tape()
	require.NoError(t, err)
	require.NotSame(t, one, three)
}

func TestMayUse(t *testing.T) {
	ranged, single := IDs{Range: true}, IDs{UID: 1001}
	require.True(t, ranged.mayUse(&unix.Stat_t{Mode: 0o444}))
	require.False(t, ranged.mayUse(&unix.Stat_t{Mode: 0o400}))
	require.False(t, ranged.mayUse(&unix.Stat_t{Mode: 0o440}))
	require.False(t, single.mayUse(&unix.Stat_t{Mode: 0o400}))
	require.True(t, single.mayUse(&unix.Stat_t{Mode: 0o400, Uid: 1001}))
	require.True(t, single.mayUse(&unix.Stat_t{Mode: 0o440}))
}

func TestEntryLimit(t *testing.T) {
	root := t.TempDir()
	for i := range EntryLimit {
		require.NoError(t, os.WriteFile(filepath.Join(root, strconv.Itoa(i)), nil, 0o644))
	}
	require.NoError(t, (&builder{tape.New(ReportFD)}).imageView(root, "box"))
	require.NoError(t, os.WriteFile(filepath.Join(root, "more"), nil, 0o644))
	require.Error(t, (&builder{tape.New(ReportFD)}).imageView(root, "box"))
}
