package memnet

import (
	"io"
	"net"
	"sync"
	"time"
)

// Conn is one end of a connection in memory. It is safe for concurrent use.
type Conn struct{ in, out *flow }

// Pipe returns the two ends of a connection. Unlike those of [net.Pipe] they
// hold up to 64 KiB in each direction, so that who writes seldom waits for who
// reads, and either direction can be closed alone. An end that is dropped
// without closing it holds nothing but memory.
func Pipe() (*Conn, *Conn) {
	there, back := newFlow(), newFlow()
	return &Conn{in: back, out: there}, &Conn{in: there, out: back}
}

// Read implements [net.Conn]. What was written before the other end closed is
// read first.
func (c *Conn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write implements [net.Conn]. After Close of either end it fails with
// [io.ErrClosedPipe].
func (c *Conn) Write(p []byte) (int, error) { return c.out.write(p) }

// CloseWrite ends the writing direction alone: the other end reads io.EOF.
func (c *Conn) CloseWrite() error {
	c.out.end()
	return nil
}

// CloseRead gives up the reading direction alone: the other end can write no
// more, and what is on its way is lost.
func (c *Conn) CloseRead() { c.in.abandon() }

// Close implements [net.Conn]. Closing twice is no error.
func (c *Conn) Close() error {
	c.in.abandon()
	c.out.end()
	return nil
}

// LocalAddr implements [net.Conn].
func (*Conn) LocalAddr() net.Addr { return addr{} }

// RemoteAddr implements [net.Conn].
func (*Conn) RemoteAddr() net.Addr { return addr{} }

// SetDeadline implements [net.Conn].
func (c *Conn) SetDeadline(t time.Time) error {
	c.in.reading.set(&c.in.mu, t)
	c.out.writing.set(&c.out.mu, t)
	return nil
}

// SetReadDeadline implements [net.Conn].
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.reading.set(&c.in.mu, t)
	return nil
}

// SetWriteDeadline implements [net.Conn].
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.writing.set(&c.out.mu, t)
	return nil
}

// flow is one direction of a connection.
type flow struct {
	mu        sync.Mutex
	buf       ring
	ended     bool // by the writing end
	abandoned bool // by the reading end
	reading   side
	writing   side
}

func newFlow() *flow {
	f := &flow{}
	f.reading.wake.L, f.writing.wake.L = &f.mu, &f.mu
	return f
}

func (f *flow) read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case f.abandoned:
			return 0, io.ErrClosedPipe
		case f.reading.late:
			return 0, errLate
		case len(p) == 0:
			return 0, nil
		case f.buf.size > 0:
			n := f.buf.read(p)
			f.writing.wake.Broadcast()
			return n, nil
		case f.ended:
			return 0, io.EOF
		}
		f.reading.wake.Wait()
	}
}

func (f *flow) write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	total := 0
	for {
		switch {
		case f.ended, f.abandoned:
			return total, io.ErrClosedPipe
		case f.writing.late:
			return total, errLate
		}
		if n := f.buf.write(p); n > 0 {
			p, total = p[n:], total+n
			f.reading.wake.Broadcast()
		}
		if len(p) == 0 {
			return total, nil
		}
		f.writing.wake.Wait()
	}
}

func (f *flow) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.wakeAll()
}

func (f *flow) abandon() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.abandoned = true
	f.buf.drop()
	f.wakeAll()
}

func (f *flow) wakeAll() {
	f.reading.stop()
	f.writing.stop()
	f.reading.wake.Broadcast()
	f.writing.wake.Broadcast()
}
