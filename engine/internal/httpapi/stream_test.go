package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// raw is a client's end of a stream that has begun, or of an answer.
type raw struct {
	net.Conn
	r      *bufio.Reader
	status int
	id     string // of the request
}

// ports asks for a stream to a port.
func (p peer) ports(t *testing.T, body string, headers ...string) raw {
	t.Helper()
	return p.stream(t, "/v1/ports/dial", body, headers...)
}

// stream sends a request for a stream to a server of p's and returns the
// connection and what the answer's headers say.
func (p peer) stream(t *testing.T, path, body string, headers ...string) raw {
	t.Helper()
	srv := httptest.NewServer(p.handler)
	t.Cleanup(srv.Close)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n%s\r\n\r\n%s",
		path, p.key, len(body), strings.Join(append(headers, "X-Request-Id: mine"), "\r\n"), body)
	require.NoError(t, err)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil) //nolint:bodyclose // the connection is closed
	require.NoError(t, err)
	return raw{conn, r, resp.StatusCode, resp.Header.Get(wire.HeaderRequestID)}
}

// upgrade asks for a stream.
var upgrade = []string{"Connection: keep-alive, Upgrade", "Upgrade: AGB-Stream"}

// last reads frames until the one that is the last.
func (c raw) last(t *testing.T) (wire.FrameKind, wire.StreamFault) {
	t.Helper()
	frames := wire.NewFrameReader(c.r)
	for {
		kind, _, err := frames.Next()
		require.NoError(t, err)
		if kind != wire.FrameEnd && kind != wire.FrameFault {
			continue
		}
		var f wire.StreamFault
		p, err := frames.Payload()
		require.NoError(t, err)
		if kind == wire.FrameFault {
			require.NoError(t, json.Unmarshal(p, &f))
		}
		_, err = c.r.ReadByte()
		require.ErrorIs(t, err, io.EOF, "nothing follows the last")
		return kind, f
	}
}

// echo starts a server in a session that sends back what comes to a socket.
func echo(t *testing.T, p peer, id string) string {
	t.Helper()
	if r := shell(t, p, id, wire.ShellArgs{Command: "command -v python3"}); r.ExitCode != 0 {
		t.Skip("no python3 here")
	}
	const program = `
import socketserver
class H(socketserver.BaseRequestHandler):
    def handle(self):
        while b := self.request.recv(65536): self.request.sendall(b)
socketserver.ThreadingUnixStreamServer.request_queue_size = 100 # who comes when it is full is refused
s = socketserver.ThreadingUnixStreamServer("/tmp/echo", H)
open("/tmp/listens", "w").close()
s.serve_forever()
`
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/e.py", Content: program})
	shell(t, p, id, wire.ShellArgs{Command: "nohup python3 /tmp/e.py >/tmp/e.log 2>&1 & until [ -e /tmp/listens ]; do sleep 0.05; done"})
	return `{"sessionId":"` + id + `","network":"unix","address":"/tmp/echo"}`
}

func TestStreamHasToBeAskedFor(t *testing.T) {
	p := newPeer(t)
	body := echo(t, p, p.create(t, nil))
	for _, headers := range [][]string{nil, {"Upgrade: agb-stream"}, {"Connection: upgrade"}, {"Connection: upgrade", "Upgrade: websocket"}} {
		c := p.ports(t, body, headers...)
		require.Equal(t, http.StatusUpgradeRequired, c.status, headers)
		require.Equal(t, "mine", c.id)
	}
	require.Equal(t, http.StatusBadRequest, p.ports(t, "{", upgrade...).status)
	// A server that cannot hand a connection over says so.
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/ports/dial", strings.NewReader(body))
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", wire.StreamProtocol)
	require.Equal(t, http.StatusNotImplemented, p.send(t, r).status)
}

// What clients send that is no stream's ends theirs and nothing else.
func TestStreamOfAHostileClient(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	body := echo(t, p, id)
	for name, sent := range map[string]string{
		"a frame that is too long": "\x01\x00\x01\x00\x01",
		"an unknown frame":         "\x7f\x00\x00\x00\x00",
		"a fault":                  "\x03\x00\x00\x00\x02{}",
		"another request":          "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		c := p.ports(t, body, upgrade...)
		require.Equal(t, http.StatusSwitchingProtocols, c.status, name)
		require.Equal(t, "mine", c.id)
		_, err := io.WriteString(c, sent)
		require.NoError(t, err)
		kind, f := c.last(t)
		require.Equal(t, wire.FrameFault, kind, name)
		require.Equal(t, apierr.Canceled, wire.FaultCode(f.Code, 0, f.Message), name)
	}
	for range 3 { // who hangs up, at once or amid a frame
		c := p.ports(t, body, upgrade...)
		_, err := io.WriteString(c, "\x01\x00\x00\xff\xffabc")
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	c := p.ports(t, body, upgrade...)
	require.Equal(t, http.StatusSwitchingProtocols, c.status)
	_, err := io.WriteString(c, "\x01\x00\x00\x00\x03abc\x02\x00\x00\x00\x00")
	require.NoError(t, err)
	kind, _ := c.last(t)
	require.Equal(t, wire.FrameEnd, kind)
	// None of them keeps the session from being paused.
	for {
		_, a := ask(t, p, wire.PauseSession, wire.SessionRequest{SessionID: id})
		if a.Success || a.Code == "Unsupported" {
			break
		}
		require.Equal(t, "FailedPrecondition", a.Code)
		time.Sleep(10 * time.Millisecond)
	}
}

// A stream ends with its session, and says so.
func TestStreamOfASessionThatEnds(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c := p.ports(t, echo(t, p, id), upgrade...)
	require.Equal(t, http.StatusSwitchingProtocols, c.status)
	_, err := io.WriteString(c, "\x01\x00\x00\x00\x03abc")
	require.NoError(t, err)
	must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: id})
	kind, f := c.last(t)
	require.Equal(t, wire.FrameFault, kind)
	require.Equal(t, gone, f.Code)
}

// While a stream is open its session cannot be paused.
func TestStreamIsActivity(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c := p.ports(t, echo(t, p, id), upgrade...)
	require.Equal(t, http.StatusSwitchingProtocols, c.status)
	_, a := ask(t, p, wire.PauseSession, wire.SessionRequest{SessionID: id})
	require.Equal(t, "FailedPrecondition", a.Code)
	require.NoError(t, c.Close())
}
