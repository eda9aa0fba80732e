package agb_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
)

// visitors counts the requests of each path.
type visitors struct {
	http.Handler
	mu     sync.Mutex
	counts map[string]int
}

// ServeHTTP implements [http.Handler].
func (v *visitors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	v.counts[r.URL.Path]++
	v.mu.Unlock()
	v.Handler.ServeHTTP(w, r)
}

func (v *visitors) of(path string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.counts[path]
}

// Over a port tools are called as the session offers it.
func TestRoutes(t *testing.T) {
	eng, err := engine.New(engine.Config{APIKeys: []string{testKey}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	seen := &visitors{Handler: eng.Handler(), counts: map[string]int{}}
	srv := httptest.NewServer(seen)
	t.Cleanup(srv.Close)
	c, err := agb.New(agb.WithAPIKey(testKey), agb.WithEndpoint(srv.URL))
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	ctx := t.Context()
	created, err := c.Create(ctx, &agb.CreateParams{ImageID: "host"})
	require.NoError(t, err)
	got, err := c.Get(ctx, created.Session.ID)
	require.NoError(t, err)
	direct := "/session/" + created.Session.ID + "/callTool"
	for i, s := range []*agb.Session{created.Session, got.Session} {
		res, err := s.Command.Run(ctx, "echo $((1 + 1)); echo no >&2; echo x >>/tmp/ran; exit 3", nil)
		require.NoError(t, err)
		require.Equal(t, []any{"2\n", "no\n", 3}, []any{res.Stdout, res.Stderr, res.ExitCode})
		require.NotEmpty(t, res.RequestID)
		require.Equal(t, i+1, seen.of(direct))
	}
	s := created.Session
	_, err = s.FileSystem.WriteFile(ctx, "/tmp/a", []byte("ä\xff"), nil)
	require.NoError(t, err)
	file, err := s.FileSystem.ReadFile(ctx, "/tmp/a", nil)
	require.NoError(t, err)
	require.Equal(t, "ä\xff", string(file.Content))
	file, err = s.FileSystem.ReadFile(ctx, "/tmp/ran", nil)
	require.NoError(t, err)
	require.Equal(t, "x\nx\n", string(file.Content), "each command once")
	_, err = s.FileSystem.ReadFile(ctx, "/tmp/none", nil)
	require.ErrorIs(t, err, agb.ErrNotFound)
	_, err = s.Command.Run(ctx, "sleep 100", &command.RunOptions{Timeout: 200 * time.Millisecond})
	require.ErrorIs(t, err, agb.ErrTimeout)

	// Who no longer waits has the command killed.
	canceled, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Command.Run(canceled, "echo $$ >/tmp/pid; sleep 100; echo x >/tmp/after", nil)
		ended <- err
	}()
	lives := func(want bool) func() bool {
		return func() bool {
			res, err := s.Command.Run(ctx, "kill -0 $(cat /tmp/pid)", nil)
			return err == nil && want == (res.ExitCode == 0)
		}
	}
	require.Eventually(t, lives(true), time.Minute, 20*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Eventually(t, lives(false), time.Minute, 20*time.Millisecond)
	require.Zero(t, seen.of("/mcp"))

	// When the session is gone its token is, and the other route says so.
	_, err = c.Delete(ctx, s.ID)
	require.NoError(t, err)
	_, err = s.Command.Run(ctx, "true", nil)
	require.ErrorIs(t, err, agb.ErrSessionNotFound)
	require.Equal(t, 1, seen.of("/mcp"))
}
