package agb_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
)

// TestEngineIsClosed: whatever is asked of an engine that is closed, the error
// says that it is, and at once.
func TestEngineIsClosed(t *testing.T) {
	agbtest.NewClient(t) // skips
	eng, err := engine.New(engine.Config{})
	require.NoError(t, err)
	c, err := agb.New(agb.WithTransport(eng.Transport()))
	require.NoError(t, err)
	created, err := c.Create(t.Context(), nil)
	require.NoError(t, err)
	s := created.Session
	_, err = s.Command.Run(t.Context(), "true", nil)
	require.NoError(t, err)
	require.NoError(t, eng.Close())
	for op, call := range map[string]func() error{
		"agb.Create":  func() error { _, err := c.Create(t.Context(), nil); return err },
		"agb.List":    func() error { _, err := c.List(t.Context(), nil); return err },
		"command.Run": func() error { _, err := s.Command.Run(t.Context(), "true", nil); return err },
		"code.Run": func() error {
			_, err := s.Code.Run(t.Context(), code.Bash, "true", &code.RunOptions{Stdout: new(bytes.Buffer)})
			return err
		},
		"filesystem.ReadFile": func() error { _, err := s.FileSystem.ReadFile(t.Context(), "/etc/passwd", nil); return err },
		"session.Delete":      func() error { _, err := s.Delete(t.Context()); return err },
	} {
		start := time.Now()
		err := call()
		require.ErrorIs(t, err, agb.ErrUnavailable, op)
		require.NotErrorIs(t, err, agb.ErrUnknownOutcome, op)
		var e *agb.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, op, e.Op)
		require.Contains(t, e.Message, "the engine is closed", op)
		require.Less(t, time.Since(start), 5*time.Second)
	}
}
