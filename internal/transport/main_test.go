package transport_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/transport/faultproxy"
	"github.com/agb-go/sdk/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	baseURL = "http://agb.test"
	apiKey  = "akm-0123456789abcdef"
	okBody  = `{"requestId":"r-1","success":true,"code":"ok","httpStatusCode":200,"data":{"sessionId":"s-1"}}`
)

// newClient returns a client over rt. Configure, if not nil, changes its
// configuration.
func newClient(rt http.RoundTripper, configure func(*transport.Config)) *transport.Client {
	cfg := transport.Config{
		BaseURL: baseURL, APIKey: apiKey, Transport: rt, Logger: slog.New(slog.DiscardHandler),
		UserAgent: "test", Timeout: time.Minute, Attempts: 3,
	}
	if configure != nil {
		configure(&cfg)
	}
	return transport.New(cfg)
}

// get performs an operation that is repeatable, create one that is not.
func get(ctx context.Context, c *transport.Client) (transport.Meta, error) {
	_, meta, err := transport.Do(ctx, c, wire.GetSession, wire.SessionRequest{SessionID: "s-1"})
	return meta, err
}

func create(ctx context.Context, c *transport.Client) (transport.Meta, error) {
	op := wire.CreateSession
	op.Keyed = "" // as of a server that does not know keys
	_, meta, err := transport.Do(ctx, c, op, wire.CreateSessionRequest{ImageID: "i"})
	return meta, err
}

// mock returns a transport of which every request is answered by r.
func mock(r httpmock.Responder) *httpmock.MockTransport {
	m := httpmock.NewMockTransport()
	m.RegisterNoResponder(r)
	return m
}

// roundTrip is a function as a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// backend is a server behind a proxy, and a client that reaches it through
// that.
type backend struct {
	client *transport.Client
	proxy  *faultproxy.Proxy
	served *atomic.Int64 // requests that arrived whole
}

// newBackend starts a backend that answers with handle, or with okBody.
func newBackend(t *testing.T, handle http.HandlerFunc, configure func(*transport.Config)) backend {
	t.Helper()
	b := backend{served: &atomic.Int64{}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err != nil {
			return
		}
		b.served.Add(1)
		if len(r.Header[wire.HeaderIdempotencyKey]) != 1 || len(r.Header[wire.HeaderRequestID]) != 1 {
			w.WriteHeader(http.StatusTeapot)
		}
		if handle != nil {
			handle(w, r)
			return
		}
		_, _ = w.Write([]byte(okBody))
	}))
	t.Cleanup(srv.Close)
	var err error
	b.proxy, err = faultproxy.Listen(srv.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.proxy.Close()) })
	rt := transport.NewRoundTripper()
	t.Cleanup(rt.CloseIdleConnections)
	b.client = newClient(rt, func(cfg *transport.Config) {
		cfg.BaseURL = "http://" + b.proxy.Addr()
		if configure != nil {
			configure(cfg)
		}
	})
	return b
}

// asError returns err as the error of the SDK that it has to be.
func asError(t *testing.T, err error) *apierr.Error {
	t.Helper()
	var e *apierr.Error
	require.ErrorAs(t, err, &e)
	return e
}

// logBuffer collects log lines.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

var errBroken = errors.New("connection broke")
