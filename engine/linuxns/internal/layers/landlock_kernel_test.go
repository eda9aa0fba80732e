//go:build linux && (amd64 || arm64)

package layers

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// Variables of a process that tries what Landlock refuses.
const (
	tryDirEnv    = "LAYERS_TRY_DIR" // where the places of rules are
	trySocketEnv = "LAYERS_TRY_SOCKET"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(tryDirEnv); dir != "" {
		tryAll(dir, os.Getenv(trySocketEnv))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// trials are what is tried, in this order, in a directory that has those of
// rules, and "etc", of which no rule says more than of the root.
var trials = []struct {
	name  string
	since int        // the version that refuses it; 0 is none
	errno unix.Errno // of the refusal
	try   func(dir, socket string) error
}{
	{"signal the parent", LandlockScopes, unix.EPERM, func(_, _ string) error { return unix.Kill(os.Getppid(), 0) }},
	{"connect to an abstract socket", LandlockScopes, unix.EPERM, func(_, socket string) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		return unix.Connect(fd, &unix.SockaddrUnix{Name: "@" + socket})
	}},
	{"write", LandlockLeast, unix.EACCES, func(dir, _ string) error { return openIn(dir, "etc/file", unix.O_WRONLY) }},
	{"truncate", LandlockTruncate, unix.EACCES, func(dir, _ string) error { return unix.Truncate(dir+"/etc/file", 0) }},
	{"make a file", LandlockLeast, unix.EACCES, func(dir, _ string) error { return openIn(dir, "etc/new", unix.O_CREAT|unix.O_WRONLY) }},
	{"make a directory", LandlockLeast, unix.EACCES, func(dir, _ string) error { return unix.Mkdir(dir+"/etc/dir", 0o755) }},
	{"make a device", LandlockLeast, unix.EACCES, func(dir, _ string) error { return unix.Mknod(dir+"/tmp/node", unix.S_IFCHR, 0) }},
	{"link in", LandlockLeast, unix.EXDEV, func(dir, _ string) error { return unix.Link(dir+"/etc/file", dir+"/tmp/link") }},
	{"move in", LandlockLeast, unix.EACCES, func(dir, _ string) error { return unix.Rename(dir+"/etc/file", dir+"/tmp/moved") }},
	{"move out", LandlockLeast, unix.EACCES, func(dir, _ string) error { return unix.Rename(dir+"/tmp/file", dir+"/etc/moved") }},
	{"remove", LandlockLeast, unix.EACCES, func(dir, _ string) error { return unix.Unlink(dir + "/etc/other") }},

	{"read", 0, 0, func(dir, _ string) error { return openIn(dir, "etc/kept", unix.O_RDONLY) }},
	{"make one's own", 0, 0, func(dir, _ string) error { return openIn(dir, "tmp/new", unix.O_CREAT|unix.O_WRONLY) }},
	{"move one's own", 0, 0, func(dir, _ string) error { return unix.Rename(dir+"/tmp/new", dir+home+"/new") }},
}

func openIn(dir, name string, flags int) error {
	fd, err := unix.Open(filepath.Join(dir, name), flags|unix.O_CLOEXEC, 0o644)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

// tryAll prints how each trial ends.
func tryAll(dir, socket string) {
	for _, c := range trials {
		var errno unix.Errno
		_ = errors.As(c.try(dir, socket), &errno) // 0 is success
		fmt.Println(c.name+":", int(errno))
	}
}

// TestLandlockRefuses has a process that is in all namespaces of this one, and
// has its user, try what Landlock alone keeps it from; and another one, without
// Landlock, that may do all of it.
func TestLandlockRefuses(t *testing.T) {
	abi := LandlockABI()
	if abi < LandlockLeast {
		t.Skipf("this kernel has Landlock in version %d; sandboxes are made with %d or newer", abi, LandlockLeast)
	}
	var free, refused strings.Builder
	for _, c := range trials {
		errno := c.errno
		if c.since == 0 || abi < c.since {
			errno = 0
		}
		fmt.Fprintln(&free, c.name+":", 0)
		fmt.Fprintln(&refused, c.name+":", int(errno))
	}
	require.Equal(t, free.String(), outcome(t, func(*builder, []rule) {}))
	require.Equal(t, refused.String(), outcome(t, func(b *builder, rules []rule) { b.restrict(abi, rules) }))
}

// outcome returns what a process prints that tries everything once it is
// restricted. The rules are those of sandboxes, with the sandbox's own places
// in a directory of their own.
func outcome(t *testing.T, restrict func(*builder, []rule)) string {
	t.Helper()
	dir := t.TempDir()
	list := rules()
	for i, r := range list {
		for _, w := range writable {
			if r.path == w.path {
				list[i].path = filepath.Join(dir, r.path)
				require.NoError(t, os.MkdirAll(list[i].path, 0o755))
			}
		}
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
	for _, name := range []string{"etc/file", "etc/other", "etc/kept", "tmp/file"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("text"), 0o644))
	}
	const anyName = "@" // the kernel chooses one
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", anyName)
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()

	report, reportEnd := highPipe(t)
	output, outputEnd := highPipe(t)
	self, err := os.Executable()
	require.NoError(t, err)
	b := &builder{tape.New(reportEnd.Fd())}
	b.call("set no_new_privs", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	restrict(b, list)
	b.call("set the output", unix.SYS_DUP3, outputEnd.Fd(), uintptr(unix.Stdout), 0)
	b.call("unblock signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, tape.Hold(b.Tape, new(uint64)), 0, signalSetSize)
	b.Ready(unix.SYS_WRITE)
	socket := strings.TrimPrefix(listener.Addr().String(), "@")
	b.call("exec", unix.SYS_EXECVE, b.String(self), b.Vector(self), b.Vector(tryDirEnv+"="+dir, trySocketEnv+"="+socket))

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, pidFD, err := b.Start(0, -1)
	require.NoError(t, err)
	require.NoError(t, errors.Join(reportEnd.Close(), outputEnd.Close(), unix.Close(pidFD)))
	told, err := io.ReadAll(report)
	require.NoError(t, err)
	require.NoError(t, tape.Parse(told))
	text, err := io.ReadAll(output)
	require.NoError(t, err)
	_, err = unix.Wait4(pid, nil, 0, nil)
	require.NoError(t, err)
	return string(text)
}

// highPipe returns a pipe whose writing end has a number that no tape uses.
func highPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, low, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() }) // nothing to lose
	fd, err := unix.FcntlInt(low.Fd(), unix.F_DUPFD_CLOEXEC, 100)
	require.NoError(t, err)
	require.NoError(t, low.Close())
	return r, os.NewFile(uintptr(fd), "pipe")
}
