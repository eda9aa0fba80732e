package session

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/agb-go/sdk/internal/memnet"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// Dial connects to a server inside the session: network is "tcp" with an
// address such as "127.0.0.1:8080", where the host is localhost, 127.0.0.1 or
// ::1 inside, or "unix" with the path of a socket. The session needs no network
// for it, and gets none. ctx bounds the dialing alone.
//
// The connection has deadlines and, besides [net.Conn], CloseWrite() error,
// which lets the server read to the end. The caller closes it; the session has
// at most 512 streams at once. While it is open the session is not idle, and
// cannot be paused. It is safe for concurrent use.
//
// When nobody listens there the error has code [apierr.Unavailable]. When the
// session ends, or the way to it breaks, reads and writes fail within a second
// with an [*apierr.Error] that tells which. AGB's hosted service does not have
// it: the error has code [apierr.Unsupported].
func (s *Session) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	st, err := transport.Open(ctx, s.t, wire.DialPort, s.ID, wire.DialPortRequest{SessionID: s.ID, Network: network, Address: address})
	if err != nil {
		return nil, s.fail(err, "Dial")
	}
	return newConn(st, addr{network, s.ID, address}), nil
}

// HTTPClient returns a client of the HTTP server on a port inside the session:
// whatever the host in a URL says, it connects to that port of the loopback.
// It goes through no proxy. The caller may set its fields, and closes its idle
// connections when it is no longer needed: each is a stream, see [Session.Dial],
// and keeps the session from being idle. They are closed after a minute unused.
//
// Nothing is connected to before the first request, whose error then tells of a
// port where nobody listens: as those of every [http.Client] it is a
// [*net/url.Error], in which [errors.As] finds the [*apierr.Error]. The client
// has no timeout: give requests a context with one.
func (s *Session) HTTPClient(port int) *http.Client {
	return &http.Client{Transport: s.roundTripper(port)}
}

// idlePerPort is how many connections an HTTP client keeps.
const idlePerPort = 16

func (s *Session) roundTripper(port int) *http.Transport {
	address := net.JoinHostPort("localhost", strconv.Itoa(port))
	return &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Dial(ctx, "tcp", address) },
		MaxIdleConns:        idlePerPort,
		MaxIdleConnsPerHost: idlePerPort,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true, // it is in memory, or at least not ours to judge
	}
}

// lingerTime is how long a connection that was closed may take to send what
// was written before, and how long a stream that cannot be written to may take
// to say why.
const lingerTime = time.Second

// conn is a connection into a session: one end of a pipe, of which two
// goroutines join the other end with a stream. They end within lingerTime of
// Close, or when the stream does.
type conn struct {
	*memnet.Conn
	stream   *transport.Stream
	remote   addr
	received chan struct{} // closed when nothing comes any more

	mu     sync.Mutex
	closed bool
	err    error // why the stream failed
}

// newConn returns a connection over a stream, which it owns.
func newConn(st *transport.Stream, remote addr) *conn {
	near, far := memnet.Pipe()
	c := &conn{Conn: near, stream: st, remote: remote, received: make(chan struct{})}
	go c.send(far)
	go c.receive(far)
	return c
}

// Read implements [net.Conn].
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	return n, c.why(err)
}

// Write implements [net.Conn].
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	return n, c.why(err)
}

// Close implements [net.Conn]. What was written before is sent.
func (c *conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	c.closed = true
	time.AfterFunc(lingerTime, func() { _ = c.stream.Close() })
	return c.Conn.Close()
}

// RemoteAddr implements [net.Conn].
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// why returns the error of a read or a write as its cause.
func (c *conn) why(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case errors.Is(err, io.ErrClosedPipe):
		return net.ErrClosed
	}
	return err
}

// fail ends both directions with err, unless they have ended.
func (c *conn) fail(far *memnet.Conn, err error) {
	c.mu.Lock()
	if c.err == nil && !c.closed {
		c.err = err
	}
	c.mu.Unlock()
	_ = far.Close()      // returns nil
	_ = c.stream.Close() // what it says is of no interest any more
}

// send sends what was written, and its end. The stream is closed when both
// directions have ended.
func (c *conn) send(far *memnet.Conn) {
	_, err := io.Copy(writerOnly{c.stream}, far)
	if err == nil {
		err = c.stream.WriteFrame(wire.FrameEnd, nil)
	}
	if err == nil {
		<-c.received
		_ = c.stream.Close() // all is said
		return
	}
	// The server may have said why before it hung up.
	select {
	case <-c.received:
	case <-time.After(lingerTime):
	}
	c.fail(far, c.stream.Failed(err))
}

// receive takes in what comes, to its end.
func (c *conn) receive(far *memnet.Conn) {
	defer close(c.received)
	for {
		kind, p, err := c.stream.Next()
		switch {
		case err != nil:
		case kind == wire.FrameData:
			_, err = far.Write(p)
		case kind == wire.FrameEnd:
			_ = far.CloseWrite() // returns nil
			return
		default:
			err = c.stream.Malformed("the server sends what is no part of a connection")
		}
		if err != nil {
			c.fail(far, err)
			return
		}
	}
}

// writerOnly hides all other methods from io.Copy.
type writerOnly struct{ io.Writer }

// addr is an address inside a session, which is named where it is not obvious.
type addr struct{ network, session, address string }

func (a addr) Network() string { return a.network }

func (a addr) String() string {
	if a.session == "" {
		return a.address
	}
	return a.session + "/" + a.address
}
