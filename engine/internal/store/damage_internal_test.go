package store

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
)

// written is a file, with what its store says is in it.
type written struct {
	bytes   []byte
	used    int                // what is in use ends here
	records map[string]*entry  // by id
	texts   map[string][]byte  // records as written
	places  map[string][]int   // where in bytes they are, also where nothing points to
	history map[uint64]*Record // every version that was ever committed, by revision
}

// write makes a file with some history.
func write(tb testing.TB, r *rand.Rand, rounds int) *written {
	tb.Helper()
	dir := tb.TempDir()
	s, _ := open(tb, dir, Limits{Ended: 100})
	w := &written{texts: map[string][]byte{}, places: map[string][]int{}, history: map[uint64]*Record{}}
	for range rounds {
		stir(tb, r, s, 1)
		for _, e := range s.index.byID {
			w.history[e.rev] = &e.Record
		}
	}
	w.records = s.index.byID
	require.NoError(tb, s.Close())
	var err error
	w.bytes, err = os.ReadFile(filepath.Join(dir, fileName))
	require.NoError(tb, err)
	c, err := inspect(bytes.NewReader(w.bytes), int64(len(w.bytes)))
	require.NoError(tb, err)
	w.used = int(c.high) * pageSize
	for id, e := range w.records {
		text, err := encode(e)
		require.NoError(tb, err)
		w.texts[id] = text
		for from := 0; ; {
			i := bytes.Index(w.bytes[from:], text)
			if i < 0 {
				break
			}
			w.places[id] = append(w.places[id], from+i)
			from += i + 1
		}
	}
	return w
}

// left reports whether the record is anywhere in b, which was w.
func (w *written) left(b []byte, id string) bool {
	return slices.ContainsFunc(w.places[id], func(i int) bool {
		return i <= len(b) && bytes.HasPrefix(b[i:], w.texts[id])
	})
}

// read does what Open does with a file, but for writing.
func read(b []byte) (c *contents, d *Damage, err error) {
	src := bytes.NewReader(b)
	c, fault := inspect(src, int64(len(b)))
	if !isFault(fault) {
		return c, nil, fault
	}
	saved, lost, err := rescue(src, c)
	return saved, &Damage{Found: fault.Error(), Lost: lost, Complete: c != nil && c.latest}, err
}

// requireSaved checks what was read of a damaged file b that was w.
func (w *written) requireSaved(tb testing.TB, b []byte, what string) {
	tb.Helper()
	c, d, err := read(b)
	require.NoError(tb, err, what)
	saved := map[string]*entry{}
	for _, e := range c.entries {
		if known := w.history[e.rev]; known == nil || !reflect.DeepEqual(*known, e.Record) {
			require.Equal(tb, known, &e.Record, what)
		}
		saved[e.ID] = e
	}
	require.Len(tb, saved, len(c.entries), what)
	gone := 0
	for id, e := range w.records {
		if s := saved[id]; w.left(b, id) {
			require.NotNil(tb, s, what)
			require.Equal(tb, e.rev, s.rev, what)
		} else if s == nil {
			gone++
		}
	}
	if d == nil {
		require.Len(tb, saved, len(w.records), what)
		require.Zero(tb, gone, what)
	} else if d.Complete {
		require.GreaterOrEqual(tb, d.Lost+len(saved), len(w.records), what)
		require.GreaterOrEqual(tb, d.Lost, gone, what)
	}
}

// TestCut: a file that ends early gives back every record that is in what is
// left of it.
func TestCut(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	r := seeded(t)
	w := write(t, r, 300)
	cuts := []int{0, 1, pageHead, pageSize - 1, pageSize, pageSize + 1, 2 * pageSize, w.used - 1, w.used, w.used + 1, len(w.bytes) - 1}
	for range 150 {
		cuts = append(cuts, r.IntN(w.used))
	}
	for _, n := range cuts {
		w.requireSaved(t, w.bytes[:n], fmt.Sprint("cut at ", n))
	}
	_, d, err := read(w.bytes[:w.used])
	require.NoError(t, err)
	require.Nil(t, d, "what is not in use is not missed")
	_, d, err = read(w.bytes[:w.used-1])
	require.NoError(t, err)
	require.NotNil(t, d)
}

