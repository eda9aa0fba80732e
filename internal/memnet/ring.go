package memnet

import "sync"

const (
	// bufferLimit is how many bytes are on their way in one direction.
	bufferLimit = 64 << 10
	// smallBuffer is how many of them a connection keeps room for all the time.
	smallBuffer = 4 << 10
)

// large holds buffers of bufferLimit bytes that no connection needs.
var large = sync.Pool{New: func() any { return new([bufferLimit]byte) }}

// ring holds bytes in the order in which they came.
type ring struct {
	small *[smallBuffer]byte // nil until needed
	large *[bufferLimit]byte // nil when small does
	head  int
	size  int
}

func (r *ring) buf() []byte {
	if r.large != nil {
		return r.large[:]
	}
	if r.small == nil {
		r.small = new([smallBuffer]byte)
	}
	return r.small[:]
}

// write takes as much of p as there is room for, and returns how much.
func (r *ring) write(p []byte) int {
	if r.size+len(p) > smallBuffer && r.large == nil {
		r.grow()
	}
	buf, total := r.buf(), 0
	for len(p) > 0 && r.size < len(buf) {
		tail := (r.head + r.size) % len(buf)
		n := copy(buf[tail:min(len(buf), tail+len(buf)-r.size)], p)
		p, total, r.size = p[n:], total+n, r.size+n
	}
	return total
}

// read moves bytes to p and returns how many.
func (r *ring) read(p []byte) int {
	buf, total := r.buf(), 0
	for len(p) > 0 && r.size > 0 {
		n := copy(p, buf[r.head:min(len(buf), r.head+r.size)])
		p, total, r.size = p[n:], total+n, r.size-n
		r.head = (r.head + n) % len(buf)
	}
	if r.size == 0 {
		r.shrink()
	}
	return total
}

func (r *ring) grow() {
	held := large.Get().(*[bufferLimit]byte)
	n := 0
	if r.size > 0 {
		n = r.read(held[:])
	}
	r.large, r.head, r.size = held, 0, n
}

// shrink gives the large buffer back. The ring is empty.
func (r *ring) shrink() {
	if r.large != nil {
		large.Put(r.large)
		r.large = nil
	}
	r.head = 0
}

// drop forgets everything.
func (r *ring) drop() {
	r.size = 0
	r.shrink()
	r.small = nil
}
