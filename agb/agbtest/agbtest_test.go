package agbtest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
)

// recorder stands in for a test: it runs its clean-ups when told to.
type recorder struct {
	testing.TB
	mu      sync.Mutex
	cleanup []func()
	logged  strings.Builder
	failed  bool
}

func (r *recorder) Helper()                   {}
func (r *recorder) Cleanup(f func())          { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Failed() bool              { return r.failed }
func (r *recorder) Errorf(f string, a ...any) { r.failed = true; fmt.Fprintf(&r.logged, f, a...) }
func (r *recorder) Log(a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(&r.logged, a...)
}

func (r *recorder) end() {
	for len(r.cleanup) > 0 {
		last := len(r.cleanup) - 1
		f := r.cleanup[last]
		r.cleanup = r.cleanup[:last]
		f()
	}
}

func TestSessionsAreSeparate(t *testing.T) {
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			s := agbtest.NewSession(t)
			res, err := s.Command.Run(t.Context(), "ls /tmp; touch /tmp/mine", nil)
			require.NoError(t, err)
			require.Empty(t, res.Stdout)
		})
	}
}

func TestSessionEndsWithTest(t *testing.T) {
	agbtest.NewClient(t) // skips
	r := &recorder{TB: t}
	s := agbtest.NewSession(r, agbtest.WithLabels(map[string]string{"a": "b"}), agbtest.WithImage("host"))
	_, err := s.Command.Run(t.Context(), "true", nil)
	require.NoError(t, err)
	r.end()
	require.False(t, r.failed)
	require.Empty(t, r.logged.String(), "a test that passes is silent")
	_, err = s.Command.Run(t.Context(), "true", nil)
	require.Error(t, err)
}

func TestFailureShowsWhatRan(t *testing.T) {
	agbtest.NewClient(t)
	r := &recorder{TB: t}
	s := agbtest.NewSession(r)
	_, err := s.Command.Run(t.Context(), "echo from the session", nil)
	require.NoError(t, err)
	_, err = s.Command.Run(t.Context(), "head -c 300000 /dev/zero | tr '\\0' x", nil)
	require.NoError(t, err)
	r.failed = true
	r.end()
	for _, want := range []string{"engine log", "session made", "shell ", "echo from the session", `from the session\n`, s.ID} {
		require.Contains(t, r.logged.String(), want)
	}
	require.Less(t, r.logged.Len(), 300_000)
}

// noSandboxes is a runtime of a machine that cannot isolate.
type noSandboxes struct{ driver.Runtime }

func (noSandboxes) Name() string { return "none" }
func (noSandboxes) Close() error { return nil }
func (noSandboxes) Create(context.Context, driver.Spec) (driver.Sandbox, error) {
	return nil, errors.New("broken runtime")
}

func TestEngineConfig(t *testing.T) {
	c := agbtest.NewClient(t, agbtest.WithEngineConfig(engine.Config{Runtime: noSandboxes{}}), agbtest.WithClientOptions(agb.WithRetry(1)))
	_, err := c.Create(t.Context(), nil)
	require.Error(t, err)
}