// TestFlip: a flipped bit costs at most the record in which it is.
func TestFlip(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	r := seeded(t)
	w := write(t, r, 300)
	for range 150 {
		b := slices.Clone(w.bytes)
		what := "flip"
		for range 1 + r.IntN(3) {
			i := r.IntN(w.used)
			if r.IntN(2) == 0 {
				i = i / pageSize * pageSize // heads matter more
				i += r.IntN(64)
			}
			b[i] ^= 1 << r.IntN(8)
			what += fmt.Sprint(" ", i)
		}
		w.requireSaved(t, b, what)
	}
}

// TestLastWrite: with the newer of the two pages that say where the tree is
// gone, and with it the last transaction, that is found all the same.
func TestLastWrite(t *testing.T) {
	w := write(t, seeded(t), 300)
	for _, i := range []int{0, pageSize} {
		b := slices.Clone(w.bytes)
		clear(b[i : i+pageSize])
		c, d, err := read(b)
		require.NoError(t, err)
		require.Equal(t, &Damage{Found: fmt.Sprintf("meta page %d is damaged", i/pageSize)}, d)
		for id, e := range w.records {
			require.True(t, slices.ContainsFunc(c.entries, func(s *entry) bool { return s.ID == id && s.rev == e.rev }), id)
		}
	}
}

// TestNothingLeft: without any page that says where the tree is every record is
// found.
func TestNothingLeft(t *testing.T) {
	w := write(t, seeded(t), 300)
	b := slices.Clone(w.bytes)
	clear(b[:2*pageSize])
	w.requireSaved(t, b, "no meta page")
	c, d, err := read(b)
	require.NoError(t, err)
	require.False(t, d.Complete)
	require.GreaterOrEqual(t, len(c.entries), len(w.records))
}

// TestRescueDoubles: entries that claim one place in the order are all kept.
func TestRescueDoubles(t *testing.T) {
	var b []byte
	for _, e := range []*entry{
		{rev: 7, Record: Record{ID: "a", Seq: 5}}, {rev: 9, Record: Record{ID: "b", Seq: 5}},
		{rev: 8, Record: Record{ID: "a", Seq: 5, Reason: "later"}}, {rev: 9, Record: Record{ID: "c", Seq: 9}},
	} {
		text, err := encode(e)
		require.NoError(t, err)
		b = append(append(b, "\xff\xffA"...), text...)
	}
	c, lost, err := rescue(bytes.NewReader(b), nil)
	require.NoError(t, err)
	require.Zero(t, lost)
	got := map[string]*entry{}
	seqs := map[uint64]bool{}
	for _, e := range c.entries {
		got[e.ID] = e
		seqs[e.Seq] = true
		require.LessOrEqual(t, e.rev, c.last)
	}
	require.Len(t, seqs, 3)
	require.EqualValues(t, 5, got["b"].Seq)
	require.Equal(t, "later", got["a"].Reason)
}

// TestScanParts: records are found wherever they are in what is read at once.
func TestScanParts(t *testing.T) {
	e := &entry{rev: 1, Record: Record{ID: "a", Seq: 1, Image: string(bytes.Repeat([]byte("x"), 50_000))}}
	text, err := encode(e)
	require.NoError(t, err)
	for _, at := range []int{0, scanBytes - len(text), scanBytes - len(text) + 1, scanBytes - 1, scanBytes, scanBytes - MaxRecordBytes, 2*scanBytes - 7} {
		b := append(make([]byte, at), text...)
		for _, tail := range []int{0, 1, scanBytes} {
			n := 0
			require.NoError(t, scan(bytes.NewReader(append(slices.Clone(b), make([]byte, tail)...)), func(*entry) { n++ }))
			require.Equal(t, 1, n, "at %d of %d", at, len(b)+tail)
		}
	}
}

// TestScanEffort: beginnings of records without records do not take for ever,
// and records among a few of them are found.
func TestScanEffort(t *testing.T) {
	text, err := encode(&entry{rev: 1, Record: Record{ID: "a", Seq: 1}})
	require.NoError(t, err)
	begin := append(mark[:], format, 0xf0, 0xff, 0, 0, 0, 0, 0, 0)
	count := func(begins int) (n int) {
		b := append(bytes.Repeat(begin, begins), text...)
		b = append(b, make([]byte, 8<<20)...)
		require.NoError(t, scan(bytes.NewReader(b), func(*entry) { n++ }))
		return n
	}
	require.Equal(t, 1, count(500))
	require.Zero(t, count(400_000))
}
