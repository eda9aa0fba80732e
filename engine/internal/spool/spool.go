// Package spool keeps the output of a process for those who come later: the
// latest bytes, in the order in which they came, by offset. A little of it is
// in memory; what is more goes to a [File], which is gone with the program.
package spool

import (
	"context"
	"io"
	"sort"
	"sync"
)

// Bounds of a [Log].
const (
	MemoryLimit  = 64 << 10 // bytes in memory
	FileLimit    = 4 << 20  // bytes in all, once they are in a file
	SegmentLimit = 4096     // how often the kind of what is kept changes
)

// files are those of all Logs.
var files Files

// Log is the output of one process: bytes of several kinds, such as its two
// streams. It is safe for concurrent use.
type Log struct {
	mu     sync.Mutex
	buf    []byte // a ring; nil once there is a file
	file   *File  // a ring; nil in memory
	failed bool   // a file cannot be had
	size   int64  // of the ring

	start, end int64 // offsets of what is kept
	segments   []segment
	held       int64 // what comes from here on must not be dropped; -1: nothing
	closed     bool
	changed    chan struct{} // closed at every change, and replaced
}

// segment is a run of bytes of one kind, which ends at an offset.
type segment struct {
	end  int64
	kind byte
}

// New returns an empty Log of which nothing is dropped before it is released,
// see [Log.Hold].
func New() *Log { return &Log{size: MemoryLimit, changed: make(chan struct{})} }

// wake has all that wait look again. l.mu is held.
func (l *Log) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Append adds output. While what is held leaves no room it waits. After Close
// it drops all.
func (l *Log) Append(kind byte, p []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(p) > 0 && !l.closed {
		n := l.room(kind, len(p))
		if n == 0 {
			changed := l.changed
			l.mu.Unlock()
			<-changed
			l.mu.Lock()
			continue
		}
		if err := l.put(p[:n]); err != nil {
			// The disk is full, or broken: what was there is lost, as if it
			// were too old.
			l.forget()
			continue
		}
		l.end += int64(n)
		if last := len(l.segments) - 1; last >= 0 && l.segments[last].kind == kind {
			l.segments[last].end = l.end
		} else {
			l.segments = append(l.segments, segment{l.end, kind})
		}
		p = p[n:]
		l.wake()
	}
}

// room makes room and returns how many of n bytes there is room for; 0 when it
// has to be waited for.
func (l *Log) room(kind byte, n int) int {
	if l.held < 0 && l.end+int64(n)-l.start > l.size {
		l.grow()
	}
	last := len(l.segments) - 1
	full := last+1 >= SegmentLimit && l.segments[last].kind != kind
	if l.held >= 0 {
		l.drop(l.held)
		full = full && len(l.segments) >= SegmentLimit
		if full {
			return 0
		}
		return int(min(int64(n), l.size-(l.end-l.start)))
	}
	if full {
		l.drop(l.segments[0].end)
	}
	n = int(min(int64(n), l.size))
	l.drop(l.end + int64(n) - l.size)
	return n
}

// drop forgets what is before an offset.
func (l *Log) drop(before int64) {
	if before <= l.start {
		return
	}
	l.start = min(before, l.end)
	old := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].end > l.start })
	l.segments = append(l.segments[:0], l.segments[old:]...)
}

// grow moves what is kept to a file, once, if that can be had.
func (l *Log) grow() {
	if l.file != nil || l.failed {
		return
	}
	file, err := files.New()
	if err != nil {
		l.failed = true
		return
	}
	kept := make([]byte, l.end-l.start)
	_ = l.get(kept, l.start) // memory does not fail
	old, size := l.buf, l.size
	l.file, l.buf, l.size = file, nil, FileLimit
	end := l.end
	l.end = l.start
	if err := l.put(kept); err != nil {
		l.closeFile()
		l.buf, l.size, l.failed = old, size, true
	}
	l.end = end
}

// closeFile frees the file.
func (l *Log) closeFile() {
	if l.file != nil {
		_ = l.file.Close() // nothing in it is wanted
		l.file = nil
	}
}

// forget drops all and goes on in memory.
func (l *Log) forget() {
	l.closeFile()
	l.failed, l.size = true, MemoryLimit
	l.drop(l.end)
	l.held = min(l.held, -1) // what was held is gone
	l.wake()
}

// put writes p at l.end.
func (l *Log) put(p []byte) error {
	return l.each(p, l.end, func(p []byte, at int64) error {
		if l.file != nil {
			_, err := l.file.WriteAt(p, at)
			return err
		}
		if l.buf == nil {
			l.buf = make([]byte, MemoryLimit)
		}
		copy(l.buf[at:], p)
		return nil
	})
}

// get reads p from an offset.
func (l *Log) get(p []byte, from int64) error {
	return l.each(p, from, func(p []byte, at int64) error {
		if l.file != nil {
			_, err := l.file.ReadAt(p, at)
			return err
		}
		copy(p, l.buf[at:])
		return nil
	})
}

// each calls f for the one or two parts of the ring that p stands for.
func (l *Log) each(p []byte, from int64, f func(p []byte, at int64) error) error {
	at := from % l.size
	n := min(int64(len(p)), l.size-at)
	if err := f(p[:n], at); err != nil || n == int64(len(p)) {
		return err
	}
	return f(p[n:], 0)
}

// Read waits for output at an offset, or after it, and copies it to p: of one
// kind, from the offset that it returns. What lies before that, if it is
// another, was dropped. The error is [io.EOF] after the end of a closed Log, and
// ctx's when that ends.
func (l *Log) Read(ctx context.Context, offset int64, p []byte) (kind byte, from int64, n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		from = max(offset, l.start)
		if from < l.end {
			i := sort.Search(len(l.segments), func(i int) bool { return l.segments[i].end > from })
			n = int(min(int64(len(p)), l.segments[i].end-from))
			if err := l.get(p[:n], from); err != nil {
				l.forget()
				continue
			}
			return l.segments[i].kind, from, n, nil
		}
		if l.closed {
			return 0, max(offset, l.end), 0, io.EOF
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			err = ctx.Err()
		}
		l.mu.Lock()
		if err != nil {
			return 0, offset, 0, err
		}
	}
}

// Hold says that what comes from an offset on must not be dropped: Append waits
// until a later one is held. Release ends that, for good, and what is too old
// is dropped from then on.
func (l *Log) Hold(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held >= 0 && offset > l.held {
		l.held = offset
		l.wake()
	}
}

// Release is described at [Log.Hold].
func (l *Log) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = -1
	l.wake()
}

// Bounds returns the offsets of what is kept.
func (l *Log) Bounds() (start, end int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.start, l.end
}

// Close says that nothing more comes. What is kept can be read on.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		l.wake()
	}
}

// Free closes the Log and frees what it holds. Nothing can be read any more.
func (l *Log) Free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closeFile()
	l.closed, l.buf, l.failed = true, nil, true
	l.drop(l.end)
	l.wake()
}
