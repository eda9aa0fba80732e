package mux

// ring holds what a stream received and nobody has read yet. It grows as
// bytes come, up to Window. One goroutine fills it and one empties it: space
// may be filled without a lock, everything else needs one.
type ring struct {
	buf  []byte
	head int // of the bytes
	size int
}

const ringStart = 512

// space makes room for n more bytes and returns it, in the order in which it
// is to be filled. The caller has seen to it that no more than Window bytes
// are ever held.
func (r *ring) space(n int) (first, second []byte) {
	if r.size == 0 {
		r.head = 0 // here, where no space is given out
	}
	if r.size+n > len(r.buf) {
		r.grow(r.size + n)
	}
	tail := r.head + r.size
	if tail >= len(r.buf) {
		tail -= len(r.buf)
	}
	if tail+n <= len(r.buf) {
		return r.buf[tail : tail+n], nil
	}
	first = r.buf[tail:]
	return first, r.buf[:n-len(first)]
}

func (r *ring) grow(need int) {
	size := max(len(r.buf), ringStart)
	for size < need {
		size *= 2
	}
	buf := make([]byte, size)
	copy(buf, r.buf[r.head:])
	copy(buf[len(r.buf)-r.head:], r.buf[:r.head])
	r.buf, r.head = buf, 0
}

// filled adds n bytes that were put where space said.
func (r *ring) filled(n int) { r.size += n }

// read moves bytes to p and returns how many.
func (r *ring) read(p []byte) int {
	total := 0
	for len(p) > 0 && r.size > 0 {
		end := min(r.head+r.size, len(r.buf))
		n := copy(p, r.buf[r.head:end])
		p = p[n:]
		total += n
		r.size -= n
		r.head += n
		if r.head == len(r.buf) {
			r.head = 0
		}
	}
	return total
}

// drop forgets everything.
func (r *ring) drop() { *r = ring{} }
