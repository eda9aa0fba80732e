package store

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/agb-go/sdk/apierr"
)

// lay makes a directory with a file in it.
func lay(tb testing.TB, b []byte) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "s")
	require.NoError(tb, os.Mkdir(dir, 0o700))
	require.NoError(tb, os.WriteFile(filepath.Join(dir, fileName), b, 0o600))
	return dir
}

// TestRepair: a store opens whatever is done to its file, works, and opens
// again without complaint. The damaged file is kept as it was.
func TestRepair(t *testing.T) {
	r := seeded(t)
	w := write(t, r, 200)
	for range 25 {
		b := slices.Clone(w.bytes[:r.IntN(w.used)])
		if r.IntN(2) == 0 {
			b = slices.Clone(w.bytes)
			b[r.IntN(w.used)] ^= 1 << r.IntN(8)
			b[pageSize*r.IntN(w.used/pageSize)+r.IntN(pageHead)] ^= 1 << r.IntN(8)
		}
		dir := lay(t, b)
		s, report := open(t, dir, Limits{})
		for id := range w.records {
			_, ok := s.Get(id)
			require.True(t, ok || !w.left(b, id), id)
		}
		live, ended := s.Count()
		require.Zero(t, live)
		if d := report.Damage; d != nil {
			require.Equal(t, ended, d.Saved)
			kept, err := os.ReadFile(filepath.Join(dir, d.File))
			require.NoError(t, err)
			require.Equal(t, b, kept)
			require.NotEmpty(t, d.Found)
		}
		stir(t, r, s, 20)
		want := idsOf(s.index.tenants["1"].all)
		require.NoError(t, s.Close())
		s, report = open(t, dir, Limits{})
		require.Nil(t, report.Damage)
		require.Equal(t, want, idsOf(s.index.tenants["1"].all))
	}
}

// TestAsideBounded: damaged files do not pile up.
func TestAsideBounded(t *testing.T) {
	dir := lay(t, []byte("0"))
	for i := range maxAside + 2 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fileName), fmt.Append(nil, i), 0o600))
		s, report := open(t, dir, Limits{})
		require.NotNil(t, report.Damage)
		require.NoError(t, s.Close())
	}
	names, err := filepath.Glob(filepath.Join(dir, asidePrefix+"*"))
	require.NoError(t, err)
	require.Len(t, names, maxAside)
	for i, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i+2), string(text))
	}
}

// TestTooled: a file that a tool wrote is whole, although it has a list of free
// pages then; when that is damaged nothing is lost.
func TestTooled(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	s, _ := open(t, dir, Limits{Ended: 50})
	stir(t, seeded(t), s, 300)
	want := s.index.byID
	require.NoError(t, s.Close())
	edited(t, dir, func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketSessions)).SetSequence(s.last + 1) })

	name := filepath.Join(dir, fileName)
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	_, d, err := read(b)
	require.NoError(t, err)
	require.Nil(t, d)
	m, err := readMeta(strings.NewReader(string(b)), int64(b[pageHead+48]&1))
	require.NoError(t, err)
	if other, err := readMeta(strings.NewReader(string(b)), 1-int64(b[pageHead+48]&1)); err == nil && other.txid > m.txid {
		m = other
	}
	list := b[m.freelist*pageSize:]
	require.Greater(t, native.Uint16(list[10:]), uint16(1))
	for what, harm := range map[string]func([]byte){
		"a page in use":   func(p []byte) { native.PutUint64(p[pageHead:], m.root) },
		"a page twice":    func(p []byte) { copy(p[pageHead+8:], p[pageHead:pageHead+8]) },
		"a page too far":  func(p []byte) { native.PutUint64(p[pageHead+8:], m.high) },
		"too many":        func(p []byte) { native.PutUint16(p[10:], 0xfffe) },
		"far too many":    func(p []byte) { native.PutUint16(p[10:], 0xffff); native.PutUint64(p[pageHead:], 1<<61) },
		"no list at all":  func(p []byte) { p[8] = flagLeaf },
		"the page itself": func(p []byte) { native.PutUint64(p[pageHead:], m.freelist) },
	} {
		harmed := slices.Clone(b)
		harm(harmed[m.freelist*pageSize:])
		c, d, err := read(harmed)
		require.NoError(t, err)
		require.NotNil(t, d, what)
		require.True(t, d.Complete, what)
		require.Len(t, c.entries, len(want), what)
	}
	s, report := open(t, dir, Limits{Ended: 50})
	require.Nil(t, report.Damage)
	stir(t, seeded(t), s, 50)
}

// TestFileGoesAway: a file that is cut off while it is open, so that what was
// mapped is gone, costs writes, not the process.
func TestFileGoesAway(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files that are open are not cut off there")
	}
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	s, _, err := Open(dir, Options{})
	require.NoError(t, err)
	for i := range 500 {
		_, err := s.Put(Record{ID: fmt.Sprint(i), Image: strings.Repeat("x", 500)})
		require.NoError(t, err)
	}
	require.NoError(t, os.Truncate(filepath.Join(dir, fileName), 0))
	for range 2 {
		_, err = s.Put(Record{ID: "1", State: Ended})
		require.ErrorIs(t, err, apierr.Unavailable.Err())
		require.ErrorIs(t, err, errPanic)
	}
	r, ok := s.Get("1")
	require.True(t, ok)
	require.Equal(t, Creating, r.State)
	require.NoError(t, s.Close())

	s, report := open(t, dir, Limits{})
	require.NotNil(t, report.Damage)
	_, err = s.Put(Record{ID: "1"})
	require.NoError(t, err)
}

// TestSynced: a write is on disk when it returns.
func TestSynced(t *testing.T) {
	s, _, err := Open(filepath.Join(t.TempDir(), "s"), Options{})
	require.NoError(t, err)
	require.False(t, s.file.db.NoSync)
	require.False(t, s.file.db.NoGrowSync)
	require.NoError(t, s.Close())
}
