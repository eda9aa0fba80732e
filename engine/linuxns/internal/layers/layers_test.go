//go:build linux && (amd64 || arm64)

package layers

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

func TestHoldsRange(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"host", "         0          0 4294967295\n", true},
		{"exactly", "100000 0 65536\n", true},
		{"starts late", "100001 0 65536\n", false},
		{"one short", "0 0 165535\n", false},
		{"just enough", "0 0 165536\n", true},
		{"one id", "0 1000 1\n", false},
		{"second line", "0 1000 1\n1 100000 200000\n", true},
		{"split", "0 0 150000\n150000 200000 50000\n", false},
		{"empty", "", false},
		{"nonsense", "a b c\n", false},
	} {
		require.Equal(t, c.want, holdsRange(strings.NewReader(c.text)), c.name)
	}
}

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
