package agent

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// drainQuiet is how long nothing may come from what a command left
	// behind in the background before its output is taken to be over, and
	// drainLimit how long that may go on.
	drainQuiet = 50 * time.Millisecond
	drainLimit = time.Second
	// pipeLimit is how much a pipe can hold.
	pipeLimit = 1 << 20
	// pumpBuffer is how much output is sent at once, to begin with, and
	// pumpBufferLimit when there is always more.
	pumpBuffer      = 2 << 10
	pumpBufferLimit = 64<<10 - 64 // fits in a record
)

// pump moves output of a command from a pipe to a writer.
type pump struct {
	from    *os.File
	to      io.Writer
	left    int64 // of the limit
	dropped int64
	more    bool // somebody may still write when it is done
	done    chan struct{}

	mu   sync.Mutex
	hard time.Time // end of draining; zero before it starts
}

func startPump(from *os.File, to io.Writer, limit int64) *pump {
	p := &pump{from: from, to: to, left: limit, done: make(chan struct{})}
	go p.run()
	return p
}

// drain is called when the main process is gone: the pump ends when nobody
// can write any more, or when those who can have nothing to say.
func (p *pump) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hard = time.Now().Add(drainLimit)
	_ = p.from.SetReadDeadline(time.Now().Add(drainQuiet)) // fails only when it is closed
}

func (p *pump) run() {
	defer close(p.done)
	buf := make([]byte, pumpBuffer)
	last := pipeLimit // may be read when the time is over
	for {
		n, err := p.from.Read(buf)
		p.take(buf[:n])
		if n == len(buf) && n < pumpBufferLimit {
			buf = make([]byte, min(8*n, pumpBufferLimit))
		}
		p.mu.Lock()
		hard := p.hard
		p.mu.Unlock()
		switch now := time.Now(); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			// What the main process wrote is here, if its reader was slow.
			if last <= 0 || !p.waiting() {
				p.more = true
				return
			}
			_ = p.from.SetReadDeadline(now.Add(drainLimit)) // nothing is waited for
		case err != nil:
			return
		case !hard.IsZero() && now.Before(hard):
			_ = p.from.SetReadDeadline(now.Add(min(drainQuiet, hard.Sub(now))))
		case !hard.IsZero():
			last -= n
			_ = p.from.SetReadDeadline(hard)
		}
	}
}

// waiting reports whether there is something to read.
func (p *pump) waiting() bool {
	raw, err := p.from.SyscallConn()
	if err != nil {
		return false
	}
	n := 0
	err = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return err == nil && n > 0
}

// take passes output on, up to the limit, and counts the rest.
func (p *pump) take(b []byte) {
	n := min(int64(len(b)), p.left)
	if n > 0 {
		if _, err := p.to.Write(b[:n]); err != nil {
			n, p.left = 0, 0 // nobody wants it any more
		}
	}
	p.left = max(p.left-n, 0)
	p.dropped += int64(len(b)) - n
}

// leftoverLimit is how many pipes are kept for what commands left behind.
const leftoverLimit = 64

// leftovers empty the pipes of what commands left behind, which would end if
// they could not write any more. Those beyond the limit do.
type leftovers struct {
	mu    sync.Mutex
	count int
}

func (l *leftovers) keep(f *os.File) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count == leftoverLimit || f.SetReadDeadline(time.Time{}) != nil {
		_ = f.Close() // nothing is lost that was wanted
		return
	}
	l.count++
	go func() {
		buf := make([]byte, 1<<10)
		for {
			if _, err := f.Read(buf); err != nil {
				break
			}
		}
		_ = f.Close() // nothing is lost
		l.mu.Lock()
		l.count--
		l.mu.Unlock()
	}()
}
