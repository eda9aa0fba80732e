package engine

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/agb-go/sdk/internal/memnet"
)

// memoryEndpoint is the base URL of an engine within its program. No such host
// exists, nor is it ever looked up.
const memoryEndpoint = "http://engine.agb.internal"

// idleConns is how many in-memory connections are kept for further calls.
const idleConns = 64

// transport is the way to an engine over in-memory connections.
type transport struct {
	http     *http.Transport
	listener *memnet.Listener
	server   *http.Server
	served   chan error
}

// serveMemory serves handler over in-memory connections until close is called.
func serveMemory(handler http.Handler, log *slog.Logger) *transport {
	t := &transport{listener: memnet.Listen(), served: make(chan error, 1)}
	t.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	t.http = &http.Transport{
		DialContext:         t.dial,
		MaxIdleConnsPerHost: idleConns, MaxIdleConns: idleConns, IdleConnTimeout: time.Minute,
		DisableCompression: true,
	}
	go func() { t.served <- t.server.Serve(t.listener) }()
	return t
}

// dial connects to the engine. Once that is closed, it says so.
func (t *transport) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	conn, err := t.listener.Dial(ctx)
	if errors.Is(err, net.ErrClosed) {
		return nil, errClosed()
	}
	return conn, err
}

// RoundTrip implements [http.RoundTripper].
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.http.RoundTrip(r) }

// Endpoint returns the base URL to use with t: clients need neither a key nor
// an endpoint of their own.
func (t *transport) Endpoint() string { return memoryEndpoint }

// CloseIdleConnections closes connections that are not in use.
func (t *transport) CloseIdleConnections() { t.http.CloseIdleConnections() }

// close ends the serving and every connection.
func (t *transport) close() error {
	err := t.server.Close()
	if served := <-t.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	t.http.CloseIdleConnections()
	return err
}
