package agent

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
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

	raw  syscall.RawConn
	gate sync.Mutex // held while something is read and passed on

	mu   sync.Mutex
	hard time.Time // end of draining; zero before it starts
}

func startPump(from *os.File, to io.Writer, limit int64) *pump {
	p := &pump{from: from, to: to, left: limit, done: make(chan struct{})}
	p.raw, _ = from.SyscallConn() // it fails only for no file
	go p.run()
	return p
}

// read waits for something, passes it on and returns how much it was.
func (p *pump) read(buf []byte) (n int, err error) {
	waited := p.raw.Read(func(fd uintptr) bool {
		p.gate.Lock()
		defer p.gate.Unlock()
		n, err = p.readNow(fd, buf)
		return !errors.Is(err, unix.EAGAIN)
	})
	if waited != nil {
		return 0, waited
	}
	return n, err
}

// readNow passes on what there is to read, with the gate held.
func (p *pump) readNow(fd uintptr, buf []byte) (int, error) {
	n, err := unix.Read(int(fd), buf)
	switch {
	case errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	p.take(buf[:n])
	return n, nil
}

// settle passes on all that was written until now.
func (p *pump) settle() {
	p.gate.Lock() // what was read is on its way until then
	defer p.gate.Unlock()
	if !p.waiting() {
		return
	}
	buf := make([]byte, pumpBufferLimit)
	for left := pipeLimit; left > 0; { // who writes on and on has more than that in no pipe
		var n int
		var err error
		if p.raw.Control(func(fd uintptr) { n, err = p.readNow(fd, buf) }) != nil || err != nil {
			return
		}
		left -= n
	}
}

// inOrder writes to a writer when what came before by other ways is written.
type inOrder struct {
	to     io.Writer
	before []*pump
}

func (w inOrder) Write(b []byte) (int, error) {
	for _, p := range w.before {
		p.settle()
	}
	return w.to.Write(b)
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
		n, err := p.read(buf)
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
	n := 0
	err := p.raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
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
