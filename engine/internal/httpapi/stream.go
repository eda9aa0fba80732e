package httpapi

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

const (
	// stallTimeout is how long the client of a stream may take in nothing,
	// unless [Config.StallTimeout] says otherwise. Until then whatever writes
	// to it in the sandbox waits.
	stallTimeout = 5 * time.Minute
	// partingTime is how long a client may take to take in what a stream that
	// is over still has to say, and to hang up.
	partingTime = time.Second
	// streamBuffer is how much is read ahead from a client.
	streamBuffer = 16 << 10
)

// streamer serves a stream of a session. It calls accept once it knows that it
// can, which begins the stream: an error before is answered in an envelope, an
// error after as a fault. It sends the end itself. ctx ends with the session,
// and so do all reads and writes of the stream.
type streamer[Req any] func(ctx context.Context, ws *Workspace, req Req, accept func() (*duplex, error)) error

// handleStream serves op with fn. session says which session a request is of.
func handleStream[Req any](a *API, op wire.Stream[Req], session func(Req) string, fn streamer[Req]) {
	a.beyond = append(a.beyond, op.Name)
	a.register(op.Pattern, func(w http.ResponseWriter, r *http.Request, by caller) {
		start, id := time.Now(), requestID(r)
		var d *duplex
		req, err := read(w, r, op.Op())
		if err == nil {
			err = a.cfg.Engine.Stream(r.Context(), by.tenant, session(req), func(ctx context.Context, ws *Workspace) error {
				if err := upgradable(r); err != nil {
					return err
				}
				return fn(ctx, ws, req, func() (_ *duplex, err error) {
					d, err = a.upgrade(ctx, w, id)
					return d, err
				})
			})
		}
		err = fromInside(err)
		env := envelope(id, err)
		a.logCall(r.Context(), op.Name, env, time.Since(start), err)
		if d == nil {
			write(w, env)
		} else {
			d.part(env)
		}
	})
}

// upgradable returns an error unless r asks for a stream.
func upgradable(r *http.Request) error {
	if asksUpgrade(r, wire.StreamProtocol) {
		return nil
	}
	e := apierr.Errorf(apierr.InvalidArgument, "this operation is a stream: the request has to ask for an upgrade to %s, in HTTP/1.1", wire.StreamProtocol)
	e.HTTPStatus = http.StatusUpgradeRequired
	return e.WithHint("a proxy between here and the service may not let upgrades of HTTP through")
}

// asksUpgrade reports whether r asks for an upgrade to a protocol.
func asksUpgrade(r *http.Request, protocol string) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), protocol) && slices.ContainsFunc(r.Header.Values("Connection"), func(v string) bool {
		return slices.ContainsFunc(strings.Split(v, ","), func(v string) bool { return strings.EqualFold(strings.TrimSpace(v), "upgrade") })
	})
}

// duplex is the server's end of a stream.
type duplex struct {
	*wire.FrameWriter
	*wire.FrameReader
	conn   *timedConn
	detach func() bool   // from the context that ends it
	waited chan struct{} // when not nil, nothing may be read until it is closed
}

// upgrade begins a stream, which ends with ctx.
func (a *API) upgrade(ctx context.Context, w http.ResponseWriter, id string) (*duplex, error) {
	control := http.NewResponseController(w)
	conn, rw, err := control.Hijack()
	if err != nil {
		return nil, apierr.Errorf(apierr.Unsupported, "the server cannot hand its connections over: %w", err)
	}
	timed := &timedConn{Conn: conn, timeout: cmp.Or(a.cfg.StallTimeout, stallTimeout)}
	_ = timed.SetReadDeadline(time.Time{}) // there may be one left of the request's body
	ahead := io.LimitReader(rw.Reader, int64(rw.Reader.Buffered()))
	d := &duplex{
		FrameWriter: wire.NewFrameWriter(timed), conn: timed,
		FrameReader: wire.NewFrameReader(bufio.NewReaderSize(io.MultiReader(ahead, conn), streamBuffer)),
	}
	head := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + wire.StreamProtocol + "\r\n" +
		wire.HeaderRequestID + ": " + id + "\r\n\r\n"
	if _, err := io.WriteString(timed, head); err != nil {
		_ = timed.Close() // there is nobody
		return nil, err
	}
	d.detach = context.AfterFunc(ctx, timed.cut)
	return d, nil
}

