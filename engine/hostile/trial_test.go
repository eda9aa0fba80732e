//go:build linux && (amd64 || arm64)

package hostile

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
)

// trial is a case that a script alone cannot judge.
type trial struct {
	id string
	// control does the same without a sandbox and reports whether it wins. It is
	// nil for what is asked of the engine alone.
	control func(t *testing.T) bool
	run     func(t *testing.T, l lab)
	// needs names the layers and limits without which there is nothing to try.
	needs []string
}

func tryAll(t *testing.T, l lab, trials []trial) {
	t.Helper()
	for _, c := range trials {
		t.Run(c.id, func(t *testing.T) {
			t.Cleanup(func() { tally.count(t) })
			skipWithout(t, l, c.needs)
			if c.control != nil && !c.control(t) {
				skipUncontrolled(t, c.id, nil)
			}
			c.run(t, l)
		})
	}
}

// skipWithout skips the test where sandboxes do not have all that it needs, by
// their own word.
func skipWithout(t *testing.T, l lab, needs []string) {
	t.Helper()
	if len(needs) == 0 {
		return
	}
	s := l.create(t)
	res, err := s.Isolation(t.Context())
	require.NoError(t, err)
	remove(t, s)
	for _, name := range needs {
		if !res.Active(name) {
			t.Skipf("this machine gives this user's sandboxes no %s", name)
		}
	}
}

// bareWins is a control that runs a script.
func bareWins(script string) func(*testing.T) bool {
	return func(t *testing.T) bool {
		t.Helper()
		_, won := attack{script: script}.winsBare(t)
		return won
	}
}

// sh runs a script that is to run well, and returns what it wrote to standard
// output.
func sh(t *testing.T, s *agb.Session, script string) string {
	t.Helper()
	var out string
	timed(t, scriptTimeout+answerGrace, script, func(ctx context.Context) error {
		res, err := s.Command.Run(ctx, script, &command.RunOptions{Timeout: scriptTimeout})
		if err == nil {
			out = strings.TrimSpace(res.Stdout)
		}
		return err
	})
	return out
}

// remove deletes a session, in time.
func remove(t *testing.T, s *agb.Session) {
	t.Helper()
	timed(t, deleteTimeout, "delete", func(ctx context.Context) error {
		_, err := s.Delete(ctx)
		return err
	})
}

// askPause is how long meanwhile waits before it asks again.
const askPause = 20 * time.Millisecond

// meanwhile asks s for something now and then while something else goes on, and
// returns how long the slowest answer took.
func meanwhile(t *testing.T, s *agb.Session, during func()) (slowest time.Duration) {
	t.Helper()
	done := make(chan struct{})
	go func() { during(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-time.After(askPause):
		}
		start := time.Now()
		require.Equal(t, "still here", sh(t, s, "echo still here"))
		slowest = max(slowest, time.Since(start))
	}
	return slowest
}
