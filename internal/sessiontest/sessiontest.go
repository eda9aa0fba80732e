// Package sessiontest gives tests a session by each way that leads to an engine.
package sessiontest

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

// New returns a session through memory and one through a port, by the names of
// these ways. They end with the test.
func New(t *testing.T) map[string]*agb.Session {
	t.Helper()
	const key = "akm-0123456789abcdef"
	eng, err := engine.New(engine.Config{APIKeys: []string{key}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	port := httptest.NewServer(eng.Handler())
	t.Cleanup(port.Close)
	sessions := map[string]*agb.Session{}
	for name, opts := range map[string][]agb.Option{
		"memory": {agb.WithTransport(eng.Transport())},
		"port":   {agb.WithAPIKey(key), agb.WithEndpoint(port.URL)},
	} {
		c, err := agb.New(opts...)
		require.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		created, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "agb-code-space-1"})
		require.NoError(t, err)
		sessions[name] = created.Session
	}
	return sessions
}

// Each runs test with the sessions of [New].
func Each(t *testing.T, test func(*testing.T, *agb.Session)) {
	t.Helper()
	for name, s := range New(t) {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}
