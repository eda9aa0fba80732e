//go:build linux && (amd64 || arm64)

package endurance

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
)

// TestAtTheTimeout has commands end about when their timeout does: each either
// ends by itself, with all that it said, or is killed, and never both.
func TestAtTheTimeout(t *testing.T) {
	skipUnavailable(t)
	oneEngine(t, engine.Config{}, func(c *agb.Client) {
		const length = 40 * time.Millisecond
		s := createOn(t, c, nil)
		ended, killed := 0, 0
		early := length // moves to where both happen
		for i := range *timeoutRounds {
			timeout := early + time.Duration(i%5-2)*time.Millisecond
			script := fmt.Sprintf("echo begin; sleep %.3f; echo %d; exit 7", length.Seconds(), i)
			res, err := s.Command.Run(t.Context(), script, &command.RunOptions{Timeout: timeout})
			require.NotNil(t, res, "%v", err)
			if err == nil {
				ended++
				early -= time.Millisecond
				require.Equal(t, 7, res.ExitCode)
				require.Equal(t, fmt.Sprintf("begin\n%d\n", i), res.Stdout)
				require.False(t, res.TimedOut)
				continue
			}
			killed++
			early += time.Millisecond
			require.ErrorIs(t, err, agb.ErrTimeout)
			require.True(t, res.TimedOut)
			require.NotEqual(t, 7, res.ExitCode)
		}
		t.Logf("%d ended, %d were killed, at %v", ended, killed, early)
		require.NotZero(t, ended)
		require.NotZero(t, killed)
	})
}

// TestGoneIsToldAtOnce: a call of a session that has ended is answered in no
// time.
func TestGoneIsToldAtOnce(t *testing.T) {
	const within = 100 * time.Millisecond
	skipUnavailable(t)
	oneEngine(t, engine.Config{}, func(c *agb.Client) {
		deleted := createOn(t, c, nil)
		_, err := deleted.Delete(t.Context())
		require.NoError(t, err)
		expired := createOn(t, c, nil)
		_, err = expired.Extend(t.Context(), time.Millisecond)
		require.NoError(t, err)
		for _, s := range []*agb.Session{deleted, expired} {
			require.Eventually(t, func() bool {
				start := time.Now()
				_, err := s.Command.Run(t.Context(), "true", nil)
				return errors.Is(err, agb.ErrSessionNotFound) && time.Since(start) < within
			}, goneWithin, tick)
		}
	})
}
