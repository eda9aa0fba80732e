//go:build linux

package agent

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// marker in the environment makes the test binary an agent with that home.
const marker = "AGENT_TEST_HOME"

// connFD is where it finds its connection.
const connFD = 3

func TestMain(m *testing.M) {
	if deed := os.Getenv(hostileMarker); deed != "" {
		hostile(deed)
	}
	if home := os.Getenv(marker); home != "" {
		// It is not pid 1 here, so it asks for what pid 1 gets: orphans.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			panic(err)
		}
		// Nor has it gone through what makes a sandbox's processes so.
		runtime.LockOSThread()
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			panic(err)
		}
		if err := serve(connFD, home); err != nil {
			panic(err)
		}
		endAll()
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// endAll kills what is left, as the kernel does when a pid 1 is gone.
func endAll() {
	for {
		all, err := processes()
		if err != nil {
			return
		}
		ours := map[int]bool{os.Getpid(): true}
		found := false
		for again := true; again; {
			again = false
			for _, e := range all {
				if !ours[e.pid] && ours[e.parent] {
					ours[e.pid], again = true, true
					if !e.dead {
						found = true
						_ = syscall.Kill(e.pid, syscall.SIGKILL)
					}
				}
			}
		}
		if !found {
			return
		}
	}
}

// sandbox is a bare agent under test: a process without any isolation.
type sandbox struct {
	*guest.Client
	home string
	pid  int
}

// start starts an agent that lives as long as the test. change may prepare
// its process.
func start(tb testing.TB, change ...func(*exec.Cmd)) *sandbox {
	tb.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(tb, err)
	own, theirs := os.NewFile(uintptr(fds[0]), "agent"), os.NewFile(uintptr(fds[1]), "engine")
	home := tb.TempDir()
	self, err := os.Executable()
	require.NoError(tb, err)
	cmd := exec.Command(self) //nolint:noctx // it ends with its connection
	cmd.Env = []string{marker + "=" + home, "SECRET=of-the-owner", "PATH=/nowhere"}
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	for _, f := range change {
		f(cmd)
	}
	require.NoError(tb, cmd.Start())
	require.NoError(tb, theirs.Close())
	c := guest.NewClient(own)
	tb.Cleanup(func() {
		require.NoError(tb, c.Close())
		require.NoError(tb, cmd.Wait())
	})
	hello, err := c.Hello(tb.Context())
	require.NoError(tb, err)
	require.Equal(tb, strconv.Itoa(guest.Version), strconv.Itoa(hello.Version))
	return &sandbox{Client: c, home: home, pid: cmd.Process.Pid}
}
