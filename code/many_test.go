package code_test

import (
	"fmt"
	"os/exec"
	"sync"
	"testing"

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
