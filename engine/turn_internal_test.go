package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
)

// So many calls are at work, so many more wait for their turn, and one more is
// refused at once.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &session{turns: make(chan struct{}, maxCalls), queue: make(chan struct{}, maxCalls+maxWaiting)}
		for range maxCalls {
			require.NoError(t, s.turn(t.Context()))
		}
		begin := time.Now()
		answers := make(chan error, maxWaiting)
		for range maxWaiting {
			go func() { answers <- s.turn(t.Context()) }()
		}
		synctest.Wait()
		require.ErrorIs(t, s.turn(t.Context()), apierr.ResourceExhausted.Err())
		require.Zero(t, time.Since(begin))

		s.leave()
		require.NoError(t, <-answers)
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, s.turn(canceled), context.Canceled)
		require.Zero(t, time.Since(begin))
		for range maxWaiting - 1 {
			require.ErrorIs(t, <-answers, apierr.ResourceExhausted.Err())
		}
		require.Equal(t, waitForTurn, time.Since(begin))
		for range maxCalls {
			s.leave()
		}
		require.Empty(t, s.queue)
		require.Empty(t, s.turns)
	})
}
