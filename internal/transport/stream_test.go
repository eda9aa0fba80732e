package transport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// streaming is the answer of a server that has streams.
const streaming = `{"success":true,"data":{"version":1,"operations":["DialPort"]}}`

// open opens a stream of a server that hands each one's connection to serve.
func open(t *testing.T, serve func(net.Conn, *bufio.Reader)) (*transport.Stream, error) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, streaming)
			return
		}
		var req wire.DialPortRequest
		if json.NewDecoder(r.Body).Decode(&req) != nil || req.SessionID != "s-1" || r.Header.Get("Authorization") != "Bearer "+apiKey {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err == nil {
			serve(conn, rw.Reader)
			_ = conn.Close()
		}
	}))
	t.Cleanup(srv.Close)
	rt := transport.NewStreamRoundTripper()
	t.Cleanup(rt.CloseIdleConnections)
	c := newClient(rt, func(cfg *transport.Config) { cfg.BaseURL = srv.URL })
	return dialPort(t.Context(), c)
}

func dialPort(ctx context.Context, c *transport.Client) (*transport.Stream, error) {
	return transport.Open(ctx, c, wire.DialPort, "s-1", wire.DialPortRequest{SessionID: "s-1", Network: "tcp", Address: "localhost:1"})
}

const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: agb-stream\r\nX-Request-Id: r-9\r\n\r\n"

// What a server sends after the headers, and what comes of it.
func TestStreamEnds(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		code apierr.Code
		says string
	}{
		"broken":             {"", apierr.Unavailable, "broke"},
		"broken head":        {"\x01\x00", apierr.Unavailable, "broke"},
		"broken frame":       {"\x01\x00\x00\x00\x05abc", apierr.Unavailable, "broke"},
		"too long":           {"\x01\x00\x01\x00\x01", apierr.MalformedResponse, "too long"},
		"fault":              {"\x03\x00\x00\x00\x42" + `{"code":"InvalidMcpSession.NotFound","message":"gone","hint":"make"}`, apierr.SessionNotFound, "gone; make"},
		"fault with secrets": {"\x03\x00\x00\x00\x37" + `{"code":"Throttling","message":"token=abcdef ` + "\\u001b[2J" + `no"}`, apierr.ResourceExhausted, "token=[redacted]"},
		"strange fault":      {"\x03\x00\x00\x00\x02[]", apierr.MalformedResponse, "not understood"},
	} {
		t.Run(name, func(t *testing.T) {
			if size := strings.IndexByte(c.sent, '{'); size > 0 {
				c.sent = c.sent[:4] + string(rune(len(c.sent)-size)) + c.sent[size:]
			}
			st, err := open(t, func(conn net.Conn, _ *bufio.Reader) { _, _ = io.WriteString(conn, switched+c.sent) })
			require.NoError(t, err)
			defer func() { require.NoError(t, st.Close()) }()
			require.Equal(t, "r-9", st.Meta.RequestID)
			_, _, err = st.Next()
			require.Equal(t, c.code, apierr.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, c.says)
			e := apierr.From(err)
			require.Equal(t, []string{"DialPort", "s-1", "r-9"}, []string{e.Op, e.SessionID, e.RequestID})
		})
	}
}

func TestStreamCarries(t *testing.T) {
	st, err := open(t, func(conn net.Conn, r *bufio.Reader) {
		_, _ = io.WriteString(conn, switched)
		_, _ = io.CopyN(conn, r, 5+3) // a frame comes back as it is
		_, _ = io.Copy(io.Discard, r)
	})
	require.NoError(t, err)
	require.NoError(t, st.WriteFrame(wire.FrameOwn, []byte("abc")))
	kind, p, err := st.Next()
	require.NoError(t, err)
	require.Equal(t, wire.FrameOwn, kind)
	require.Equal(t, "abc", string(p))
	require.NoError(t, st.Close())
	require.NoError(t, st.Close())
	_, _, err = st.Next()
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, apierr.Canceled, apierr.CodeOf(st.Failed(st.WriteFrame(wire.FrameEnd, nil))))
}

// Answers that are no stream.
func TestStreamDoesNotBegin(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		code   apierr.Code
		says   string
	}{
		"refused":    {400, `{"success":false,"code":"InvalidMcpSession.NotFound","message":"no such session"}`, apierr.SessionNotFound, "no such session"},
		"success":    {200, okBody, apierr.MalformedResponse, "proxy"},
		"gateway":    {502, `<html>bad</html>`, apierr.Unavailable, "Bad Gateway"},
		"redirect":   {302, ``, apierr.MalformedResponse, "redirects"},
		"no handing": {101, ``, apierr.MalformedResponse, "no stream"},
	} {
		t.Run(name, func(t *testing.T) {
			m := httpmock.NewMockTransport()
			m.RegisterResponder(http.MethodGet, `=~capabilities`, httpmock.NewStringResponder(200, streaming))
			m.RegisterNoResponder(func(*http.Request) (*http.Response, error) {
				resp := httpmock.NewStringResponse(c.status, c.body)
				if c.status == 302 {
					resp.Header.Set("Location", "https://elsewhere.example/")
				}
				if c.status == 101 {
					resp.Header.Set("Upgrade", wire.StreamProtocol)
				}
				return resp, nil
			})
			_, err := dialPort(t.Context(), newClient(m, nil))
			require.Equal(t, c.code, apierr.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, 1, m.GetCallCountInfo()["NO_RESPONDER"], "it is asked for once")
		})
	}
	_, err := dialPort(t.Context(), newClient(mock(httpmock.NewStringResponder(404, "")), nil))
	require.ErrorIs(t, err, apierr.Unsupported.Err())
}

// A server that goes before it answers is noticed at once.
func TestStreamServerGoes(t *testing.T) {
	_, err := open(t, func(net.Conn, *bufio.Reader) {})
	require.Equal(t, apierr.UnknownOutcome, apierr.CodeOf(err), "%v", err)
}
