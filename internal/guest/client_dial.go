package guest

import (
	"context"
	"errors"
	"io"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// Dial connects to an address inside the sandbox: of network "tcp" to
// host:port, where host is localhost or an address of the loopback, or of
// network "unix" to the path of a socket. ctx bounds the dialing alone.
//
// What it returns also has CloseWrite() error. Closing it aborts what is under
// way; nobody listening is an [*Error] of kind [Refused].
func (c *Client) Dial(ctx context.Context, network, address string) (io.ReadWriteCloser, error) {
	limit := addressLimit
	if network == "unix" {
		limit = PathLimit
	}
	if len(address) > limit || len(network) > addressLimit {
		return nil, &Error{Kind: Invalid, Message: "address is too long"}
	}
	req := newRequest(opDial)
	req.text(network)
	req.text(address)
	k, err := c.begin(ctx, req, false)
	if err != nil {
		return nil, err
	}
	kind, d, err := k.next()
	if err == nil && (kind != recordResult || !d.done()) {
		err = c.violated("answer to dial")
	}
	if !k.detach() && err == nil {
		err = ctx.Err() // and the stream is being closed
	}
	if err != nil {
		_ = k.stream.Close() // returns nil
		return nil, err
	}
	return &dialed{stream: k.stream.Stream}, nil
}

// dialed is a connection into the sandbox.
type dialed struct{ stream *mux.Stream }

func (c *dialed) Read(p []byte) (int, error) {
	n, err := c.stream.Read(p)
	return n, dialError(err)
}

func (c *dialed) Write(p []byte) (int, error) {
	n, err := c.stream.Write(p)
	return n, dialError(err)
}

// CloseWrite ends the writing direction alone.
func (c *dialed) CloseWrite() error { return dialError(c.stream.CloseWrite()) }

func (c *dialed) Close() error { return c.stream.Close() }

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
