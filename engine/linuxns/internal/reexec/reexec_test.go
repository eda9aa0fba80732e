//go:build linux && (amd64 || arm64)

package reexec

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// Copies of the test program that reach main say so by this exit code.
const (
	reachedEnv  = "AGB_REEXEC_TEST"
	reachedCode = 42
)

func TestMain(m *testing.M) {
	if os.Getenv(reachedEnv) != "" {
		os.Exit(reachedCode)
	}
	goleak.VerifyTestMain(m)
}

// start starts a copy with args and the descriptors from 3 on, and returns its
// exit code.
func start(t *testing.T, args []string, files ...*os.File) int {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args, cmd.Env, cmd.ExtraFiles = args, []string{reachedEnv + "=1"}, files
	if err = cmd.Run(); err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return cmd.ProcessState.ExitCode()
}

func socket(t *testing.T, kind int) (ours, theirs *os.File) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	ours, theirs = os.NewFile(uintptr(p[0]), "ours"), os.NewFile(uintptr(p[1]), "theirs")
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return ours, theirs
}

func TestGuard(t *testing.T) {
	pipe, end, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _, _ = pipe.Close(), end.Close() })
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, null.Close()) })
	_, stream := socket(t, unix.SOCK_STREAM)
	_, packets := socket(t, unix.SOCK_SEQPACKET)
	_, datagrams := socket(t, unix.SOCK_DGRAM)

	for _, c := range []struct {
		name  string
		args  []string
		files []*os.File
	}{
		{"no descriptor", LauncherArgs(), nil},
		{"guest, no descriptor", GuestArgs(), nil},
		{"a file", LauncherArgs(), []*os.File{null}},
		{"a pipe", LauncherArgs(), []*os.File{pipe}},
		{"another socket", LauncherArgs(), []*os.File{stream}},
		{"guest, another socket", GuestArgs(), []*os.File{datagrams}},
		{"no marker", LauncherArgs()[:1], []*os.File{packets}},
		{"another marker", []string{launcherName, "x"}, []*os.File{packets}},
		{"another name", []string{"program", marker}, []*os.File{packets}},
		{"more arguments", append(LauncherArgs(), "x"), []*os.File{packets}},
	} {
		require.Equal(t, reachedCode, start(t, c.args, c.files...), c.name)
	}
}

// TestLauncher starts a launcher as an owner does. Its owner is gone at once.
func TestLauncher(t *testing.T) {
	ours, theirs := socket(t, unix.SOCK_SEQPACKET)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, null.Close()) })
	files := []*os.File{theirs}
	for len(files) < layers.ReservedFD-layers.ControlFD {
		files = append(files, null)
	}
	require.NoError(t, ours.Close())
	require.Zero(t, start(t, LauncherArgs(), files...))
}

// TestGuest starts guests whose stream is over at once, or never comes.
func TestGuest(t *testing.T) {
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_SEQPACKET} {
		ours, theirs := socket(t, kind)
		require.NoError(t, ours.Close())
		require.NotEqual(t, reachedCode, start(t, GuestArgs(), theirs))
	}
}
