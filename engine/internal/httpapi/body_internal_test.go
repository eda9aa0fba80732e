package httpapi

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
)

var quiet = slog.New(slog.DiscardHandler)

// fakeEngine is an engine without sessions, whose calls wait for their caller.
type fakeEngine struct {
	Engine
	called chan context.Context
}

func (fakeEngine) List(string) []Session { return nil }

func (f fakeEngine) Do(ctx context.Context, _, _ string, _ func(context.Context, *Workspace) error) error {
	f.called <- ctx
	<-ctx.Done()
	return ctx.Err()
}

// dial returns a connection to a server of api, and sends text.
func dial(t *testing.T, handler http.Handler, text string) net.Conn {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() }) // closed already by some tests
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	return conn
}

// TestBodiesThatDoNotCome sends a byte of the body that was announced.
func TestBodiesThatDoNotCome(t *testing.T) {
	api := New(Config{Engine: fakeEngine{}, Logger: quiet, BodyTimeout: 50 * time.Millisecond})
	handler := api.Handler(NewKeyring([]string{"right"}).Authorize)
	const right = "Authorization: Bearer right\r\n"
	for name, c := range map[string]struct {
		handler       http.Handler
		path, headers string
		status        int
	}{
		"no key":           {handler, "/mcp", "", http.StatusUnauthorized},
		"wrong key":        {handler, "/mcp", "Authorization: Bearer wrong\r\n", http.StatusUnauthorized},
		"web page":         {handler, "/mcp", right + "Origin: https://example.com\r\n", http.StatusForbidden},
		"unknown path":     {handler, "/nowhere", right, http.StatusNotImplemented},
		"unsupported path": {handler, "/browser/init", right, http.StatusNotImplemented},
		"wrong method":     {handler, "/sdk/ListSession", right, http.StatusMethodNotAllowed},
		"encoded":          {handler, "/mcp", right + "Content-Encoding: gzip\r\n", http.StatusUnsupportedMediaType},
		"unknown transfer": {handler, "/transfer/0123", "", http.StatusForbidden},
		"unknown link":     {handler, "/link/0123/", "", http.StatusNotFound},
		"right":            {handler, "/mcp", right, http.StatusRequestTimeout},
	} {
		for _, length := range []string{"Content-Length: 100\r\n\r\n{", "Content-Length: 300000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"} {
			t.Run(name+" "+length[:len("Content-Length: 100")], func(t *testing.T) {
				t.Parallel()
				conn := dial(t, c.handler, "POST "+c.path+" HTTP/1.1\r\nHost: agb\r\n"+c.headers+length)
				require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
				answer := bufio.NewReader(conn)
				resp, err := http.ReadResponse(answer, nil)
				require.NoError(t, err)
				require.Equal(t, c.status, resp.StatusCode)
				_, err = io.Copy(io.Discard, resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				_, err = answer.ReadByte()
				require.ErrorIs(t, err, io.EOF, "the connection stays open")
			})
		}
	}
}

// TestBodyTimeoutIsForBodies makes a call that takes longer, ended by the
// client's hanging up.
func TestBodyTimeoutIsForBodies(t *testing.T) {
	const timeout = 20 * time.Millisecond
	engine := fakeEngine{called: make(chan context.Context, 1)}
	api := New(Config{Engine: engine, Logger: quiet, BodyTimeout: timeout})
	conn := dial(t, api.Handler(func(*http.Request) (string, bool) { return "t", true }),
		"POST /mcp HTTP/1.1\r\nHost: agb\r\nContent-Length: 2\r\n\r\n{}")
	ctx := <-engine.called
	select {
	case <-ctx.Done():
		require.Fail(t, "the timeout ended a call")
	case <-time.After(10 * timeout):
	}
	require.NoError(t, conn.Close())
	select {
	case <-ctx.Done():
	case <-time.After(20 * time.Second):
		require.Fail(t, "the call goes on without its caller")
	}
}

func TestRetryAfter(t *testing.T) {
	for code, want := range map[apierr.Code]string{
		apierr.ResourceExhausted: "1", apierr.Unavailable: "1", apierr.IsolationUnavailable: "", apierr.Internal: "", apierr.InvalidArgument: "",
	} {
		rec := httptest.NewRecorder()
		Refuse(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", strings.NewReader("x")), apierr.Errorf(code, "x"))
		require.Equal(t, want, rec.Header().Get("Retry-After"), code)
	}
}

func TestWebPagesAreRefused(t *testing.T) {
	api := New(Config{Engine: fakeEngine{}, Logger: quiet})
	handler := api.Handler(func(*http.Request) (string, bool) { return "t", true })
	for origin, want := range map[string]int{"https://example.com": http.StatusForbidden, "null": http.StatusForbidden, "": http.StatusForbidden} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sdk/ListSession", http.NoBody)
		r.Header.Set("Origin", origin)
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		require.Equal(t, want, rec.Code, origin)
		require.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"))
	}
}

// A page whose name has come to mean this machine has no key, and cannot hide
// where it is from when it sends something.
func TestReboundPagesAreRefused(t *testing.T) {
	handler := New(Config{Engine: fakeEngine{}, Logger: quiet}).Handler(NewKeyring([]string{"right"}).Authorize)
	for name, c := range map[string]struct {
		method, target string
		headers        map[string]string
		want           int
	}{
		"gets":           {http.MethodGet, "/sdk/ListSession", nil, http.StatusUnauthorized},
		"gets, cookies":  {http.MethodGet, "/sdk/ListSession", map[string]string{"Cookie": "key=right"}, http.StatusUnauthorized},
		"posts":          {http.MethodPost, "/mcp", map[string]string{"Content-Type": "text/plain", "Origin": "http://evil.example"}, http.StatusForbidden},
		"posts, allowed": {http.MethodPost, "/mcp", map[string]string{"Content-Type": "text/plain", "Origin": "http://evil.example", "Authorization": "Bearer right"}, http.StatusForbidden},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "http://evil.example"+c.target, strings.NewReader("{}"))
		for h, v := range c.headers {
			r.Header.Set(h, v)
		}
		rec := httptest.NewRecorder()
		handler.ServeHTTP(rec, r)
		require.Equal(t, c.want, rec.Code, name)
	}
}
