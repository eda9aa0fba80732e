package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest/leak"
	"github.com/agb-go/sdk/engine/linuxns"
	"github.com/agb-go/sdk/internal/wire"
)

// newEngine returns an engine that is closed when the test ends. Where there is
// no default runtime it skips the test.
func newEngine(tb testing.TB, cfg engine.Config) *engine.Engine {
	tb.Helper()
	eng, err := engine.New(cfg)
	if errors.Is(err, apierr.Unsupported.Err()) {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, eng.Close()) })
	return eng
}

// ask performs an operation over the in-memory transport.
func ask[Req, Resp any](tb testing.TB, eng *engine.Engine, op wire.Op[Req, Resp], req Req) (Resp, *wire.Envelope) {
	tb.Helper()
	env, err := send(tb.Context(), eng, op, req)
	require.NoError(tb, err)
	data, err := wire.Open[Resp](env)
	require.NoError(tb, err)
	return data, env
}

func send[Req, Resp any](ctx context.Context, eng *engine.Engine, op wire.Op[Req, Resp], req Req) (*wire.Envelope, error) {
	method, target, body, err := op.NewRequest(req)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://engine.agb.internal"+target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := eng.Transport().RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var env wire.Envelope
	err = json.NewDecoder(resp.Body).Decode(&env)
	return &env, errors.Join(err, resp.Body.Close())
}

// create makes a session. Where sandboxes cannot be made it skips the test.
func create(tb testing.TB, eng *engine.Engine, req wire.CreateSessionRequest) string {
	tb.Helper()
	resp, env := ask(tb, eng, wire.CreateSession, req)
	if env.Code == "IsolationUnavailable" {
		report, err := engine.Probe(tb.Context())
		require.NoError(tb, err)
		if !report.Available {
			tb.Skip("no sandboxes here: ", env.Message, env.Hint)
		}
	}
	require.True(tb, env.Success, env.Message)
	return resp.SessionID
}

func status(t *testing.T, eng *engine.Engine, id string) string {
	t.Helper()
	_, env := ask(t, eng, wire.SessionStatus, wire.SessionRequest{SessionID: id})
	return env.Code
}

func shell(id, command string) wire.CallToolRequest {
	args, _ := json.Marshal(wire.ShellArgs{Command: command}) // strings always encode
	return wire.CallToolRequest{SessionID: id, Name: wire.Shell.Name, Args: string(args)}
}

func run(t *testing.T, eng *engine.Engine, id, command string) *wire.Envelope {
	t.Helper()
	_, env := ask(t, eng, wire.CallTool, shell(id, command))
	return env
}

// later runs a command in a goroutine of its own and sends the code of its
// answer, or what went wrong, to codes.
func later(ctx context.Context, eng *engine.Engine, id, command string, codes chan<- string) {
	go func() {
		env, err := send(ctx, eng, wire.CallTool, shell(id, command))
		if err != nil {
			codes <- err.Error()
			return
		}
		codes <- env.Code
	}()
}

const gone = "InvalidMcpSession.NotFound"

var host = wire.CreateSessionRequest{ImageID: "host"}

func TestZeroConfig(t *testing.T) {
	eng := newEngine(t, engine.Config{})
	id := create(t, eng, host)
	require.Regexp(t, `^s-[0-9a-f]{32}$`, id)
	require.Contains(t, string(run(t, eng, id, "echo $((6*7))").Data), "42")

	transport, ok := eng.Transport().(interface {
		http.RoundTripper
		Endpoint() string
		CloseIdleConnections()
	})
	require.True(t, ok)
	require.Equal(t, "http://engine.agb.internal", transport.Endpoint())
	transport.CloseIdleConnections()
	require.Equal(t, wire.CodeOK, status(t, eng, id))

	// Without keys nobody gets in by a port, and not by the owner's name either.
	for _, header := range []string{"", "Bearer ", "Bearer owner"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sdk/ListSession", http.NoBody)
		r.Header.Set("Authorization", header)
		rec := httptest.NewRecorder()
		eng.Handler().ServeHTTP(rec, r)
		require.Equal(t, http.StatusUnauthorized, rec.Code)
	}
}

