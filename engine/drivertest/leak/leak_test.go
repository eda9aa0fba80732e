package leak_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest/leak"
)

// TestNotices leaves something of every kind behind, and takes it away again.
func TestNotices(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what a process has")
	}
	dir := t.TempDir()
	o := leak.Options{Dirs: []string{dir}}
	before := leak.Take(o)
	require.Empty(t, leak.Take(o).Left(before))

	r, w, err := os.Pipe()
	require.NoError(t, err)
	stop := make(chan struct{})
	go func() { <-stop }()
	child := exec.CommandContext(t.Context(), "sleep", "1000")
	require.NoError(t, child.Start())
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))

	left := strings.Join(leak.Take(o).Left(before), "\n")
	for _, what := range []string{"descriptor pipe:", "goroutine of", "process sleep:", "file " + file} {
		require.Contains(t, left, what)
	}

	require.NoError(t, os.Remove(file))
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	close(stop)
	require.NoError(t, r.Close())
	require.NoError(t, w.Close())
	leak.Check(t, before, o)
}

// TestCheckFails: a check that cannot fail is none.
func TestCheckFails(t *testing.T) {
	before := leak.Take(leak.Options{})
	stop := make(chan struct{})
	go func() { <-stop }()
	var probe probe
	leak.Check(&probe, before, leak.Options{})
	close(stop)
	require.True(t, probe.failed)
}

// probe is a test that may fail.
type probe struct {
	testing.TB
	failed bool
}

func (*probe) Helper()                 {}
func (p *probe) Errorf(string, ...any) { p.failed = true }
