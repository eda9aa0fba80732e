package store

import (
	"encoding/binary"

	bolt "go.etcd.io/bbolt"
)

// total is how many records there are and what stands for all of them. A file
// has it beside them: bbolt has no checksums of pages, and a page that is an
// older one, or that hides some of its elements, is like any other.
type total struct{ records, marks uint64 }

// add adds a record.
func (t *total) add(e *entry) {
	t.records++
	t.marks ^= e.mark
}

// total returns the total of what the plan leaves.
func (p *plan) total() total {
	t := total{uint64(p.index.live + p.index.ended), p.index.marks}
	for _, d := range p.edits {
		if d.old != nil {
			t.records--
			t.marks ^= d.old.mark
		}
		if d.next != nil {
			t.add(d.next)
		}
	}
	return t
}

const totalBytes = 16

// write writes t to the bucket about.
func (t total) write(about *bolt.Bucket) error {
	b := binary.BigEndian.AppendUint64(nil, t.records)
	return about.Put([]byte(keyTotal), binary.BigEndian.AppendUint64(b, t.marks))
}

// readTotal returns what write wrote.
func readTotal(b []byte) (t total, ok bool) {
	if len(b) != totalBytes {
		return total{}, false
	}
	return total{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, true
}