func TestProbe(t *testing.T) {
	report, err := engine.Probe(t.Context())
	if errors.Is(err, apierr.Unsupported.Err()) {
		t.Skip(err)
	}
	require.NoError(t, err)
	require.Equal(t, "linuxns", report.Runtime)
	require.NotEmpty(t, report.Layers)
}

func TestClose(t *testing.T) {
	eng := newEngine(t, engine.Config{APIKeys: []string{"0123456789abcdef"}})
	id := create(t, eng, host)
	answered := make(chan string, 1)
	later(t.Context(), eng, id, "sleep 60", answered)
	require.Eventually(t, func() bool {
		return strings.Contains(string(run(t, eng, id, "cat /proc/[0-9]*/cmdline").Data), "sleep")
	},
		10*time.Second, 10*time.Millisecond)

	closed := make(chan error, 3)
	for range 3 {
		go func() { closed <- eng.Close() }()
	}
	for range 3 {
		require.NoError(t, <-closed)
	}
	require.Equal(t, gone, <-answered)
	require.Empty(t, children(t), "processes are left")

	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sdk/ListSession", http.NoBody)
	r.Header.Set("Authorization", "Bearer 0123456789abcdef")
	rec := httptest.NewRecorder()
	eng.Handler().ServeHTTP(rec, r)
	require.Equal(t, http.StatusServiceUnavailable, rec.Code)
	r = r.Clone(t.Context())
	r.URL.Scheme, r.URL.Host, r.RequestURI = "http", "engine.agb.internal", ""
	resp, err := eng.Transport().RoundTrip(r)
	if err == nil {
		require.NoError(t, resp.Body.Close())
	}
	require.Error(t, err)
}

// children lists the processes that this one has.
func children(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/children")
	require.NoError(t, err)
	var all strings.Builder
	for _, name := range files {
		if b, err := os.ReadFile(name); err == nil { // a thread may have ended
			all.Write(b)
		}
	}
	return all.String()
}

func TestIdleRelease(t *testing.T) {
	eng := newEngine(t, engine.Config{})
	req := host
	req.Timeout = 1
	id := create(t, eng, req)
	start := time.Now()
	require.Contains(t, string(run(t, eng, id, "sleep 2; echo awake").Data), "awake", "a call under way is activity")
	// Looking does not keep it.
	require.Eventually(t, func() bool { return status(t, eng, id) == gone }, 10*time.Second, 50*time.Millisecond)
	require.GreaterOrEqual(t, time.Since(start), 3*time.Second)
}

func TestMaxLifetime(t *testing.T) {
	eng := newEngine(t, engine.Config{MaxLifetime: time.Second})
	id := create(t, eng, host)
	require.Equal(t, gone, run(t, eng, id, "sleep 60").Code)
	require.Equal(t, gone, status(t, eng, id))
}

func TestMaxSessions(t *testing.T) {
	eng := newEngine(t, engine.Config{MaxSessions: 2})
	one := create(t, eng, host)
	create(t, eng, host)
	_, env := ask(t, eng, wire.CreateSession, host)
	require.Equal(t, "Throttling", env.Code)
	require.Equal(t, http.StatusTooManyRequests, env.HTTPStatusCode)
	_, env = ask(t, eng, wire.DeleteSession, wire.SessionRequest{SessionID: one})
	require.True(t, env.Success)
	create(t, eng, host)
}

// watched is a runtime that remembers its sandboxes.
type watched struct {
	driver.Runtime
	mu        sync.Mutex
	sandboxes []driver.Sandbox
}

