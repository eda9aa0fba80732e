package store

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/agb-go/sdk/engine/drivertest"
)

// seeded returns a source of chance that can be had again.
func seeded(tb testing.TB) *rand.Rand {
	tb.Helper()
	seed := rand.Uint64()
	tb.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// open opens a store that does not wait for the disk.
func open(tb testing.TB, dir string, l Limits) (*Store, *Report) {
	tb.Helper()
	s, report, err := Open(dir, Options{Limits: l})
	require.NoError(tb, err)
	s.file.db.NoSync = true
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s, report
}

// look inspects the file of a directory.
func look(tb testing.TB, dir string) (*contents, error) {
	tb.Helper()
	f, err := os.Open(filepath.Join(dir, fileName))
	require.NoError(tb, err)
	defer func() { require.NoError(tb, f.Close()) }()
	info, err := f.Stat()
	require.NoError(tb, err)
	return inspect(f, info.Size())
}

// stir makes n random writes.
func stir(tb testing.TB, r *rand.Rand, s *Store, n int) {
	tb.Helper()
	for range n {
		id := fmt.Sprint("s", r.IntN(400))
		old, ok := s.Get(id)
		switch {
		case ok && r.IntN(3) == 0:
			require.NoError(tb, s.Delete(id))
			continue
		case ok && !old.Live():
			old.Labels = map[string]string{"n": fmt.Sprint(r.Uint64())}
		case ok:
			old.State, old.Reason = Ended, "deleted"
		default:
			size := []int{10, 100, 300, 1000, 5000, 60_000}[r.IntN(6)*r.IntN(6)/5]
			old = Record{ID: id, Tenant: fmt.Sprint(r.IntN(3)), Image: strings.Repeat("x", r.IntN(size)), Key: fmt.Sprint(id, r.Uint64())}
		}
		_, err := s.Put(old)
		require.NoError(tb, err)
	}
}

// TestInspectAgrees: whatever bbolt makes of a file with many records that come,
// grow and go is whole to inspect, and holds what the index does.
func TestInspectAgrees(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	dir, r := t.TempDir(), seeded(t)
	s, _ := open(t, dir, Limits{Ended: 150})
	for round := range 60 {
		stir(t, r, s, 1+r.IntN(60))
		if round%20 == 10 { // nearly everything goes
			for _, id := range slices.Sorted(maps.Keys(s.index.byID)) {
				if r.IntN(20) > 0 {
					require.NoError(t, s.Delete(id))
				}
			}
		}
		c, err := look(t, dir)
		require.NoError(t, err)
		requireIndex(t, s, c.entries)
		require.Equal(t, s.last, c.last)
	}
}

// requireIndex checks that the index of s has entries and no others, and is
// sound.
func requireIndex(tb testing.TB, s *Store, entries []*entry) {
	tb.Helper()
	require.Len(tb, s.index.byID, len(entries))
	x := newIndex()
	for _, e := range entries {
		have := s.index.byID[e.ID]
		require.NotNil(tb, have, e.ID)
		require.Equal(tb, have.Record, e.Record)
		copied := *e
		copied.end = have.end
		x.replace(nil, &copied)
	}
	require.Equal(tb, []any{x.live, x.ended, x.endedBytes}, []any{s.index.live, s.index.ended, s.index.endedBytes})
	require.Equal(tb, keysOf(x.byKey), keysOf(s.index.byKey))
	require.Len(tb, s.index.tenants, len(x.tenants))
	for tenant, shelf := range x.tenants {
		require.Equal(tb, idsOf(shelf.all), idsOf(s.index.tenants[tenant].all))
		require.Equal(tb, idsOf(shelf.ended), idsOf(s.index.tenants[tenant].ended))
	}
}

func keysOf(m map[tenantKey]*entry) map[tenantKey]string {
	keys := map[tenantKey]string{}
	for k, e := range m {
		keys[k] = e.ID
	}
	return keys
}

func idsOf(list []*entry) []string {
	ids := []string{}
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

// edited opens the file of a store that is closed with bbolt and changes it.
func edited(tb testing.TB, dir string, edit func(tx *bolt.Tx) error) {
	tb.Helper()
	db, err := bolt.Open(filepath.Join(dir, fileName), 0o600, nil)
	require.NoError(tb, err)
	require.NoError(tb, db.Update(edit))
	require.NoError(tb, db.Close())
}

// TestInspectFaults: what is no file of bbolt's, or not the store's, is told.
func TestInspectFaults(t *testing.T) {
	dir := t.TempDir()
	s, _ := open(t, dir, Limits{})
	for i := range 200 {
		_, err := s.Put(Record{ID: fmt.Sprint(i), Image: strings.Repeat("x", 100)})
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	good, err := os.ReadFile(filepath.Join(dir, fileName))
	require.NoError(t, err)
	_, err = inspect(strings.NewReader(string(good)), int64(len(good)))
	require.NoError(t, err)

	newest := 0
	if native.Uint64(good[pageHead+48:]) < native.Uint64(good[pageSize+pageHead+48:]) {
		newest = pageSize
	}
	page := func(b []byte, id uint64) []byte { return b[id*pageSize:] }
	root := func(b []byte) []byte { return page(b, native.Uint64(b[newest+pageHead+16:])) }
	value := func(p []byte, i int) []byte {
		_, v, err := element(p, i, 4)
		require.NoError(t, err)
		return v
	}
	branch := func(b []byte) []byte { return page(b, native.Uint64(value(root(b), 1))) }
	require.Equal(t, uint16(flagBranch), native.Uint16(branch(good)[8:]))
	leafOf := func(b []byte, i int) uint64 { return native.Uint64(branch(b)[pageHead+i*elemHead+8:]) }

	for name, harm := range map[string]func(b []byte){
		"meta checksum":     func(b []byte) { b[newest+pageHead+56]++ },
		"other meta":        func(b []byte) { b[pageSize-newest+pageHead+20]++ },
		"meta page's id":    func(b []byte) { b[newest]++ },
		"page id":           func(b []byte) { page(b, leafOf(b, 1))[0]++ },
		"page flags":        func(b []byte) { page(b, leafOf(b, 1))[8] = flagBranch | flagLeaf },
		"page is free list": func(b []byte) { page(b, leafOf(b, 1))[8] = flagFree },
		"overflow":          func(b []byte) { page(b, leafOf(b, 1))[15] = 0xff },
		"empty leaf":        func(b []byte) { copy(page(b, leafOf(b, 1))[10:], []byte{0, 0}) },
		"too many elements": func(b []byte) { copy(page(b, leafOf(b, 1))[10:], []byte{0xff, 0xff}) },
		"element position":  func(b []byte) { page(b, leafOf(b, 1))[pageHead+4+3] = 0xff },
		"element key size":  func(b []byte) { copy(page(b, leafOf(b, 1))[pageHead+8:], []byte{0, 0, 0, 0}) },
		"element flags":     func(b []byte) { page(b, leafOf(b, 1))[pageHead] = 2 },
		"element is bucket": func(b []byte) { page(b, leafOf(b, 1))[pageHead] = 1 },
		"cycle":             func(b []byte) { native.PutUint64(branch(b)[pageHead+8:], native.Uint64(branch(b))) },
		"page twice":        func(b []byte) { native.PutUint64(branch(b)[pageHead+8:], leafOf(b, 1)) },
		"page beyond":       func(b []byte) { native.PutUint64(branch(b)[pageHead+8:], 1<<60) },
		"page is a meta":    func(b []byte) { native.PutUint64(branch(b)[pageHead+8:], 1) },
		"branch key":        func(b []byte) { k, _, _ := element(branch(b), 1, 0); k[7]-- },
		"leaf key order":    func(b []byte) { k, _, _ := element(page(b, leafOf(b, 1)), 1, 4); k[0] = 0xff },
		"record":            func(b []byte) { v := value(page(b, leafOf(b, 1)), 1); v[len(v)-3]++ },
		"record's seq":      func(b []byte) { k, _, _ := element(page(b, leafOf(b, 1)), 1, 4); k[7] ^= 0x80 },
		"bucket's name":     func(b []byte) { k, _, _ := element(root(b), 0, 4); k[0]++ },
		"bucket's sequence": func(b []byte) { native.PutUint64(value(root(b), 1)[8:], 1<<63) },
		"format": func(b []byte) {
			p := value(root(b), 0)[bucketSeq:]
			value(p, 0)[0] = 'x'
		},
	} {
		b := slices.Clone(good)
		harm(b)
		_, err := inspect(strings.NewReader(string(b)), int64(len(b)))
		require.True(t, isFault(err), "%s: %v", name, err)
	}
}