// send sends v as JSON.
func (d *duplex) send(kind wire.FrameKind, v any) error {
	p, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if d.WriteFrame(kind, p) != nil {
		return errGivenUp
	}
	return nil
}

// timedConn bounds how long each write to a client may take.
type timedConn struct {
	net.Conn
	mu      sync.Mutex
	timeout time.Duration
	over    bool
}

// Write implements [net.Conn].
func (c *timedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	if !c.over {
		_ = c.SetWriteDeadline(time.Now().Add(c.timeout)) // it fails when writing does
	}
	c.mu.Unlock()
	return c.Conn.Write(p)
}

// cut makes every read and write fail.
func (c *timedConn) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.over {
		c.over = true
		_ = c.SetDeadline(time.Now()) // it fails when they do
	}
}

// parting leaves so much time for what is still to be said, and has cut do
// nothing more.
func (c *timedConn) parting(timeout time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	_ = c.SetDeadline(time.Now().Add(timeout))
}

// part ends a stream of which env tells how it went: the end was sent if it
// went well. Closing a connection at once could overtake what was sent last.
func (d *duplex) part(env *wire.Envelope) {
	defer func() { _ = d.conn.Close() }() // nothing is left to say
	d.detach()
	d.conn.parting(partingTime)
	if !env.Success {
		p, err := json.Marshal(wire.StreamFault{Code: env.Code, Message: env.Message, Hint: env.Hint})
		if err != nil || d.WriteFrame(wire.FrameFault, p) != nil {
			return
		}
	}
	if half, ok := d.conn.Conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, d.conn) // until the client hangs up
	}
}

// errGivenUp is why a stream ends that its client has given up.
var errGivenUp = apierr.Errorf(apierr.Canceled, "the client gave the stream up")

// join moves bytes between a stream and a connection in the sandbox, until both
// directions have ended. It closes the connection. What fails first ends both.
func join(d *duplex, inside *guest.Conn) error {
	defer func() { _ = inside.Close() }() // twice, if it failed
	failed := make(chan error, 2)
	fail := func(err error) {
		failed <- err
		_ = inside.Close()
		d.conn.cut()
	}
	var up sync.WaitGroup
	up.Go(func() {
		if err := d.upload(inside); err != nil {
			fail(err)
		}
	})
	if err := download(d, inside); err != nil {
		fail(err)
	}
	up.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// upload writes what the client sends, to its end. What the sandbox does not
// take is read all the same: its own end is what tells.
func (d *duplex) upload(inside *guest.Conn) error {
	if d.waited != nil {
		<-d.waited
	}
	for taken := true; ; {
		kind, _, err := d.Next()
		switch {
		case err != nil:
			return errGivenUp
		case kind == wire.FrameData:
			if !taken {
				continue
			}
			if _, err := io.Copy(writerOnly{inside}, d.FrameReader); err != nil {
				taken = false
			}
		case kind == wire.FrameEnd:
			if taken {
				_ = inside.CloseWrite() // it fails when writing does
			}
			return nil
		default:
			return errGivenUp
		}
	}
}

// writerOnly hides all other methods from io.Copy.
type writerOnly struct{ io.Writer }

// download sends what comes from inside, and the end.
func download(d *duplex, inside io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := inside.Read(buf)
		if n > 0 {
			if err := d.WriteFrame(wire.FrameData, buf[:n]); err != nil {
				return errGivenUp
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return d.WriteFrame(wire.FrameEnd, nil)
		case err != nil:
			return err
		}
	}
}
