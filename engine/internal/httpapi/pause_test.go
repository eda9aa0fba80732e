package httpapi_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// endless is a body without end.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestLinksOfAPausedSession: pausing cuts what goes over links, an upload that
// nobody takes included, and links work again afterwards.
func TestLinksOfAPausedSession(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	path := serveInside(t, p, id, webServer)
	srv := httptest.NewServer(p.handler)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+path, endless{})
	require.NoError(t, err)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if resp, err := srv.Client().Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body) // however it ends
			_ = resp.Body.Close()                 // read
		}
	}()
	by := wire.SessionRequest{SessionID: id}
	_, a := ask(t, p, wire.PauseSession, by)
	if a.Code == "Unsupported" {
		t.Skip("this machine cannot pause: ", a.Message)
	}
	require.True(t, a.Success, a.Message)
	<-over
	require.NoError(t, ctx.Err())
	require.Equal(t, http.StatusPreconditionFailed, follow(t, p, path).Code)
	_, a = ask(t, p, wire.CallTool, wire.CallToolRequest{SessionID: id, Name: wire.Shell.Name, Args: `{"command":"true"}`})
	require.Equal(t, "FailedPrecondition", a.Code)
	must(t, p, wire.ResumeSession, by)
	require.Equal(t, http.StatusOK, follow(t, p, path).Code)
}
