// Package faultproxy is a TCP proxy that misbehaves on purpose, for tests of
// what speaks over a network.
package faultproxy

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// Fault is what goes wrong with one connection. The zero value is nothing.
type Fault struct {
	// ResetAtOnce resets the connection before anything is read.
	ResetAtOnce bool
	// Deaf never reads from the client.
	Deaf bool
	// Mute passes on what the client sends, and nothing of what comes back.
	Mute bool
	// Delay passes what comes back on only after this time.
	Delay time.Duration
	// CutAfter ends the connection after so many bytes have come back: the
	// first is 1, and 0 means never. With ResetAtCut by a reset.
	CutAfter   int
	ResetAtCut bool
	// Trickle passes what comes back on one byte at a time, with this pause
	// before each byte after the first TrickleAfter.
	Trickle      time.Duration
	TrickleAfter int
}

// Proxy forwards connections to a backend. It is safe for concurrent use.
type Proxy struct {
	ln      net.Listener
	backend string
	wg      sync.WaitGroup
	done    chan struct{}

	mu       sync.Mutex
	faults   []Fault
	conns    map[net.Conn]bool
	accepted int
}

// Listen starts a proxy for the backend at that address.
func Listen(backend string) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a listener of its own is closed by Close
	if err != nil {
		return nil, err
	}
	p := &Proxy{ln: ln, backend: backend, done: make(chan struct{}), conns: map[net.Conn]bool{}}
	p.wg.Go(p.serve)
	return p, nil
}

// Addr is where to connect to.
func (p *Proxy) Addr() string { return p.ln.Addr().String() }

// Next gives the next connections a fault each. Later ones have none.
func (p *Proxy) Next(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, faults...)
}

// Accepted is how many connections there have been.
func (p *Proxy) Accepted() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted
}

// Break resets all connections there are.
func (p *Proxy) Break() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		reset(c)
	}
}

// Close ends everything and waits for it.
func (p *Proxy) Close() error {
	close(p.done)
	err := p.ln.Close()
	p.Break()
	p.wg.Wait()
	return err
}

func (p *Proxy) serve() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.accepted++
		var f Fault
		if len(p.faults) > 0 {
			f, p.faults = p.faults[0], p.faults[1:]
		}
		p.conns[c] = true
		p.mu.Unlock()
		p.wg.Go(func() {
			p.forward(c, f)
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.conns, c)
		})
	}
}

// forward serves one connection.
func (p *Proxy) forward(client net.Conn, f Fault) {
	defer func() { _ = client.Close() }() // the end, one way or the other
	if f.ResetAtOnce {
		reset(client)
		return
	}
	if f.Deaf {
		<-p.done
		return
	}
	server, err := net.Dial("tcp", p.backend) //nolint:noctx // local, and ended by the backend
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(server, client) // whatever ends it ends the connection
		_ = server.Close()
	})
	if err := p.back(client, server, f); errors.Is(err, errCut) && f.ResetAtCut {
		reset(client)
	}
	_ = client.Close()
	wg.Wait()
}

var errCut = errors.New("cut")

// back passes on what the server answers.
func (p *Proxy) back(client io.Writer, server io.Reader, f Fault) error {
	if f.Mute {
		_, err := io.Copy(io.Discard, server)
		return err
	}
	buf := make([]byte, 32<<10)
	for passed := 0; ; {
		chunk := len(buf)
		if f.CutAfter > 0 {
			chunk = min(chunk, f.CutAfter-passed)
		}
		if f.Trickle > 0 {
			chunk = min(chunk, max(f.TrickleAfter-passed, 1))
		}
		n, err := server.Read(buf[:chunk])
		if passed == 0 && f.Delay > 0 && !p.pause(f.Delay) {
			return errCut
		}
		if f.Trickle > 0 && passed >= f.TrickleAfter && !p.pause(f.Trickle) {
			return errCut
		}
		if _, err := client.Write(buf[:n]); err != nil {
			return err
		}
		if passed += n; f.CutAfter > 0 && passed >= f.CutAfter {
			return errCut
		}
		if err != nil {
			return err
		}
	}
}

// pause waits for d, and reports false when the proxy is closed first.
func (p *Proxy) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-p.done:
		return false
	}
}

// reset ends a connection with a TCP reset.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // on a connection that is gone it does not matter
	}
	_ = c.Close()
}