func (w *watched) Create(ctx context.Context, spec driver.Spec) (driver.Sandbox, error) {
	sb, err := w.Runtime.Create(ctx, spec)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sandboxes = append(w.sandboxes, sb)
	return sb, err
}

func TestSandboxDies(t *testing.T) {
	rt, err := linuxns.New(linuxns.Config{})
	if errors.Is(err, apierr.Unsupported.Err()) {
		t.Skip(err)
	}
	require.NoError(t, err)
	w := &watched{Runtime: rt}
	eng := newEngine(t, engine.Config{Runtime: w})
	id := create(t, eng, host)
	answered := make(chan string, 1)
	later(t.Context(), eng, id, "sleep 60", answered)
	require.NoError(t, w.sandboxes[0].Destroy(t.Context()))
	require.Equal(t, gone, <-answered)
	require.Eventually(t, func() bool { return status(t, eng, id) == gone }, 5*time.Second, 10*time.Millisecond)
	list, _ := ask(t, eng, wire.ListSessions, wire.ListSessionsRequest{})
	require.Empty(t, list.Sessions)
}

// TestCreateIsGivenUp cancels creates at many moments: none may leave a session
// that nobody knows of.
func TestCreateIsGivenUp(t *testing.T) {
	eng := newEngine(t, engine.Config{})
	create(t, eng, host)
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*time.Millisecond/2)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://engine.agb.internal/mcp/createSession?imageId=host", http.NoBody)
		require.NoError(t, err)
		resp, err := eng.Transport().RoundTrip(r)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // the answer may be cut
			require.NoError(t, resp.Body.Close())
		}
		cancel()
	}
	require.NoError(t, eng.Close())
	require.Empty(t, children(t))
}

// TestDeleteUnderCalls ends sessions, and then the engine, while all kinds of
// calls go on: each is told so, and nothing is left.
func TestDeleteUnderCalls(t *testing.T) {
	warm := newEngine(t, engine.Config{})
	create(t, warm, host)
	require.NoError(t, warm.Close()) // what the process keeps for good is there now
	before := leak.AtRest(leak.Options{})
	eng := newEngine(t, engine.Config{})
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	require.NoError(t, err)
	for range 10 {
		for name, err := range endUnder(t, client, func(s *agb.Session) {
			_, err := s.Delete(t.Context())
			require.NoError(t, err)
		}) {
			require.ErrorIs(t, err, agb.ErrSessionNotFound, name)
		}
	}
	for name, err := range endUnder(t, client, func(*agb.Session) { require.NoError(t, eng.Close()) }) {
		require.Contains(t, []apierr.Code{apierr.SessionNotFound, apierr.Unavailable}, apierr.CodeOf(err), "%s: %v", name, err)
	}
	leak.Check(t, before, leak.Options{})
}

func TestPublicURL(t *testing.T) {
	eng := newEngine(t, engine.Config{PublicURL: "https://x.example/agb/"})
	id := create(t, eng, host)
	got, _ := ask(t, eng, wire.GetSession, wire.SessionRequest{SessionID: id})
	require.True(t, strings.HasPrefix(got.ResourceURL, "https://x.example/agb/"))
	link, _ := ask(t, eng, wire.GetLink, wire.GetLinkRequest{SessionID: id, Protocol: "ws"})
	require.True(t, strings.HasPrefix(link.URL, "wss://x.example/agb/link/"))
}

// BenchmarkInProcessCall measures a call over the in-memory transport that
// costs the engine nothing.
func BenchmarkInProcessCall(b *testing.B) {
	eng := newEngine(b, engine.Config{})
	id := create(b, eng, host)
	rt := eng.Transport()
	body := []byte(`{"sessionId":"` + id + `"}`)
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://engine.agb.internal/mcp/getSessionInfo", bytes.NewReader(body))
		require.NoError(b, err)
		resp, err := rt.RoundTrip(r)
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		require.NoError(b, resp.Body.Close())
	}
}
