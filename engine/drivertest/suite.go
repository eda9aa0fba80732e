package drivertest

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/guest"
)

// Spec describes the suite's sandboxes. Its limits are small, so that they can
// be reached.
var Spec = driver.Spec{
	ID: "drivertest", Hostname: "drivertest",
	Limits: driver.Limits{
		Processes: 48, OpenFiles: 100, FileBytes: 4 << 20, DataBytes: 512 << 20, DiskBytes: 8 << 20, DiskInodes: 200,
		MemoryBytes: 64 << 20, MilliCPU: 1000,
	},
}

// suite is one test of the suite.
type suite struct {
	t          *testing.T
	newRuntime func(*testing.T) driver.Runtime
}

// runtime returns a runtime that is closed with the test.
func (s *suite) runtime() driver.Runtime {
	t := s.t
	t.Helper()
	r := s.newRuntime(t)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// Box is a sandbox whose guest has said hello.
type Box struct {
	Sandbox driver.Sandbox
	Client  *guest.Client
}

// sandbox returns the only sandbox of a new runtime.
func (s *suite) sandbox() *Box {
	s.t.Helper()
	return Create(s.t, s.runtime(), Spec)
}

// Create makes a sandbox that is destroyed with the test. Runtimes use it in
// s of their own.
func Create(tb testing.TB, r driver.Runtime, spec driver.Spec) *Box {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Timeout)
	defer cancel()
	b, err := tryCreate(ctx, r, spec)
	require.NoError(tb, err)
	tb.Cleanup(func() { b.Destroy(tb) })
	return b
}

// tryCreate is Create for other goroutines than the test's.
func tryCreate(ctx context.Context, r driver.Runtime, spec driver.Spec) (*Box, error) {
	sb, err := r.Create(ctx, spec)
	if err != nil {
		return nil, err
	}
	b := &Box{sb, guest.NewClient(sb.Conn())}
	if _, err := b.Client.Hello(ctx); err != nil {
		_ = sb.Destroy(ctx) // the first error tells
		return nil, err
	}
	return b, nil
}

// Destroy ends the box as the engine does. Doing so again is no error.
func (b *Box) Destroy(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), Timeout)
	defer cancel()
	_ = b.Client.Close() // the stream may be broken already
	require.NoError(tb, b.Sandbox.Destroy(ctx))
	requireDone(tb, b.Sandbox)
}

// requireDone requires that Done is closed now.
func requireDone(tb testing.TB, sb driver.Sandbox) {
	tb.Helper()
	select {
	case <-sb.Done():
	default:
		require.Fail(tb, "the sandbox is not done")
	}
}

// awaitDone requires that Done is closed soon.
func awaitDone(t *testing.T, sb driver.Sandbox) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	defer cancel()
	select {
	case <-sb.Done():
	case <-ctx.Done():
		require.Fail(t, "the sandbox is not done")
	}
}

// Result is what a script did.
type Result struct {
	Exit           guest.Exit
	Stdout, Stderr string
}

// Run runs a shell script.
func (b *Box) Run(tb testing.TB, script string) Result {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	exit, err := b.Client.Run(ctx, guest.Command{
		Args: []string{"/bin/sh", "-c", script}, Stdout: &stdout, Stderr: &stderr, Timeout: Timeout,
	})
	require.NoError(tb, err)
	return Result{exit, stdout.String(), stderr.String()}
}

// Output runs a script that must succeed and returns what it prints.
func (b *Box) Output(tb testing.TB, script string) string {
	tb.Helper()
	got := b.Run(tb, script)
	require.Zero(tb, got.Exit.Code, "%s: %s", script, got.Stderr)
	return got.Stdout
}
