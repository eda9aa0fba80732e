package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strconv"
)

// Buckets of the file, and the keys in about.
const (
	bucketAbout    = "about"    // what the file is
	bucketSessions = "sessions" // Seq, 8 bytes, big endian → record; its sequence: the highest revision
	keyFormat      = "format"   // decimal
	keyTotal       = "total"    // see total
)

// maxBuckets is how many buckets, and keys in about, a newer file may have.
const maxBuckets = 64

// maxEntries is how many records a file may have: more than the limits allow,
// whatever they are.
const maxEntries = 1 << 20

// contents is what a file was found to hold.
type contents struct {
	entries []*entry
	bad     []uint64 // Seq of records that cannot be read
	last    uint64   // the highest revision
	high    uint64   // pages in use end here
	latest  bool     // there was no later state
}

// inspect reads a file and checks all of it that bbolt relies on. Without an
// error the file is whole.
//
// The error is a [fault] when it is damaged: then c is the newest state of which
// all pages are whole, if there is one, nil if there is none. It is errNewer
// when the file has a newer format, otherwise that of src.
func inspect(src io.ReaderAt, size int64) (c *contents, err error) {
	var metas []meta
	for i := range int64(2) {
		m, metaErr := readMeta(src, i)
		if metaErr == nil {
			metas = append(metas, m)
		} else if err = worse(err, metaErr); !isFault(err) {
			return nil, err
		}
	}
	slices.SortFunc(metas, func(a, b meta) int { return cmp.Compare(b.txid, a.txid) })
	for i, m := range metas {
		found, treeErr := readTree(src, size, m)
		if err = worse(err, treeErr); err != nil && !isFault(err) {
			return nil, err
		}
		if found != nil {
			found.latest = i == 0 && len(metas) == 2
			return found, err
		}
	}
	return nil, err
}

// worse returns the first of two errors unless only the second is none of
// damage.
func worse(a, b error) error {
	if a == nil || b != nil && !isFault(b) {
		return b
	}
	return a
}

func isFault(err error) bool {
	var f *fault
	return errors.As(err, &f)
}

// readTree reads the state that m stands for. It returns nil when not all pages
// of it are whole, and an error when anything at all is wrong.
func readTree(src io.ReaderAt, size int64, m meta) (*contents, error) {
	w := &walker{src: src, high: min(m.high, uint64(size)/pageSize)}
	w.seen = make([]uint64, w.high/64+1)
	c := &contents{high: m.high}
	buckets, err := w.buckets(m.root)
	if err != nil {
		return nil, err
	}
	want, err := w.about(buckets[bucketAbout])
	if err != nil {
		return nil, err
	}
	sessions := buckets[bucketSessions]
	if sessions == nil || len(buckets) != 2 {
		return nil, faultf("the file has %d buckets, or others", len(buckets))
	}
	if err := w.sessions(sessions, c); err != nil {
		return nil, err
	}
	if !c.is(want) {
		return nil, faultf("the file should have %d records", want.records)
	}
	if m.freelist != noFreelist {
		if err := w.free(m.freelist); err != nil {
			return c, err
		}
	}
	switch {
	case m.high > w.high:
		return c, faultf("the file is cut off")
	case len(c.bad) > 0:
		return c, faultf("%d records are damaged", len(c.bad))
	}
	return c, nil
}

// buckets returns the values of the file's buckets by their names.
func (w *walker) buckets(root uint64) (map[string][]byte, error) {
	var last []byte
	found := map[string][]byte{}
	return found, w.tree(root, 0, nil, &last, func(l leaf) error {
		if !l.bucket || len(l.value) < bucketSeq || len(found) >= maxBuckets {
			return faultf("there is something else among the buckets")
		}
		found[string(l.key)] = l.value
		return nil
	})
}

// bucket visits what is in a bucket. A small one is in its parent's leaf.
func (w *walker) bucket(value []byte, visit func(leaf) error) error {
	var last []byte
	if root := native.Uint64(value); root != 0 {
		return w.tree(root, 0, nil, &last, visit)
	}
	p := value[bucketSeq:]
	if len(p) < pageHead || native.Uint16(p[8:]) != flagLeaf || native.Uint64(p) != 0 || native.Uint32(p[12:]) != 0 {
		return faultf("a small bucket has a damaged head")
	}
	return leaves(p, 0, nil, &last, visit)
}

// about reads the bucket of that name, nil when there is none.
func (w *walker) about(value []byte) (t total, err error) {
	if value == nil {
		return t, faultf("the file does not say what it is")
	}
	known := map[string][]byte{}
	if err := w.bucket(value, func(l leaf) error {
		if l.bucket || len(known) >= maxBuckets {
			return faultf("there is something else about the file")
		}
		known[string(l.key)] = l.value
		return nil
	}); err != nil {
		return t, err
	}
	n, err := strconv.ParseUint(string(known[keyFormat]), 10, 32)
	switch {
	case err != nil || n == 0:
		return t, faultf("the number of the format is damaged")
	case n > format:
		return t, errNewer
	}
	t, ok := readTotal(known[keyTotal])
	if !ok || len(known) != 2 {
		return t, faultf("what is said about the file is damaged")
	}
	return t, nil
}

// is reports whether c has all records that there should be, be it that some
// are damaged.
func (c *contents) is(want total) bool {
	have := total{records: uint64(len(c.bad))}
	for _, e := range c.entries {
		have.add(e)
	}
	return have == want || len(c.bad) > 0 && have.records == want.records
}

// sessions reads the records into c.
func (w *walker) sessions(value []byte, c *contents) error {
	c.last = native.Uint64(value[8:])
	if c.last > maxRevision {
		return faultf("the revision is damaged")
	}
	ids := map[string]bool{}
	return w.bucket(value, func(l leaf) error {
		if l.bucket || len(l.key) != 8 || len(c.entries)+len(c.bad) >= maxEntries {
			return faultf("there is something else among the records")
		}
		seq := binary.BigEndian.Uint64(l.key)
		e, n, err := decode(l.value)
		switch {
		case errors.Is(err, errNewer):
			return err
		case err != nil || n != len(l.value) || e.Seq != seq || ids[e.ID]:
			c.bad = append(c.bad, seq)
		default:
			ids[e.ID] = true
			c.entries = append(c.entries, e)
			c.last = max(c.last, e.rev)
		}
		return nil
	})
}
