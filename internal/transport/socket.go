package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Socket is a WebSocket of a session on which one call is performed. It is for
// one goroutine at a time; any may close it.
type Socket struct {
	Meta Meta

	client      *Client
	op, session string
	conn        *websocket.Conn
	wait        time.Duration // for each message
}

// HasSocket reports whether the session that c is for offers a WebSocket.
func (c *Client) HasSocket() bool { return c.direct != nil && c.direct.socket != "" }

// OpenSocket connects to the session's WebSocket, which it has to have, and
// sends call, of the tool of that name. It connects once, and nothing is sent
// twice. ctx bounds the opening alone. The call is expected to take up to extra.
// The caller closes the socket, which gives the call up. Errors are as those of
// [Open].
func OpenSocket(ctx context.Context, c *Client, session, tool string, call wire.SocketCall, extra time.Duration) (*Socket, error) {
	k := newCall(ctx, c, tool, 0, nil, options{})
	k.direct, k.repeatable = c.direct, true // to connect does nothing yet
	k.requestID = strings.ReplaceAll(k.requestID, "-", "")
	if c.cfg.Streams != nil {
		k.via = c.cfg.Streams
	}
	defer func() { k.finish() }()
	target := c.direct.servers[tool]
	if target == "" {
		target = wire.CodeServer
	}
	message, err := json.Marshal(wire.SocketFrame[wire.SocketCall]{
		InvocationID: k.requestID, Source: wire.SocketClient, Target: target, Data: &wire.JSONObject[wire.SocketCall]{V: call},
	})
	if err == nil {
		err = wire.CheckBody(len(message))
	}
	if err != nil {
		return nil, unsendable(tool, session, err)
	}
	conn, err := k.dial()
	if err != nil {
		return nil, Name(err, "", session)
	}
	conn.SetReadLimit(ResponseLimit)
	s := &Socket{Meta: Meta{RequestID: k.requestID}, client: c, op: tool, session: session, conn: conn, wait: k.timeout + min(max(extra, 0), attemptMax)}
	if err := conn.Write(k.clock, websocket.MessageText, message); err != nil {
		_ = s.Close()
		return nil, s.broken(ctx, err)
	}
	return s, nil
}

// dial connects.
func (k *call) dial() (*websocket.Conn, error) {
	header := http.Header{}
	k.introduce(header)
	header.Del("Content-Type")
	header.Del("Accept")
	conn, resp, err := websocket.Dial(k.ctx, k.direct.socket, &websocket.DialOptions{HTTPClient: &http.Client{Transport: k}, HTTPHeader: header}) //nolint:bodyclose // Dial closes it
	k.log(resp, err, "")
	switch {
	case err == nil:
		return conn, nil
	case resp == nil:
		return nil, k.lost(err)
	case resp.StatusCode == http.StatusSwitchingProtocols || k.succeeded(resp.StatusCode):
		return nil, k.fault(apierr.MalformedResponse, resp.StatusCode, "there is no WebSocket in the answer").
			WithHint("a transport of the program's own has to hand connections over, as http.Transport does; so has a proxy between here and the service")
	}
	if resp.Body != nil {
		k.body, _ = io.ReadAll(resp.Body) // in memory, and half of it is better than nothing
	}
	_, fault := k.open(resp)
	return nil, fault
}

// Next returns the next message of the call: an event or the end. A failure of
// the call, a connection that breaks and what is not understood are an
// [*apierr.Error]; ctx ends the connection. After an end or an error there is
// nothing more to read.
func (s *Socket) Next(ctx context.Context) (*wire.SocketAnswer, error) {
	reading, cancel := context.WithTimeoutCause(ctx, s.wait, errRequestTimeout)
	defer cancel()
	for {
		kind, message, err := s.conn.Read(reading)
		if err != nil {
			return nil, s.broken(reading, err)
		}
		var frame wire.SocketFrame[json.RawMessage]
		if kind != websocket.MessageText || json.Unmarshal(message, &frame) != nil || frame.ID() != s.Meta.RequestID {
			continue // of somebody else's, or nobody's
		}
		var answer wire.JSONObject[wire.SocketAnswer]
		if frame.Data == nil || json.Unmarshal(frame.Data.V, &answer) != nil {
			return nil, s.Malformed("a message that is not understood: " + s.client.excerpt(message))
		}
		a := &answer.V
		told := ""
		if len(a.Error) > 0 && a.Error[0] == '"' {
			_ = json.Unmarshal(a.Error, &told) // which it was found to be
		}
		switch {
		case told != "" || a.Phase == wire.PhaseError:
			return nil, s.failed(a, told)
		case a.Phase == wire.PhaseEvent || a.Phase == wire.PhaseEnd:
			return a, nil
		}
		return nil, s.Malformed("a message of a phase that is not known: " + s.client.excerpt(message))
	}
}

// failed is a failure that the server told.
func (s *Socket) failed(a *wire.SocketAnswer, told string) error {
	if told == "" {
		var detail wire.SocketErrorDetail
		if json.Unmarshal(a.Error, &detail) == nil {
			told = strings.TrimSpace(detail.Code + " " + detail.Message)
		}
	}
	code := wire.FaultCode(a.ErrorCode, 0, told)
	if code == apierr.Unknown {
		code = wire.ToolFaultCode(told)
	}
	e := s.fault(code, s.client.Message(told))
	if e.Message == "" {
		e.Message = "the call failed and the service did not say why"
	}
	e.Hint = s.client.Message(a.ErrorHint)
	return e
}

// broken returns err, of reading or writing, as one that tells of the call,
// which may have had an effect.
func (s *Socket) broken(ctx context.Context, err error) error {
	e := s.fault(apierr.UnknownOutcome, "the WebSocket broke before the end")
	e.Hint = hintOutcome
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errRequestTimeout):
		e.Code, e.Message = apierr.DeadlineExceeded, fmt.Sprintf("request timeout: nothing came within %v", s.wait)
		leaveOpen(e)
	case cause != nil:
		e.Code, e.Message, e.Cause = apierr.CodeOf(ctx.Err()), ctx.Err().Error(), s.client.cause(cause)
		leaveOpen(e)
	case errors.Is(err, websocket.ErrMessageTooBig):
		e.Code, e.Message = apierr.ResponseTooLarge, fmt.Sprintf("a message is longer than %d bytes", ResponseLimit)
		leaveOpen(e)
	default:
		e.Cause = s.client.cause(err)
	}
	return e
}

// Malformed is what to say of a server that sends what it must not.
func (s *Socket) Malformed(what string) error { return s.fault(apierr.MalformedResponse, what) }

func (s *Socket) fault(code apierr.Code, message string) *apierr.Error {
	return &apierr.Error{Code: code, Op: s.op, SessionID: s.session, RequestID: s.Meta.RequestID, Message: message}
}

// Close ends the connection at once. Doing it twice is no harm.
func (s *Socket) Close() error {
	_ = s.conn.CloseNow() // it fails when it is closed
	return nil
}
