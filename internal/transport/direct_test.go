package transport_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

const (
	accessToken = "token-0123456789abcdef"
	saidA       = `{"requestId":"r-a","success":true,"code":"ok","data":{"isError":false,"content":[{"type":"text","text":"by the key"}]}}`
	saidB       = `{"code":200,"data":{"requestId":"r-b","result":{"isError":false,"content":[{"type":"text","text":"by the token"}]}}}`
)

// service is a service, and a session's own server. It keeps what it was asked.
type service struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []*http.Request
	bodies []string
}

// newService answers calls through the control plane, and direct calls by
// direct, or with saidB.
func newService(t *testing.T, direct http.HandlerFunc) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.asked, s.bodies = append(s.asked, r), append(s.bodies, string(body))
		s.mu.Unlock()
		switch {
		case r.URL.Path == "/mcp":
			_, _ = io.WriteString(w, saidA)
		case direct != nil:
			direct(w, r)
		default:
			_, _ = io.WriteString(w, saidB)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// paths returns where requests went.
func (s *service) paths() (paths []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.asked {
		paths = append(paths, r.URL.Path)
	}
	return paths
}

// handle is what the service says of a session.
func (s *service) handle() wire.SessionHandle {
	return wire.SessionHandle{
		SessionID: "s-1", LinkURL: s.URL + "/own/", Token: accessToken,
		ToolList: wire.ToolList{{Name: "shell", Server: "first"}, {Name: "shell", Server: "second"}, {Name: "nobody's"}},
	}
}

// client returns a client of the session that h describes.
func (s *service) client(t *testing.T, h wire.SessionHandle, configure func(*transport.Config)) *transport.Client {
	t.Helper()
	rt := transport.NewRoundTripper()
	t.Cleanup(rt.CloseIdleConnections)
	return newClient(rt, func(cfg *transport.Config) {
		cfg.BaseURL = s.URL
		if configure != nil {
			configure(cfg)
		}
	}).For("s-1", h)
}

// call calls a tool and returns what it said.
func call(ctx context.Context, c *transport.Client, session, tool string, repeatable bool) (string, transport.Meta, error) {
	resp, meta, err := transport.CallRaw(ctx, c, session, tool, `{"command":"<&>"}`, repeatable, 0)
	return resp.Text(), meta, err
}

func TestDirectCall(t *testing.T) {
	s := newService(t, nil)
	c := s.client(t, s.handle(), nil)
	said, meta, err := call(t.Context(), c, "s-1", "shell", false)
	require.NoError(t, err)
	require.Equal(t, []string{"by the token", "r-b"}, []string{said, meta.RequestID})
	require.Equal(t, []string{"/own/callTool"}, s.paths())
	r, body := s.asked[0], s.bodies[0]
	require.Equal(t, http.MethodPost, r.Method)
	require.Equal(t, []string{accessToken}, r.Header[wire.HeaderAccessToken])
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.NotContains(t, r.Header, "Authorization")
	require.NotContains(t, r.Header, wire.HeaderIdempotencyKey)
	id := r.Header.Get(wire.HeaderRequestID)
	require.NotEmpty(t, id)
	require.JSONEq(t, `{"args":{"command":"<&>"},"server":"first","requestId":"`+id+`","tool":"shell","token":"`+accessToken+`"}`, body)
	for _, value := range append([]string{body}, r.Header.Values("User-Agent")...) {
		require.NotContains(t, value, apiKey)
	}
	// What the session does not name goes the other way, as do other sessions.
	for _, other := range [][2]string{{"s-1", "nobody's"}, {"s-1", "unknown"}, {"s-2", "shell"}} {
		said, meta, err = call(t.Context(), c, other[0], other[1], false)
		require.NoError(t, err)
		require.Equal(t, []string{"by the key", "r-a"}, []string{said, meta.RequestID})
	}
	require.Equal(t, []string{"/own/callTool", "/mcp", "/mcp", "/mcp"}, s.paths())
}

func TestDirectCallIsNotTaken(t *testing.T) {
	s := newService(t, nil)
	host := strings.TrimPrefix(s.URL, "http://")
	for name, change := range map[string]func(*wire.SessionHandle){
		"no link":              func(h *wire.SessionHandle) { h.LinkURL = "" },
		"no token":             func(h *wire.SessionHandle) { h.Token = "" },
		"no tools":             func(h *wire.SessionHandle) { h.ToolList = nil },
		"a token of two lines": func(h *wire.SessionHandle) { h.Token = "a\r\nX-Evil: 1" },
		"a token of many":      func(h *wire.SessionHandle) { h.Token = strings.Repeat("x", 4097) },
		"a user":               func(h *wire.SessionHandle) { h.LinkURL = "http://user:password@" + host },
		"another scheme":       func(h *wire.SessionHandle) { h.LinkURL = "ftp://" + host },
		"a file":               func(h *wire.SessionHandle) { h.LinkURL = "file:///etc/passwd" },
		"no scheme":            func(h *wire.SessionHandle) { h.LinkURL = host + "/own" },
		"no host":              func(h *wire.SessionHandle) { h.LinkURL = "http:///own" },
		"a query":              func(h *wire.SessionHandle) { h.LinkURL += "?x=" },
		"a fragment":           func(h *wire.SessionHandle) { h.LinkURL += "#x" },
		"no URL":               func(h *wire.SessionHandle) { h.LinkURL = "http://[::1" },
		"a long URL":           func(h *wire.SessionHandle) { h.LinkURL += strings.Repeat("x", 2048) },
		"a long server": func(h *wire.SessionHandle) {
			h.ToolList[0].Server = strings.Repeat("x", 129)
			h.ToolList = h.ToolList[:1]
		},
		"too many tools": func(h *wire.SessionHandle) {
			h.ToolList = append(make([]wire.ToolEntry, 1024), h.ToolList...)
		},
	} {
		h := s.handle()
		change(&h)
		said, _, err := call(t.Context(), s.client(t, h, nil), "s-1", "shell", false)
		require.NoError(t, err, name)
		require.Equal(t, "by the key", said, name)
	}
	// In the clear only what is in the clear already; within the program never.
	for name, configure := range map[string]func(*transport.Config){
		"a secure endpoint": func(cfg *transport.Config) {
			cfg.BaseURL, cfg.Transport = "https://agb.test", roundTrip(func(r *http.Request) (*http.Response, error) {
				r.URL.Scheme, r.URL.Host = "http", host
				return http.DefaultTransport.RoundTrip(r)
			})
		},
		"embedded": func(cfg *transport.Config) { cfg.Embedded = true },
	} {
		said, _, err := call(t.Context(), s.client(t, s.handle(), configure), "s-1", "shell", false)
		require.NoError(t, err, name)
		require.Equal(t, "by the key", said, name)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for _, path := range s.paths() {
		require.Equal(t, "/mcp", path)
	}
}

// Where a direct call certainly had no effect, the other route is taken, for a
// while.
func TestDirectCallFallsBack(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		s := newService(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		c := s.client(t, s.handle(), nil)
		for range 2 {
			said, meta, err := call(t.Context(), c, "s-1", "shell", false)
			require.NoError(t, err)
			require.Equal(t, []string{"by the key", "r-a"}, []string{said, meta.RequestID})
		}
		require.Equal(t, []string{"/own/callTool", "/mcp", "/mcp"}, s.paths(), status)
	}
	s := newService(t, nil)
	unused, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of a port that nobody listens at
	require.NoError(t, err)
	require.NoError(t, unused.Close())
	h := s.handle()
	h.LinkURL = "http://" + unused.Addr().String()
	start := time.Now()
	said, _, err := call(t.Context(), s.client(t, h, nil), "s-1", "shell", false)
	require.NoError(t, err)
	require.Equal(t, "by the key", said)
	require.Less(t, time.Since(start), time.Second)
	require.Equal(t, []string{"/mcp"}, s.paths())
	// Not when the caller has gone.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = call(ctx, s.client(t, s.handle(), nil), "s-1", "shell", false)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []string{"/mcp"}, s.paths())
}

// All else is told, and nothing is called by both routes.
func TestDirectCallFails(t *testing.T) {
	for name, try := range map[string]struct {
		answer     http.HandlerFunc
		repeatable bool
		code       apierr.Code
		attempts   int
	}{
		"an envelope": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"requestId":"r-e","success":false,"code":"InvalidMcpSession.NotFound","message":"Session s-1 not found","httpStatusCode":400}`)
		}, false, apierr.SessionNotFound, 1},
		"an envelope of success": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"requestId":"r-e","success":false,"code":"FailedPrecondition","message":"paused","httpStatusCode":412}`)
		}, false, apierr.FailedPrecondition, 1},
		"a defect":             {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, false, apierr.Internal, 1},
		"a defect, again":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, true, apierr.Internal, 3},
		"a busy server":        {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, false, apierr.Unavailable, 3},
		"a lost answer":        {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, apierr.UnknownOutcome, 1},
		"a lost answer, again": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, apierr.Unavailable, 3},
		"a page":               {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, false, apierr.MalformedResponse, 1},
		"nothing":              {func(http.ResponseWriter, *http.Request) {}, false, apierr.MalformedResponse, 1},
		"no result":            {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"code":200,"data":{}}`) }, false, apierr.MalformedResponse, 1},
		"too much": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"data":{"result":{"content":["`+strings.Repeat("x", transport.ResponseLimit)+`"]}}}`)
		}, false, apierr.ResponseTooLarge, 1},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, false, apierr.MalformedResponse, 1},
	} {
		s := newService(t, try.answer)
		_, meta, err := call(t.Context(), s.client(t, s.handle(), nil), "s-1", "shell", try.repeatable)
		e := asError(t, err)
		require.Equal(t, try.code, e.Code, "%s: %v", name, err)
		require.Equal(t, []string{"shell", "s-1", meta.RequestID}, []string{e.Op, e.SessionID, e.RequestID}, name)
		require.Len(t, s.paths(), try.attempts, name)
		for _, path := range s.paths() {
			require.Equal(t, "/own/callTool", path, name)
		}
		for _, r := range s.asked {
			require.Equal(t, s.asked[0].Header.Get(wire.HeaderRequestID), r.Header.Get(wire.HeaderRequestID), name)
		}
	}
}

