package httpapi

import (
	"context"
	"encoding/base64"
	"io"
	"sync"

	"github.com/google/uuid"

	"github.com/agb-go/sdk/engine/internal/spool"
	"github.com/agb-go/sdk/internal/wire"
)

const (
	// keptText and keptBytes are how many bytes of both streams of a run are
	// kept: what fits into an answer as text, at best, and as base64.
	keptText  = outputBudget
	keptBytes = outputBudget/4*3 - 6 // the last group of three of each may be filled up
	// largeOutput is how long output is that is not copied into the answer.
	largeOutput = 64 << 10
)

// keeper keeps the output of a run: the beginnings of two streams, of each some
// 128 KiB in memory and what is more in a file. It is safe for concurrent use
// while the run goes on.
type keeper struct {
	mu    sync.Mutex
	claim *claim
	most  int // bytes of both streams
	size  int // of all pieces
	paid  int // how much of that was claimed

	file   *spool.File // of full large pieces; nil until there is one
	noFile bool        // there is none to be had: all stays in memory
	length int64       // of file
	unused []int64     // where in file is room for a large piece

	stdout, stderr stream
}

// newKeeper returns a keeper of at most so many bytes. They are the
// session's, its tenant's and the engine's until the answer is sent. ctx is the
// tool's.
func (ws *Workspace) newKeeper(ctx context.Context, most int) *keeper {
	k := &keeper{claim: newClaim(ctx, ws.output, most+2*largestPiece), most: most}
	k.stdout.keeper, k.stderr.keeper = k, k
	if sent, ok := ctx.Value(answerKey{}).(context.Context); ok {
		context.AfterFunc(sent, k.release)
	}
	return k
}

// release gives everything back: nobody reads what was kept any more.
func (k *keeper) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range []*stream{&k.stdout, &k.stderr} {
		for _, p := range s.pieces {
			freePiece(p.mem)
		}
		s.pieces, s.full = nil, true
	}
	if k.file != nil {
		_ = k.file.Close() // nothing in it is wanted
		k.file = nil
	}
	k.noFile = true
	k.claim.release()
}

// answerKey is the key of a value in the context of a tool: a context that ends
// when the answer was sent, or will not be.
type answerKey struct{}

// reserve makes room for so many bytes besides the streams.
func (k *keeper) reserve(n int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.charge(n)
}

// charge counts n bytes more. k.mu is held.
func (k *keeper) charge(n int) bool {
	if due := k.size + n - freeOutput - k.paid; due > 0 {
		if !k.claim.take(due) {
			return false
		}
		k.paid += due
	}
	k.size += n
	return true
}

// stream is the beginning of an output stream. It implements [io.Writer].
type stream struct {
	keeper  *keeper
	pieces  pieces
	kept    int
	dropped int64
	full    bool // something was dropped, so that nothing may follow
}

// Write keeps what it can and never fails. It may wait until others
// need less.
func (s *stream) Write(p []byte) (int, error) {
	s.keeper.mu.Lock()
	defer s.keeper.mu.Unlock()
	rest := p
	for len(rest) > 0 && !s.full {
		n := min(len(rest), s.keeper.left(s))
		if n == 0 || !s.room() {
			s.full = true
			break
		}
		last := &s.pieces[len(s.pieces)-1]
		n = min(n, cap(last.mem)-last.size)
		last.mem = append(last.mem, rest[:n]...)
		last.size += n
		s.kept += n
		rest = rest[n:]
	}
	s.dropped += int64(len(rest))
	return len(p), nil
}

// left returns how many bytes more s may have. Each stream has a right to half
// of all, and may have what the other does not need.
func (k *keeper) left(s *stream) int {
	other := &k.stdout
	if other == s {
		other = &k.stderr
	}
	left := k.most - s.kept - other.kept
	if half := k.most / 2; left == 0 && s.kept < half {
		left = min(half-s.kept, largestPiece)
		other.cut(left)
	}
	return left
}

// room sees to it that the last piece takes something.
func (s *stream) room() bool {
	var last *piece
	size := firstPiece
	if n := len(s.pieces); n > 0 {
		last = &s.pieces[n-1]
		size <<= min(n-1, pieceDoublings)
	}
	if last != nil && last.size < cap(last.mem) {
		return true
	}
	if !s.keeper.charge(size) {
		return false
	}
	next := newPiece(size)
	if last != nil { // a character is in one piece
		end := last.size - unfinished(last.mem)
		next = append(next, last.mem[end:]...)
		*last = last.beginning(end)
		s.keeper.store(last)
	}
	s.pieces = append(s.pieces, piece{size: len(next), charged: size, mem: next})
	return true
}

// answerFiles are the files of all keepers.
var answerFiles spool.Files

// store moves a large piece to the file, if it can.
func (k *keeper) store(p *piece) {
	if p.charged < largestPiece || k.noFile {
		return
	}
	if k.file == nil {
		var err error
		if k.file, err = answerFiles.New(); err != nil {
			k.file, k.noFile = nil, true
			return
		}
	}
	at, free := k.length, len(k.unused)
	if free > 0 {
		at = k.unused[free-1]
	}
	if _, err := k.file.WriteAt(p.mem, at); err != nil { // the disk is full, or broken
		k.noFile = true
		return
	}
	if free > 0 {
		k.unused = k.unused[:free-1]
	} else {
		k.length += largestPiece
	}
	freePiece(p.mem)
	p.mem, p.file, p.at = nil, k.file, at
}

// cut drops the last n bytes.
func (s *stream) cut(n int) {
	s.full = true
	s.kept -= n
	s.dropped += int64(n)
	for n > 0 {
		last := &s.pieces[len(s.pieces)-1]
		k := min(n, last.size)
		n -= k
		*last = last.beginning(last.size - k)
		if last.size > 0 {
			return
		}
		s.keeper.size -= last.charged
		if last.file != nil {
			s.keeper.unused = append(s.keeper.unused, last.at)
		}
		freePiece(last.mem)
		s.pieces = s.pieces[:len(s.pieces)-1]
	}
}

// holes are large parts of a result, which go into the answer as it is sent.
type holes struct{ list []wire.Hole }

// bytes returns what stands for output in a field that travels as base64.
func (h *holes) bytes(p pieces) []byte {
	if b, ok := p.small(); ok {
		return b
	}
	id := uuid.New()
	mark := append(id[:], 0, 0) // a multiple of three
	h.list = append(h.list, wire.Hole{
		Mark: base64.StdEncoding.EncodeToString(mark),
		Fill: func(w io.Writer) error {
			enc := base64.NewEncoder(base64.StdEncoding, w)
			for b, err := range p.all() {
				if err != nil {
					return err
				}
				if _, err := enc.Write(b); err != nil {
					return err
				}
			}
			return enc.Close()
		},
	})
	return mark
}

// text returns what stands for output in a field that travels as JSON inside
// JSON.
func (h *holes) text(p pieces) string {
	if b, ok := p.small(); ok {
		return replaceInvalid(b)
	}
	mark := uuid.NewString()
	h.list = append(h.list, wire.Hole{Mark: mark, Fill: func(w io.Writer) error { return writeNested(w, p) }})
	return mark
}

// small returns all of p if that is not much, and can be read.
func (p pieces) small() ([]byte, bool) {
	if p.size() >= largeOutput {
		return nil, false
	}
	b, err := p.join()
	return b, err == nil
}
