//go:build linux && (amd64 || arm64)

package endurance

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/linuxns"
)

// TestGuestEndsAtOnce: where guests end as soon as they start, creations fail
// soon, say why, and nobody keeps starting guests.
func TestGuestEndsAtOnce(t *testing.T) {
	const within = 2 * time.Second
	skipUnavailable(t)
	rt, err := linuxns.New(linuxns.Config{GuestBinary: "/bin/false"})
	require.NoError(t, err)
	oneEngine(t, engine.Config{Runtime: rt, Pool: map[string]int{"host": 1}}, func(c *agb.Client) {
		for range 3 {
			start := time.Now()
			_, err := c.Create(t.Context(), nil)
			require.ErrorIs(t, err, agb.ErrUnavailable)
			require.Less(t, time.Since(start), within)
		}
		pids := map[int]bool{}
		require.Never(t, func() bool {
			for _, p := range below(t, os.Getpid()) {
				pids[p.pid] = true
			}
			return len(pids) > 30
		}, time.Second, tick)
		t.Logf("%d processes in a second", len(pids))
	}, agb.WithRetry(1))
}
