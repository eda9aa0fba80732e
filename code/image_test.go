package code_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns"
)

// shellImage returns a directory with a shell in it, its libraries, and
// nothing else.
func shellImage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755)) // sandboxes are not root
	libraries, err := exec.CommandContext(t.Context(), "ldd", "/bin/sh").Output()
	if err != nil {
		t.Skipf("ldd /bin/sh: %v", err)
	}
	for _, path := range append(strings.Fields(string(libraries)), "/bin/sh") {
		if !filepath.IsAbs(path) {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), text, 0o755))
	}
	return dir
}

// An image that is a directory runs what is in it, and says what is not.
func TestInterpreterMissing(t *testing.T) {
	images := map[string]engine.Image{"shell-only": {Root: shellImage(t)}}
	probed, err := linuxns.New(linuxns.Config{})
	if err != nil {
		t.Skip("no sandboxes on this system: ", err)
	}
	drivertest.SkipUnavailable(t, probed)
	rt, err := linuxns.New(linuxns.Config{GuestBinary: drivertest.GuestBinary(t)})
	require.NoError(t, err)
	s := agbtest.NewSession(t, agbtest.WithEngineConfig(engine.Config{Runtime: rt, Images: images}), agbtest.WithImage("shell-only"))

	res, err := s.Command.Run(t.Context(), "echo from the image; command -v python3", nil)
	require.NoError(t, err)
	require.Equal(t, "from the image\n", res.Stdout)
	require.NotZero(t, res.ExitCode)
	shell, err := s.Code.Run(t.Context(), code.Bash, "echo $((6 * 7))", nil)
	require.NoError(t, err)
	require.Equal(t, "42\n", shell.Stdout)

	for lang, program := range map[code.Language]string{
		code.Python: "python3", code.JavaScript: "node", code.Java: "java", code.R: "Rscript",
	} {
		_, err := s.Code.Run(t.Context(), lang, "1", nil)
		require.ErrorIs(t, err, agb.ErrInterpreterMissing)
		var e *agb.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "code.Run", e.Op)
		require.Contains(t, e.Message, program)
		require.Contains(t, e.Hint, "apt-get install")
	}
}
