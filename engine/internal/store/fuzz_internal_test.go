package store

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// seeds adds files to a corpus: whole ones, parts of them, and some that are
// none. They are the same in every run.
func seeds(f *testing.F) {
	f.Helper()
	f.Add([]byte{}, false)
	f.Add(make([]byte, 3*pageSize), true)
	for _, rounds := range []int{0, 3, 30} {
		w := write(f, rand.New(rand.NewPCG(1, uint64(rounds))), rounds)
		b := w.bytes[:min(w.used, 40*pageSize)]
		f.Add(b, false)
		f.Add(b[:len(b)/2], false)
		f.Add(b[2*pageSize:], false)
		for i := range 16 {
			harmed := slices.Clone(b)
			harmed[(i*7919+i/8)%len(b)/pageSize*pageSize+i*3] ^= 1 << (i % 8)
			f.Add(harmed, i%2 == 0)
		}
	}
}

// reseal makes the checksums of the two meta pages right: without them nothing
// else is looked at.
func reseal(b []byte) []byte {
	b = slices.Clone(b)
	for _, at := range []int{0, pageSize} {
		if len(b) >= at+pageHead+64 {
			m := b[at+pageHead:]
			native.PutUint64(m[56:], metaSum(m))
		}
	}
	return b
}

// FuzzInspect: of no file does reading it panic or hang, and what is read can be
// written. Whole is only what bbolt agrees is.
func FuzzInspect(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			b = reseal(b)
		}
		c, _, err := read(b)
		if err != nil {
			require.ErrorIs(t, err, errNewer)
			return
		}
		seqs, ids := map[uint64]bool{}, map[string]bool{}
		for _, e := range c.entries {
			require.False(t, seqs[e.Seq] || ids[e.ID])
			seqs[e.Seq], ids[e.ID] = true, true
			require.LessOrEqual(t, e.rev, c.last)
			_, err := encode(e)
			require.NoError(t, err)
		}
	})
}

// FuzzOpen: a store opens whatever its file is, or refuses it as a newer
// version's, and works.
func FuzzOpen(f *testing.F) {
	seeds(f)
	dir := f.TempDir()
	require.NoError(f, os.Chmod(dir, 0o700))
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			b = reseal(b)
		}
		name := filepath.Join(dir, fileName)
		require.NoError(t, os.WriteFile(name, b, 0o600))
		s, report, err := Open(dir, Options{})
		if err != nil {
			require.ErrorIs(t, err, errNewer)
			after, err := os.ReadFile(name)
			require.NoError(t, err)
			require.True(t, bytes.Equal(b, after))
			return
		}
		s.file.db.NoSync = true
		if d := report.Damage; d != nil {
			require.NoError(t, os.Remove(filepath.Join(dir, d.File)))
		}
		for _, r := range []Record{{ID: "\x00first"}, {ID: "s1"}, {ID: "s1", State: Ended}, {ID: "\x00first", State: Ended}} {
			if old, ok := s.Get(r.ID); ok {
				r.Tenant = old.Tenant
				if !old.Live() {
					r.State = Ended
				}
			}
			_, err := s.Put(r)
			require.NoError(t, err)
		}
		for id := range s.index.byID {
			if id != "s1" {
				require.NoError(t, s.Delete(id))
			}
		}
		want, _ := s.Get("s1")
		require.NoError(t, s.Close())
		c, err := look(t, dir)
		require.NoError(t, err)
		require.Len(t, c.entries, 1)
		require.Equal(t, want, c.entries[0].Record)
	})
}
