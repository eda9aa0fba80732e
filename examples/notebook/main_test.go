package main

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	var out bytes.Buffer
	charts := t.TempDir()
	err := run(t.Context(), &out, charts)
	if errors.Is(err, agb.ErrIsolationUnavailable) || errors.Is(err, agb.ErrUnsupported) {
		t.Skipf("no sandboxes on this machine: %v", err)
	}
	require.NoError(t, err)
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3 here")
	}
	for _, want := range []string{
		"RuntimeError: no customer", `called orders{"customer":"ada"}`, "Out [2] 3", "TimeoutError", "Out [4] [('engine', 120), ('cards', 16)]",
	} {
		require.Contains(t, out.String(), want)
	}
	t.Run("chart", func(t *testing.T) {
		if _, reason, missing := strings.Cut(out.String(), "Out [5] no matplotlib: "); missing {
			t.Skip("the cell cannot draw: ", reason)
		}
		requireChart(t, filepath.Join(charts, "cell5-1.png"))
	})
}

func requireChart(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	_, err = png.Decode(f)
	require.NoError(t, err)
}

// Pictures are saved by cell and place, also where nothing draws any.
func TestSave(t *testing.T) {
	var picture, out bytes.Buffer
	require.NoError(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 1, 1))))
	dir := t.TempDir()
	require.NoError(t, save(&out, []code.Item{{Text: "1"}, {PNG: picture.Bytes()}}, dir, 3))
	path := filepath.Join(dir, "cell3-2.png")
	requireChart(t, path)
	require.Contains(t, out.String(), path)
}
