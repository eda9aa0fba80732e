package transport

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// NewStreamRoundTripper returns the transport to the network for streams, which
// take a connection each: HTTP/1.1, which alone can hand it over, and as many
// as there are streams. Otherwise it is like [NewRoundTripper].
func NewStreamRoundTripper() *http.Transport {
	rt := NewRoundTripper()
	rt.MaxConnsPerHost = 0
	rt.ForceAttemptHTTP2 = false
	rt.HTTP2 = nil
	rt.Protocols = new(http.Protocols)
	rt.Protocols.SetHTTP1(true)
	return rt
}

// Stream is a stream that has begun. Reading is for one goroutine at a time, as
// is closing with everything else for any; writing frames is for any.
type Stream struct {
	*wire.FrameWriter
	Meta Meta

	client      *Client
	op, session string
	conn        io.ReadWriteCloser
	frames      *wire.FrameReader
	closed      atomic.Bool
}

// Open begins a stream of a session. ctx bounds the beginning alone. The
// request is sent once. Errors are as those of [Do]. The caller closes the
// stream.
func Open[Req any](ctx context.Context, c *Client, op wire.Stream[Req], session string, req Req) (*Stream, error) {
	if err := c.Can(ctx, op.Name); err != nil {
		return nil, Name(err, "", session)
	}
	method, target, body, err := op.Op().NewRequest(req)
	if err != nil {
		return nil, unsendable(op.Name, session, err)
	}
	k := newCall(ctx, c, op.Name, len(body), new(wire.Empty), options{})
	if c.cfg.Streams != nil {
		k.via = c.cfg.Streams
	}
	defer func() { k.finish() }()
	conn, err := k.upgrade(method, target, body)
	if err != nil {
		return nil, Name(err, "", session)
	}
	return &Stream{
		FrameWriter: wire.NewFrameWriter(conn), Meta: Meta{RequestID: k.requestID},
		client: c, op: op.Name, session: session,
		conn: conn, frames: wire.NewFrameReader(bufio.NewReaderSize(conn, 32<<10)),
	}, nil
}

// upgrade makes the one attempt, and returns the connection that it has become.
func (k *call) upgrade(method, target string, body []byte) (io.ReadWriteCloser, error) {
	req, err := http.NewRequestWithContext(k.ctx, method, k.client.cfg.BaseURL+target, bytes.NewReader(body))
	if err != nil {
		return nil, k.lost(err)
	}
	k.introduce(req.Header)
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", wire.StreamProtocol)
	resp, err := k.RoundTrip(req)
	k.log(resp, err, "")
	if err != nil {
		return nil, k.lost(err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, k.notUpgraded(resp)
	}
	k.identify(resp, nil)
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if !ok || !strings.EqualFold(resp.Header.Get("Upgrade"), wire.StreamProtocol) {
		_ = resp.Body.Close() // nothing in it is wanted
		return nil, k.fault(apierr.MalformedResponse, resp.StatusCode, "there is no stream in the answer").
			WithHint("a transport of the program's own has to hand connections over, as http.Transport does")
	}
	return conn, nil
}

// notUpgraded is an answer that is no stream.
func (k *call) notUpgraded(resp *http.Response) *apierr.Error {
	if err := k.receive(resp); err != nil {
		return k.lost(err)
	}
	if _, fault := k.open(resp); fault != nil {
		return fault
	}
	e := k.fault(apierr.MalformedResponse, resp.StatusCode, "the server answers a stream's request without a stream")
	return e.WithHint("a proxy between here and the service may not let upgrades of HTTP through")
}

// Next returns the next frame; p is valid until the next call. A fault of the
// server's, a stream that breaks and what is not understood are an
// [*apierr.Error]. After an end or an error there is nothing more to read.
func (s *Stream) Next() (kind wire.FrameKind, p []byte, err error) {
	for kind = wire.FramePing; kind == wire.FramePing && err == nil; {
		kind, _, err = s.frames.Next()
	}
	if err == nil {
		p, err = s.frames.Payload()
	}
	if err != nil {
		return 0, nil, s.Failed(err)
	}
	if kind == wire.FrameFault {
		return 0, nil, s.told(p)
	}
	return kind, p, nil
}

// told is a fault that the server told.
func (s *Stream) told(p []byte) error {
	var f wire.StreamFault
	if err := json.Unmarshal(p, &f); err != nil {
		return s.Malformed("a fault that is not understood: " + s.client.excerpt(p))
	}
	e := s.fault(wire.FaultCode(f.Code, 0, f.Message), s.client.Message(f.Message))
	e.Hint = s.client.Message(f.Hint)
	return e
}

// Failed returns err, of reading or writing frames, as one that tells of the
// stream.
func (s *Stream) Failed(err error) error {
	switch {
	case s.closed.Load():
		return s.fault(apierr.Canceled, "the stream was closed")
	case errors.Is(err, wire.ErrFrame):
		return s.Malformed(err.Error())
	}
	e := s.fault(apierr.Unavailable, "the stream broke before its end")
	e.Cause = s.client.cause(err)
	return e
}

// Malformed is what to say of a server that sends what it must not.
func (s *Stream) Malformed(what string) error {
	return s.fault(apierr.MalformedResponse, what)
}

func (s *Stream) fault(code apierr.Code, message string) *apierr.Error {
	return &apierr.Error{Code: code, Op: s.op, SessionID: s.session, RequestID: s.Meta.RequestID, Message: message}
}

// Close ends the stream at once: what it does in the session is given up. Doing
// it twice is no harm.
func (s *Stream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.conn.Close()
}
