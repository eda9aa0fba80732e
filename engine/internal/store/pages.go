package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// What there is in a file of bbolt, as far as it needs checking: numbers have
// the byte order of the machine, pages one size, set when a file is made.
const (
	pageSize  = 4096
	pageHead  = 16 // id 8, flags 2, count 2, overflow 4
	elemHead  = 16 // leaf: flags 4, position 4, key size 4, value size 4; branch: position 4, key size 4, page 8
	bucketSeq = 16 // root page 8, sequence 8

	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = 1<<64 - 1

	flagBranch = 0x01
	flagLeaf   = 0x02
	flagMeta   = 0x04
	flagFree   = 0x10
	flagBucket = 0x01 // of an element of a leaf
)

// Bounds of a tree. bbolt keeps up to four elements on a page, however large.
const (
	maxOverflow = 4 * (MaxRecordBytes + pageSize) / pageSize
	maxDepth    = 16
)

// fault says in which way a file is not as the store left it.
type fault struct{ what string }

func (f *fault) Error() string { return f.what }

func faultf(format string, args ...any) error { return &fault{fmt.Sprintf(format, args...)} }

var native = binary.NativeEndian

// meta is one of the two pages that say where the tree is.
type meta struct {
	root, freelist, high, txid uint64
}

// readMeta reads meta page i, 0 or 1. The error is a fault, errNewer, or that
// of src.
func readMeta(src io.ReaderAt, i int64) (m meta, err error) {
	var p [pageHead + 64]byte
	if _, err := src.ReadAt(p[:], i*pageSize); err != nil {
		return m, atEnd(err, "meta page %d is cut off", i)
	}
	b := p[pageHead:]
	switch {
	case native.Uint32(b) != boltMagic, native.Uint64(b[56:]) != metaSum(b):
		return m, faultf("meta page %d is damaged", i)
	case native.Uint32(b[4:]) > boltVersion:
		return m, errNewer
	case native.Uint32(b[4:]) != boltVersion, native.Uint32(b[8:]) != pageSize:
		return m, faultf("meta page %d is not the store's", i)
	case native.Uint64(p[:]) != uint64(i), native.Uint16(p[8:]) != flagMeta:
		return m, faultf("meta page %d has a damaged head", i)
	}
	return meta{root: native.Uint64(b[16:]), freelist: native.Uint64(b[32:]), high: native.Uint64(b[40:]), txid: native.Uint64(b[48:])}, nil
}

// metaSum returns the checksum of a meta page without its head.
func metaSum(b []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(b[:56]) // never fails
	return h.Sum64()
}

// atEnd returns err, or a fault when err says that src ends here.
func atEnd(err error, format string, args ...any) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return faultf(format, args...)
	}
	return err
}

// A walker walks the trees of a file. It takes no page twice.
type walker struct {
	src  io.ReaderAt
	high uint64   // pages from here on are not in use, or not there
	seen []uint64 // bits of the pages that are in use
}

// page reads a page with all that belongs to it. want are the flags allowed.
func (w *walker) page(id uint64, want uint16) ([]byte, error) {
	if id < 2 || id >= w.high {
		return nil, faultf("page %d is beyond the end", id)
	}
	var head [pageHead]byte
	if _, err := w.src.ReadAt(head[:], int64(id)*pageSize); err != nil {
		return nil, atEnd(err, "page %d is cut off", id)
	}
	flags, overflow := native.Uint16(head[8:]), uint64(native.Uint32(head[12:]))
	switch {
	case native.Uint64(head[:]) != id, flags&want == 0, flags&(flags-1) != 0:
		return nil, faultf("page %d has a damaged head", id)
	case overflow > maxOverflow, id+overflow >= w.high:
		return nil, faultf("page %d is too large", id)
	}
	for i := id; i <= id+overflow; i++ {
		if w.seen[i/64]&(1<<(i%64)) != 0 {
			return nil, faultf("page %d is in use twice", i)
		}
		w.seen[i/64] |= 1 << (i % 64)
	}
	p := make([]byte, (1+overflow)*pageSize)
	if _, err := w.src.ReadAt(p, int64(id)*pageSize); err != nil {
		return nil, atEnd(err, "page %d is cut off", id)
	}
	return p, nil
}

// leaf is an element of a leaf page.
type leaf struct {
	bucket     bool
	key, value []byte
}

// tree visits the elements of a tree in order. first is the key that the parent
// has for the page, nil for a root, last the key visited before.
func (w *walker) tree(id uint64, depth int, first []byte, last *[]byte, visit func(leaf) error) error {
	if depth > maxDepth {
		return faultf("page %d is too deep", id)
	}
	p, err := w.page(id, flagBranch|flagLeaf)
	if err != nil {
		return err
	}
	isLeaf, count := native.Uint16(p[8:]) == flagLeaf, int(native.Uint16(p[10:]))
	if count == 0 && (first != nil || !isLeaf) {
		return faultf("page %d is empty", id)
	}
	if isLeaf {
		return leaves(p, id, first, last, visit)
	}
	for i := range count {
		key, _, err := element(p, i, 0)
		if err != nil {
			return err
		}
		if i == 0 && first != nil && !bytes.Equal(key, first) {
			return faultf("page %d does not begin with its key", id)
		}
		if err := w.tree(native.Uint64(p[pageHead+i*elemHead+8:]), depth+1, key, last, visit); err != nil {
			return err
		}
	}
	return nil
}

// leaves visits the elements of a leaf page.
func leaves(p []byte, id uint64, first []byte, last *[]byte, visit func(leaf) error) error {
	for i := range int(native.Uint16(p[10:])) {
		key, value, err := element(p, i, 4)
		if err != nil {
			return err
		}
		if i == 0 && first != nil && !bytes.Equal(key, first) {
			return faultf("page %d does not begin with its key", id)
		}
		if *last != nil && bytes.Compare(*last, key) >= 0 {
			return faultf("page %d has its keys in disorder", id)
		}
		*last = key
		flags := native.Uint32(p[pageHead+i*elemHead:])
		if flags > flagBucket {
			return faultf("page %d has an element of an unknown kind", id)
		}
		if err := visit(leaf{flags == flagBucket, key, value}); err != nil {
			return err
		}
	}
	return nil
}

// element returns key and value of element i of page p. at is where in an
// element's head its position is: 0 on a branch, whose elements have no value.
func element(p []byte, i, at int) (key, value []byte, err error) {
	start := pageHead + i*elemHead
	if start+elemHead > len(p) {
		return nil, nil, faultf("a page has more elements than room")
	}
	head := p[start:]
	from := uint64(start) + uint64(native.Uint32(head[at:]))
	mid := from + uint64(native.Uint32(head[at+4:]))
	end := mid
	if at != 0 {
		end += uint64(native.Uint32(head[12:]))
	}
	if from == mid || end > uint64(len(p)) {
		return nil, nil, faultf("an element is not on its page")
	}
	return p[from:mid], p[mid:end], nil
}

// free checks the list of free pages. The store writes none, but for an empty
// one when a file is made; tools do.
func (w *walker) free(id uint64) error {
	p, err := w.page(id, flagFree)
	if err != nil {
		return err
	}
	ids, count := p[pageHead:], uint64(native.Uint16(p[10:]))
	if count == 0xffff { // the number is too large for its place
		count, ids = native.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return faultf("the list of free pages is longer than its page")
	}
	last := uint64(1)
	for i := range count {
		free := native.Uint64(ids[8*i:])
		if free <= last || free >= w.high || w.seen[free/64]&(1<<(free%64)) != 0 {
			return faultf("page %d is not free", free)
		}
		last = free
	}
	return nil
}
