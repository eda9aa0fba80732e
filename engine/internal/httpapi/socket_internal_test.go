package httpapi

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// A client that takes nothing in is given up.
func TestSocketThatStalls(t *testing.T) {
	api := New(Config{Engine: fakeEngine{}, Logger: quiet, StallTimeout: 50 * time.Millisecond})
	sent := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			sent <- err
			return
		}
		s := &socket{api: api, conn: conn}
		s.ctx, s.cut = context.WithCancel(t.Context())
		c := &chunks{to: s, id: "1", event: wire.EventStdout}
		for chunk := make([]byte, 1<<20); err == nil; {
			_, err = c.Write(chunk)
		}
		if s.ctx.Err() == nil {
			err = nil // what else runs on the connection has to end, too
		}
		sent <- err
	}))
	defer srv.Close()
	conn, _, err := websocket.Dial(t.Context(), srv.URL, nil) //nolint:bodyclose // Dial closes it
	require.NoError(t, err)
	defer func() { _ = conn.CloseNow() }()
	select {
	case err := <-sent:
		require.ErrorIs(t, err, errGivenUp)
	case <-time.After(20 * time.Second):
		require.Fail(t, "it is still waited for")
	}
}

// A message that does not come to its end is not waited for.
func TestSocketMessageThatIsLate(t *testing.T) {
	api := New(Config{Engine: fakeEngine{}, Logger: quiet, BodyTimeout: 50 * time.Millisecond})
	acc := &access{session: "s", conns: make(chan struct{}, 1), over: t.Context()}
	left := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api.socket(w, r, acc)
		close(left)
	}))
	defer srv.Close()
	conn, _, err := websocket.Dial(t.Context(), srv.URL, nil) //nolint:bodyclose // Dial closes it
	require.NoError(t, err)
	defer func() { _ = conn.CloseNow() }()
	select {
	case <-left:
		require.Fail(t, "a connection may be quiet")
	case <-time.After(200 * time.Millisecond):
	}
	w, err := conn.Writer(t.Context(), websocket.MessageText)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 100<<10))
	require.NoError(t, err)
	select {
	case <-left:
	case <-time.After(20 * time.Second):
		require.Fail(t, "it is still waited for")
	}
}
