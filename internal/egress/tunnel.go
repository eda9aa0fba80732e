package egress

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// tunnel joins the two ends of a CONNECT.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request, t target) {
	rec := told(r.Context())
	outside, err := p.dial(r.Context(), t)
	if err != nil {
		rec.failed(err.Error())
		http.Error(w, "egress: "+err.Error(), http.StatusBadGateway)
		return
	}
	defer func() { _ = outside.Close() }() // twice, most often
	inside, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		rec.failed(err.Error())
		return
	}
	p.tunnels.Add(1)
	defer p.tunnels.Done()
	closeBoth := func() { _, _ = inside.Close(), outside.Close() }
	defer closeBoth()
	defer context.AfterFunc(p.ctx, closeBoth)()
	idle := time.AfterFunc(idleTimeout, closeBoth)
	defer idle.Stop()
	if _, err := io.WriteString(inside, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var sent, received atomic.Int64
	var up sync.WaitGroup
	up.Go(func() {
		ahead := io.LimitReader(rw.Reader, int64(rw.Reader.Buffered()))
		pass(outside, io.MultiReader(ahead, inside), &sent, idle, closeBoth)
	})
	pass(inside, outside, &received, idle, closeBoth)
	up.Wait()
	rec.set(func(r *Record) { r.Sent, r.Received = sent.Load(), received.Load() })
}

// pass moves bytes, counts them, and passes their end on. What fails ends all.
func pass(to io.Writer, from io.Reader, count *atomic.Int64, idle *time.Timer, fail func()) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			idle.Reset(idleTimeout)
			count.Add(int64(n))
			if _, err := to.Write(buf[:n]); err != nil {
				fail()
				return
			}
		}
		if errors.Is(err, io.EOF) {
			if half, ok := to.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
				return
			}
		}
		if err != nil {
			fail()
			return
		}
	}
}

// bounded is a listener with so many connections at once.
type bounded struct {
	net.Listener
	slots chan struct{}
	done  <-chan struct{}
}

// Accept implements [net.Listener].
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.done:
		return nil, net.ErrClosed
	}
	c, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &boundedConn{Conn: c, slots: b.slots}, nil
}

type boundedConn struct {
	net.Conn
	once  sync.Once
	slots chan struct{}
}

// Close implements [net.Conn].
func (c *boundedConn) Close() error {
	c.once.Do(func() { <-c.slots })
	return c.Conn.Close()
}

// CloseWrite ends the writing direction alone, where that can be done.
func (c *boundedConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// countedConn is a connection to the outside whose bytes are counted.
type countedConn struct {
	net.Conn
	rec *pending
}

// Read implements [net.Conn].
func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.rec.set(func(r *Record) { r.Received += int64(n) })
	return n, err
}

// Write implements [net.Conn].
func (c countedConn) Write(p []byte) (int, error) {
	c.rec.set(func(r *Record) { r.Sent += int64(len(p)) }) // before: the answer may be there before it returns
	n, err := c.Conn.Write(p)
	c.rec.set(func(r *Record) { r.Sent -= int64(len(p) - n) })
	return n, err
}

// CloseWrite is as that of [boundedConn].
func (c countedConn) CloseWrite() error { return closeWrite(c.Conn) }