// A direct call has the time of its tool, and the token is not shown.
func TestDirectCallTakesItsTime(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(150 * time.Millisecond)
		_, _ = io.WriteString(w, saidB)
	})
	hasty := func(cfg *transport.Config) { cfg.Timeout = 50 * time.Millisecond }
	_, _, err := transport.CallRaw(t.Context(), s.client(t, s.handle(), hasty), "s-1", "shell", "{}", false, 10*time.Second)
	require.NoError(t, err)
	_, _, err = transport.CallRaw(t.Context(), s.client(t, s.handle(), hasty), "s-1", "shell", "{}", false, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, apierr.UnknownOutcome.Err())

	s = newService(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		b, _ := json.Marshal(map[string]any{"success": false, "code": "X", "message": "you said " + r.Header.Get(wire.HeaderAccessToken)})
		_, _ = w.Write(b)
	})
	var log logBuffer
	_, _, err = call(t.Context(), s.client(t, s.handle(), func(cfg *transport.Config) { cfg.Logger = log.logger() }), "s-1", "shell", false)
	require.ErrorContains(t, err, "you said [redacted]")
	require.NotContains(t, log.String(), accessToken)
	require.NotEmpty(t, log.String())
}

func TestSocketIsNotTaken(t *testing.T) {
	for url, taken := range map[string]bool{
		"wss://agb.test/ws": true, "wss://other.test:8443/ws?a=b": true,
		"": false, "ws://agb.test/ws": false, "https://agb.test/ws": false, "wss://user@agb.test/ws": false, "wss:///ws": false,
		"wss://agb.test/ws#x": false, "wss://agb.test/" + strings.Repeat("x", 2048): false, "wss://agb.test:port/": false,
	} {
		h := wire.SessionHandle{Token: accessToken, WSURL: url}
		secure := newClient(nil, func(cfg *transport.Config) { cfg.BaseURL = "https://agb.test" })
		require.Equal(t, taken, secure.For("s-1", h).HasSocket(), url)
		require.False(t, secure.HasSocket())
		h.Token = ""
		require.False(t, secure.For("s-1", h).HasSocket(), url)
	}
	plain := newClient(nil, nil) // which speaks plain HTTP
	require.True(t, plain.For("s-1", wire.SessionHandle{Token: accessToken, WSURL: "ws://agb.test/ws"}).HasSocket())
}
