package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	dir := filepath.Join(t.TempDir(), "charts")
	err := run(t.Context(), &out, dir)
	if errors.Is(err, agb.ErrIsolationUnavailable) || errors.Is(err, agb.ErrUnsupported) {
		t.Skipf("no sandboxes on this machine: %v", err)
	}
	require.NoError(t, err)
	text := out.String()
	if strings.Contains(text, "python3, python not found") {
		t.Skip("no Python on this machine")
	}
	for _, want := range []string{"32 sales, with", "region  units   revenue", "east ", "west "} {
		require.Contains(t, text, want)
	}
	if strings.Contains(text, "there is no matplotlib") {
		return
	}
	for _, want := range []string{`bar chart "Revenue by region", series "no name": east `, `series "all regions": 2024-01-08 `} {
		require.Contains(t, text, want)
	}
	for _, name := range []string{"chart-1.png", "chart-2.png"} {
		picture, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(picture, []byte("\x89PNG")))
	}
}

func TestWithoutPackages(t *testing.T) {
	s := agbtest.NewSession(t)
	_, err := s.Code.Run(t.Context(), code.Python, "import sys\nfor name in ('pandas', 'matplotlib'): sys.modules[name] = None", nil)
	if errors.Is(err, agb.ErrInterpreterMissing) {
		t.Skip("no sandboxes on this machine: ", err)
	}
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, analyse(t.Context(), &out, s, t.TempDir()))
	for _, want := range []string{"32 sales, without pandas", "region  units   revenue", "east ", "there is no matplotlib"} {
		require.Contains(t, out.String(), want)
	}
}
