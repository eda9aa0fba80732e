// Package fakestream is a service whose streams say what a test wants, for tests
// of what clients make of it.
package fakestream

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// Service is what the service does.
type Service struct {
	// Operations are those that it says it has.
	Operations []string
	// Serve has each stream. The stream ends when it returns.
	Serve func(*wire.FrameWriter, net.Conn)
	// Data is the answer, as JSON, to calls that want no stream.
	Data string
}

// Start starts the service and returns a client of it. Stop ends both.
func (s Service) Start() (client *transport.Client, stop func()) {
	srv := httptest.NewServer(http.HandlerFunc(s.answer))
	rt := transport.NewStreamRoundTripper()
	return transport.New(transport.Config{
		BaseURL: srv.URL, APIKey: "key", Transport: rt, Logger: slog.New(slog.DiscardHandler), UserAgent: "test", Timeout: time.Minute, Attempts: 1,
	}), func() { rt.CloseIdleConnections(); srv.Close() }
}

func (s Service) answer(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		_, _ = io.WriteString(w, `{"success":true,"data":{"version":1,"operations":["`+strings.Join(s.Operations, `","`)+`"]}}`)
		return
	}
	if r.Header.Get("Upgrade") == "" {
		_, _ = io.WriteString(w, `{"success":true,"data":`+s.Data+`}`)
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: agb-stream\r\n\r\n")
		s.Serve(wire.NewFrameWriter(conn), conn)
		_ = conn.Close()
	}
}
