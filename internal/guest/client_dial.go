package guest

import (
	"context"
	"errors"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// Dial connects to an address inside the sandbox: of network "tcp" to
// host:port, where host is localhost or an address of the loopback, or of
// network "unix" to the path of a socket. ctx bounds the dialing alone.
//
// Closing the connection aborts what is under way; nobody listening is an
// [*Error] of kind [Refused].
func (c *Client) Dial(ctx context.Context, network, address string) (*Conn, error) {
	req, err := atAddress(opDial, network, address)
	if err != nil {
		return nil, err
	}
	return c.connect(ctx, req)
}

// atAddress returns a request that concerns an address.
func atAddress(o op, network, address string) (*encoder, error) {
	limit := addressLimit
	if network == "unix" {
		limit = PathLimit
	}
	if len(address) > limit || len(network) > addressLimit {
		return nil, &Error{Kind: Invalid, Message: "address is too long"}
	}
	req := newRequest(o)
	req.text(network)
	req.text(address)
	return req, nil
}

// connect makes a call that becomes a connection.
func (c *Client) connect(ctx context.Context, req *encoder) (*Conn, error) {
	st, err := c.hold(ctx, req, nothing)
	if err != nil {
		return nil, err
	}
	return &Conn{stream: st}, nil
}

// hold makes a call that goes on after its result, until its stream is closed.
func (c *Client) hold(ctx context.Context, req *encoder, result func(*decoder)) (*mux.Stream, error) {
	k, err := c.begin(ctx, req, false)
	if err != nil {
		return nil, err
	}
	kind, d, err := k.next()
	switch {
	case err != nil:
	case kind != recordResult:
		err = c.violated("answer to dial")
	default:
		if result(d); !d.done() {
			err = c.violated("answer to dial")
		}
	}
	if !k.detach() && err == nil {
		err = ctx.Err() // and the stream is being closed
	}
	if err != nil {
		_ = k.stream.Close() // returns nil
		return nil, err
	}
	return k.stream.Stream, nil
}

// Listen listens at an address inside the sandbox, as [Client.Dial] has them;
// port 0 means any that is free. ctx bounds the beginning alone. At most 64
// listen at once. The caller closes the listener.
func (c *Client) Listen(ctx context.Context, network, address string) (*Listener, error) {
	req, err := atAddress(opListen, network, address)
	if err != nil {
		return nil, err
	}
	l := &Listener{client: c}
	l.stream, err = c.hold(ctx, req, func(d *decoder) { l.id, l.address = d.uint(), d.text(PathLimit) })
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Listener listens inside the sandbox. It is safe for concurrent use.
type Listener struct {
	client  *Client
	stream  *mux.Stream
	id      uint64
	address string
}

// Address returns where it listens, in the guest's words.
func (l *Listener) Address() string { return l.address }

// Accept waits for a connection from inside, until ctx ends. It does not notice
// that l is closed unless it has begun before.
func (l *Listener) Accept(ctx context.Context) (*Conn, error) {
	req := newRequest(opAccept)
	req.uint(l.id)
	return l.client.connect(ctx, req)
}

// Close ends the listening, and every Accept with an [*Error] of kind
// [Refused]. It returns nil. Connections stay.
func (l *Listener) Close() error { return l.stream.Close() }

// Conn is a connection into the sandbox. It is safe for concurrent use.
type Conn struct{ stream *mux.Stream }

// Read implements [io.Reader].
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.stream.Read(p)
	return n, dialError(err)
}

// Write implements [io.Writer].
func (c *Conn) Write(p []byte) (int, error) {
	n, err := c.stream.Write(p)
	return n, dialError(err)
}

// CloseWrite ends the writing direction alone.
func (c *Conn) CloseWrite() error { return dialError(c.stream.CloseWrite()) }

// Close ends the connection. It returns nil.
func (c *Conn) Close() error { return c.stream.Close() }

// dialError is err as users of connections know it.
func dialError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, mux.ErrReset):
		return &Error{Kind: Refused, Errno: 104, Message: "connection reset inside the sandbox"}
	}
	return translate(err)
}
