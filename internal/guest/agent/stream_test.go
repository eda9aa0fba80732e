//go:build linux

package agent

import (
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// early starts an agent before there is a stream for it, and returns the socket
// over which it is to come. The agent has said that it is ready.
func early(t *testing.T) (*os.File, *exec.Cmd) {
	t.Helper()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	ours, theirs := os.NewFile(uintptr(p[0]), "runtime"), os.NewFile(uintptr(p[1]), "agent")
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env, cmd.ExtraFiles = []string{marker + "=" + t.TempDir()}, []*os.File{theirs}
	require.NoError(t, cmd.Start())
	require.NoError(t, theirs.Close())
	t.Cleanup(func() { _ = ours.Close() }) // it may be closed already
	n, err := ours.Read(make([]byte, 8))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	return ours, cmd
}

func TestStreamComesLater(t *testing.T) {
	t.Parallel()
	runtime, cmd := early(t)
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.SetNonblock(p[0], true))
	require.NoError(t, unix.Sendmsg(int(runtime.Fd()), []byte{0}, unix.UnixRights(p[1]), nil, 0))
	require.NoError(t, unix.Close(p[1]))
	_, err = runtime.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "the agent has let go of the socket")
	c := guest.NewClient(os.NewFile(uintptr(p[0]), "agent"))
	hello, err := c.Hello(t.Context())
	require.NoError(t, err)
	require.Equal(t, guest.Version, hello.Version)
	exit, err := c.Run(t.Context(), guest.Command{Args: []string{"sh", "-c", "ls /proc/self/fd | wc -l | grep -qx 4 && exit 7"}})
	require.NoError(t, err)
	require.Equal(t, 7, exit.Code, "commands have nothing but their own")
	require.NoError(t, c.Close())
	require.NoError(t, cmd.Wait())
}

func TestStreamNeverComes(t *testing.T) {
	t.Parallel()
	for _, nothing := range []func(fd int) error{
		func(int) error { return nil }, // the end of the socket alone
		func(fd int) error { return unix.Sendmsg(fd, []byte{0}, nil, nil, 0) },
		func(fd int) error { return unix.Sendmsg(fd, []byte{0}, unix.UnixRights(0, 0), nil, 0) },
	} {
		runtime, cmd := early(t)
		require.NoError(t, nothing(int(runtime.Fd())))
		require.NoError(t, runtime.Close())
		require.Error(t, cmd.Wait(), "it has ended")
	}
}
