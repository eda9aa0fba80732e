package httpapi

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A process that has ended before anybody looks has started all the same.
func TestShortProcessHasStarted(t *testing.T) {
	closed := make(chan struct{})
	close(closed)
	for range 100 {
		p := &process{started: closed, done: closed}
		require.True(t, p.starts(t.Context()))
	}
	never := &process{started: make(chan struct{}), done: closed}
	require.False(t, never.starts(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	killed := false
	given := &process{started: make(chan struct{}), done: closed, end: func(error) { killed = true }}
	for !killed {
		require.False(t, given.starts(ctx))
	}
}
