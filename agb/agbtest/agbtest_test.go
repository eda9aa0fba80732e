package agbtest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
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
	skipped string // why
}

func (r *recorder) Helper()                   {}
func (r *recorder) Cleanup(f func())          { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Failed() bool              { return r.failed }
func (r *recorder) Errorf(f string, a ...any) { r.failed = true; fmt.Fprintf(&r.logged, f, a...) }
func (r *recorder) FailNow()                  { r.failed = true; runtime.Goexit() }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); runtime.Goexit() }
func (r *recorder) Skipf(f string, a ...any)  { r.skipped = fmt.Sprintf(f, a...); runtime.Goexit() }
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

// record runs test as one of its own, to its end.
func record(t *testing.T, test func(*recorder)) *recorder {
	t.Helper()
	r := &recorder{TB: t}
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer r.end()
		test(r)
	}()
	<-over
	return r
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

// runtimeOf is a runtime whose creations fail.
type runtimeOf struct {
	driver.Runtime
	err error
}

func (runtimeOf) Name() string { return "none" }
func (runtimeOf) Close() error { return nil }
func (r runtimeOf) Create(context.Context, driver.Spec) (driver.Sandbox, error) {
	return nil, r.err
}

func withRuntime(err error) []agbtest.Option {
	return []agbtest.Option{
		agbtest.WithEngineConfig(engine.Config{Runtime: runtimeOf{err: err}}), agbtest.WithClientOptions(agb.WithRetry(1)),
	}
}

// TestSkips: where no sandbox can be made nothing is tested, and the reason is
// told.
func TestSkips(t *testing.T) {
	cannot := apierr.Errorf(apierr.IsolationUnavailable, "no user namespaces").WithHint("ask the administrator")
	agbtest.SetProbe(t, func() error { return cannot })
	for _, test := range []func(*recorder){
		func(r *recorder) { agbtest.NewClient(r) },
		func(r *recorder) { agbtest.NewSession(r) },
		// Such a runtime says it itself.
		func(r *recorder) { agbtest.NewSession(r, withRuntime(cannot)...) },
	} {
		r := record(t, test)
		require.False(t, r.failed, r.logged.String())
		require.Contains(t, r.skipped, "agbtest: skipped: ")
		require.Contains(t, r.skipped, "no user namespaces")
		require.Contains(t, r.skipped, "ask the administrator")
	}
}

// TestOtherRuntime: whether this machine can make sandboxes does not matter to
// a runtime that is not of this machine.
func TestOtherRuntime(t *testing.T) {
	agbtest.SetProbe(t, func() error { t.Error("the machine was probed"); return nil })
	c := agbtest.NewClient(t, withRuntime(errors.New("broken runtime"))...)
	_, err := c.Create(t.Context(), nil)
	require.Error(t, err)

	r := record(t, func(r *recorder) { agbtest.NewSession(r, withRuntime(errors.New("broken runtime"))...) })
	require.True(t, r.failed, "what is broken is no reason to skip")
	require.Empty(t, r.skipped)
}

// TestCloud runs a test as with -agb.cloud, against an engine behind a port.
func TestCloud(t *testing.T) {
	agbtest.NewClient(t) // skips
	const key = "akm-0123456789abcdef"
	eng, err := engine.New(engine.Config{APIKeys: []string{key}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	srv := httptest.NewServer(eng.Handler())
	t.Cleanup(srv.Close)
	require.NoError(t, flag.Set("agb.cloud", "true"))
	t.Cleanup(func() { require.NoError(t, flag.Set("agb.cloud", "false")) })
	agbtest.SetProbe(t, func() error { t.Error("the machine was probed"); return nil })
	t.Setenv("AGB_ENDPOINT", srv.URL)
	t.Setenv("AGB_API_KEY", key)

	var id string
	r := record(t, func(r *recorder) {
		s := agbtest.NewSession(r)
		id = s.ID
		require.Equal(r, "agb-code-space-1", s.ImageID)
		res, err := s.Command.Run(r.Context(), "echo from afar", nil)
		require.NoError(r, err)
		require.Equal(r, "from afar\n", res.Stdout)
		r.Errorf("show what ran")
	})
	require.Contains(t, r.logged.String(), "echo from afar", "the log of the session")
	require.Equal(t, 1, strings.Count(r.logged.String(), "show what ran"))
	client, err := agb.New()
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	_, err = client.Get(t.Context(), id)
	require.ErrorIs(t, err, agb.ErrSessionNotFound, "the session outlived its test")

	t.Setenv("AGB_API_KEY", "")
	r = record(t, func(r *recorder) { agbtest.NewClient(r) })
	require.True(t, r.failed, "the cloud is never a reason to skip")
	require.Contains(t, r.logged.String(), "AGB_API_KEY")
}
