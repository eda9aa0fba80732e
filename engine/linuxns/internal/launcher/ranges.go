//go:build linux && (amd64 || arm64)

package launcher

import (
	"bufio"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// rangeLocks is a file whose bytes stand for the ranges of ids on this machine:
// who has locked byte i uses range i, see F_OFD_SETLK in fcntl(2). It is made
// with the first sandbox of a root owner, stays empty, and keeps different
// owners apart. Its directory is root's alone.
const rangeLocks = "/run/agb-id-ranges"

// lineLimit bounds, in bytes, a line of a file of users.
const lineLimit = 1 << 20

// ranges are the ids of a root owner's sandboxes: each has a range of its own
// for as long as it lives.
type ranges struct {
	first, count int64 // numbers of ranges: ids divided by their size
	taken        map[int64]bool
	next         int64 // offset where to look first
	locks        int   // descriptor of rangeLocks; -1 where it cannot be had
}

// newRanges returns the ranges of an owner with ids, but for those that the
// machine has given to users. The start is random, so that ids are reused
// late, and even owners who cannot see each other's locks hardly ever meet.
func newRanges(ids layers.IDs, locks string) *ranges {
	r := &ranges{taken: map[int64]bool{}, locks: -1}
	if !ids.Range {
		return r
	}
	r.first, r.count = ids.First/layers.RangeSize, (ids.End-ids.First)/layers.RangeSize
	r.next = rand.Int64N(r.count)
	for _, path := range []string{"/etc/subuid", "/etc/subgid"} {
		r.skip(path, 1, 2)
	}
	for _, path := range []string{"/etc/passwd", "/etc/group"} {
		r.skip(path, 2, -1)
	}
	if fd, err := unix.Open(locks, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600); err == nil {
		r.locks = fd
	}
	return r
}

// skip leaves out the ranges that hold ids which a file of users lists. Fields
// are separated by colons; without one for the count each line has one id.
func (r *ranges) skip(path string, id, count int) {
	f, err := os.Open(path)
	if err != nil {
		return // nobody is listed
	}
	defer func() { _ = f.Close() }() // read only
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, lineLimit)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		first, ok := number(fields, id)
		length, counted := number(fields, count)
		if !counted {
			length = 1
		}
		if !ok || length == 0 || fields[0] == "root" { // who is the owner
			continue
		}
		from, to := max(first/layers.RangeSize, r.first), min((first+length-1)/layers.RangeSize, r.first+r.count-1)
		for i := from; i <= to; i++ {
			r.taken[i] = true
		}
	}
}

// number returns the id in a field.
func number(fields []string, i int) (int64, bool) {
	if i < 0 || i >= len(fields) {
		return 0, false
	}
	n, err := strconv.ParseUint(fields[i], 10, 32)
	return int64(n), err == nil
}

// take returns the first id of a range that nobody else has. The error is an
// errno: EAGAIN when all are in use.
func (r *ranges) take() (int64, error) {
	for i := range r.count {
		n := r.first + (r.next+i)%r.count
		if r.taken[n] || !r.lock(n, unix.F_WRLCK) {
			continue
		}
		r.taken[n] = true
		r.next = (n - r.first + 1) % r.count
		return n * layers.RangeSize, nil
	}
	return 0, unix.EAGAIN
}

// free gives back what take returned; 0 is nothing. Nothing of the sandbox may be left.
func (r *ranges) free(first int64) {
	if first == 0 {
		return
	}
	n := first / layers.RangeSize
	delete(r.taken, n)
	r.lock(n, unix.F_UNLCK)
}

// lock reports whether a range is this launcher's. It is without a file of
// locks, and on a file system that has none.
func (r *ranges) lock(n int64, kind int16) bool {
	if r.locks < 0 {
		return true
	}
	err := unix.FcntlFlock(uintptr(r.locks), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Start: n, Len: 1})
	return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EACCES)
}
