package httpapi

import (
	"iter"
	"sync"
	"unicode/utf8"

	"github.com/agb-go/sdk/engine/internal/spool"
)

const (
	// Output is kept in pieces: two of the first size, which then doubles up to
	// the largest.
	firstPiece     = 4 << 10
	pieceDoublings = 4
	largestPiece   = firstPiece << pieceDoublings
)

// pieces are output, in order. No character is in two of them.
type pieces []piece

// piece is a part of output: in memory, or in a file.
type piece struct {
	size    int
	charged int // how much of a keeper's bound it takes

	mem  []byte      // nil in a file
	file *spool.File // the keeper's
	at   int64
}

// inMemory returns b as output.
func inMemory(b []byte) pieces { return pieces{{size: len(b), mem: b}} }

// beginning returns the first n bytes of p.
func (p piece) beginning(n int) piece {
	p.size = n
	if p.mem != nil {
		p.mem = p.mem[:n]
	}
	return p
}

func (p pieces) size() int {
	n := 0
	for _, part := range p {
		n += part.size
	}
	return n
}

// all returns what is in p, piece by piece; each can be used until the next.
// The error is that of reading a file, and the last.
func (p pieces) all() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var buf []byte
		defer func() { freePiece(buf) }()
		for _, part := range p {
			b := part.mem
			if part.file != nil {
				if buf == nil {
					buf = newPiece(largestPiece)
				}
				b = buf[:part.size]
				if _, err := part.file.ReadAt(b, part.at); err != nil {
					yield(nil, err)
					return
				}
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

// join returns all of p.
func (p pieces) join() ([]byte, error) {
	joined := make([]byte, 0, p.size())
	for b, err := range p.all() {
		if err != nil {
			return nil, err
		}
		joined = append(joined, b...)
	}
	return joined, nil
}

// valid reports whether all of p is UTF-8.
func (p pieces) valid() bool {
	for b, err := range p.all() {
		if err != nil || !utf8.Valid(b) {
			return false
		}
	}
	return true
}

// largePieces are buffers of largestPiece bytes that nobody uses.
var largePieces = sync.Pool{New: func() any { return new([largestPiece]byte) }}

func newPiece(size int) []byte {
	if size == largestPiece {
		return largePieces.Get().(*[largestPiece]byte)[:0]
	}
	return make([]byte, 0, size)
}

func freePiece(p []byte) {
	if cap(p) == largestPiece {
		largePieces.Put((*[largestPiece]byte)(p[:largestPiece]))
	}
}
