package store

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// rescue returns what can be read of a damaged file, of which base is the newest
// state whose pages are all whole, nil if there is none; and how many records
// are known to be lost.
//
// On a base come the records that were written after it, and older versions of
// those that are damaged in it. Without a base the newest version counts of
// every record that is found anywhere, some of which may have been removed
// before. Errors are errNewer and those of src.
func rescue(src io.ReaderAt, base *contents) (saved *contents, lost int, err error) {
	saved = &contents{}
	best := map[string]*entry{}
	wanted := func(*entry) bool { return true }
	if base != nil {
		saved.last = base.last
		bad := map[uint64]bool{}
		for _, seq := range base.bad {
			bad[seq] = true
		}
		for _, e := range base.entries {
			best[e.ID] = e
		}
		wanted = func(e *entry) bool { return e.rev > base.last || bad[e.Seq] }
	}
	err = scan(src, func(e *entry) {
		old := best[e.ID]
		if wanted(e) && (old == nil && len(best) < maxEntries || old != nil && old.rev < e.rev) {
			best[e.ID] = e
		}
	})
	if err != nil {
		return nil, 0, err
	}
	for _, e := range best {
		saved.entries = append(saved.entries, e)
		saved.last = max(saved.last, e.rev)
	}
	seqs := saved.seat()
	if base != nil {
		for _, seq := range base.bad {
			if !seqs[seq] {
				lost++
			}
		}
	}
	return saved, lost, nil
}

// seat sees to it that no two entries have the same place in the order, and
// returns the places. Of two that do the one written last keeps it, the other
// becomes the newest of all.
func (c *contents) seat() map[uint64]bool {
	slices.SortFunc(c.entries, func(a, b *entry) int { return cmp.Compare(b.rev, a.rev) })
	seqs := make(map[uint64]bool, len(c.entries))
	for _, e := range c.entries {
		if seqs[e.Seq] {
			c.last++
			e.Seq, e.rev = c.last, c.last
		}
		seqs[e.Seq] = true
	}
	return seqs
}

// Bounds of scan.
const (
	scanBytes = 1 << 20 // read at once
	// scanEffort is how many bytes of would-be records are looked at for each
	// byte of the file. Files that hold beginnings of records and little else
	// would take ages.
	scanEffort = 64
)

// scan calls found with every record in src, wherever it is. Errors are errNewer
// and those of src.
func scan(src io.ReaderAt, found func(*entry)) error {
	buf := make([]byte, 0, scanBytes)
	effort := 0
	for off := int64(0); ; {
		n, err := src.ReadAt(buf[len(buf):cap(buf)], off+int64(len(buf)))
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		buf = buf[:len(buf)+n]
		effort += n * scanEffort
		end := err != nil
		used, scanErr := scanPart(buf, end, &effort, found)
		if scanErr != nil || end {
			return scanErr
		}
		off += int64(used)
		buf = buf[:copy(buf, buf[used:])]
	}
}

// scanPart looks for records in b and returns how much of it is done with: all
// in which no record can begin that goes on behind b, which is the last part of
// the file if end is set. It uses effort up.
func scanPart(b []byte, end bool, effort *int, found func(*entry)) (used int, err error) {
	for {
		i := bytes.Index(b[used:], mark[:])
		if i < 0 {
			return max(used, len(b)-len(mark)+1), nil
		}
		used += i
		if !end && len(b)-used < MaxRecordBytes {
			return used, nil
		}
		e, n, err := decode(b[used:min(len(b), used+*effort)])
		switch {
		case errors.Is(err, errNewer):
			return used, err
		case err == nil:
			found(e)
			used += n
		default:
			*effort = max(0, *effort-claimed(b[used:]))
			used += len(mark)
		}
	}
}

// claimed returns how many bytes the head of a record, if there is one, says
// that it has.
func claimed(b []byte) int {
	if len(b) < headBytes {
		return len(b)
	}
	return int(min(binary.LittleEndian.Uint32(b[len(mark)+1:]), MaxRecordBytes))
}
