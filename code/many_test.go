package code_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
)

// A hundred contexts of ten sessions at once: each has its own state, output and
// results.
func TestManyContexts(t *testing.T) {
	needs(t, "bash")
	const sessions, contexts, rounds = 10, 10, 5
	_, noPython := exec.LookPath("python3")
	var running sync.WaitGroup
	for i := range sessions {
		s := agbtest.NewSession(t)
		for j := range contexts {
			language, set, get := code.Bash, "n=0; me=%s", "n=$((n+1)); echo $me $n"
			if j < 3 && noPython == nil {
				language, set, get = code.Python, "n=0; me='%s'", "n+=1; print(me, n)"
			}
			c, err := s.Code.Contexts.New(t.Context(), language, nil)
			require.NoError(t, err)
			running.Go(func() {
				me := fmt.Sprintf("s%d-c%d", i, j)
				if _, err := c.Run(t.Context(), fmt.Sprintf(set, me), nil); err != nil {
					t.Errorf("%s: %v", me, err)
					return
				}
				for n := 1; n <= rounds; n++ {
					res, err := c.Run(t.Context(), get, nil)
					switch {
					case err != nil:
						t.Errorf("%s: %v", me, err)
						return
					case res.Stdout != fmt.Sprintf("%s %d\n", me, n) || res.Restarted != "":
						t.Errorf("%s, round %d: %q %q", me, n, res.Stdout, res.Restarted)
					}
				}
			})
		}
	}
	running.Wait()
}

// Contexts run at the same time: each of two waits for what the other does.
func TestContextsAtTheSameTime(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	var running sync.WaitGroup
	for _, files := range [][2]string{{"/tmp/a", "/tmp/b"}, {"/tmp/b", "/tmp/a"}} {
		c, err := s.Code.Contexts.New(t.Context(), code.Bash, nil)
		require.NoError(t, err)
		running.Go(func() {
			source := fmt.Sprintf("touch %s; until [ -e %s ]; do sleep 0.01; done", files[0], files[1])
			if _, err := c.Run(t.Context(), source, &code.RunOptions{Timeout: 20 * time.Second}); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
}

// Runs in one context take turns, and none is lost.
func TestRunsTakeTurns(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	const runs = 8
	var running sync.WaitGroup
	for i := range runs {
		running.Go(func() {
			source := fmt.Sprintf("echo begin %d >>/tmp/log; sleep 0.05; echo end %d >>/tmp/log", i, i)
			if _, err := s.Code.Run(t.Context(), code.Bash, source, nil); err != nil {
				t.Error(err)
			}
		})
	}
	running.Wait()
	log := strings.Fields(ran(t, s, code.Bash, "cat /tmp/log", code.RunOptions{}).Stdout)
	require.Len(t, log, runs*4)
	seen := map[string]bool{}
	for turn := range slices.Chunk(log, 4) {
		require.Equal(t, []string{"begin", turn[1], "end", turn[1]}, turn)
		seen[turn[1]] = true
	}
	require.Len(t, seen, runs)
}
