package drivertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// GuestBinary builds the guest as a program of its own, statically linked, and
// returns its path: a test program may be linked dynamically, and then images
// need it. Without the Go tool the test is skipped.
func GuestBinary(tb testing.TB) string {
	tb.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		tb.Skip("no go to build a guest with")
	}
	path := filepath.Join(tb.TempDir(), "guest")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-buildvcs=false", "-o", path, "github.com/agb-go/sdk/internal/guest/cmd")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(tb, err, string(out))
	return path
}
