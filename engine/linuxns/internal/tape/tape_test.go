//go:build linux && (amd64 || arm64)

package tape

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var cwd = uintptr(^uint(-unix.AT_FDCWD - 1))

// playTape plays what build puts on a tape and returns the exit status and
// what the report says.
func playTape(t *testing.T, namespaces uint64, build func(*Tape)) (unix.WaitStatus, error) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	tape := New(w.Fd())
	build(tape)

	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pid, pidFD, err := tape.Start(namespaces, -1)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, unix.Close(pidFD))
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.LessOrEqual(t, len(text), ReportLimit)
	var status unix.WaitStatus
	_, err = unix.Wait4(pid, &status, 0, nil)
	require.NoError(t, err)
	return status, Parse(text)
}

func exit(t *Tape, code uintptr) {
	t.Add(Call{Step: "exit", Nr: unix.SYS_EXIT_GROUP, Args: [6]uintptr{code}})
}

func exec(t *Tape, args ...string) {
	t.Ready(unix.SYS_WRITE)
	t.Add(Call{Step: "exec", Nr: unix.SYS_EXECVE, Args: [6]uintptr{t.String(args[0]), t.Vector(args...), t.Vector()}})
}

func TestExec(t *testing.T) {
	status, err := playTape(t, 0, func(tape *Tape) { exec(tape, "/bin/sh", "-c", "exit 5") })
	require.NoError(t, err)
	require.Equal(t, 5, status.ExitStatus())
}

func TestFailureNamesStepAndErrno(t *testing.T) {
	status, err := playTape(t, 0, func(tape *Tape) {
		tape.Layer("first")
		tape.Add(Call{Step: "harmless", Nr: unix.SYS_GETPID})
		tape.Layer("second")
		tape.Add(Call{Step: "open it", Nr: unix.SYS_OPENAT, Args: [6]uintptr{cwd, tape.String("/does/not/exist")}})
		exit(tape, 0)
	})
	var f *Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, &Failure{Index: 1, Layer: "second", Step: "open it", Errno: unix.ENOENT}, f)
	require.ErrorIs(t, err, unix.ENOENT)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Equal(t, exitFailed, status.ExitStatus())
}

func TestFailedExec(t *testing.T) {
	_, err := playTape(t, 0, func(tape *Tape) { exec(tape, "/does/not/exist") })
	require.ErrorIs(t, err, unix.ENOENT)
}

func TestShortResult(t *testing.T) {
	_, err := playTape(t, 0, func(tape *Tape) {
		tape.Add(Call{Step: "open", Nr: unix.SYS_OPENAT, Args: [6]uintptr{cwd, tape.String("/dev/null")}, Save: true})
		tape.Add(Call{
			Step: "read", Nr: unix.SYS_READ, Saved: true, Want: 1, Args: [6]uintptr{0, Hold(tape, new([1]byte)), 1},
		})
		exit(tape, 0)
	})
	require.ErrorIs(t, err, unix.EIO)
}

func TestVanished(t *testing.T) {
	status, err := playTape(t, 0, func(tape *Tape) { exit(tape, 3) })
	require.ErrorIs(t, err, ErrVanished)
	require.Equal(t, 3, status.ExitStatus())
}

func TestSplice(t *testing.T) {
	part := New(0)
	part.Layer("part")
	part.Add(Call{Step: "fail", Nr: unix.SYS_CLOSE, Args: [6]uintptr{1 << 20}})
	for range 2 { // a part can be used again
		_, err := playTape(t, 0, func(tape *Tape) {
			tape.Add(Call{Step: "harmless", Nr: unix.SYS_GETPID})
			tape.Splice(part)
		})
		var f *Failure
		require.ErrorAs(t, err, &f)
		require.Equal(t, &Failure{Index: 1, Layer: "part", Step: "fail", Errno: unix.EBADF}, f)
	}
}

// TestSignals shows that signals are neither blocked nor handled by Go's
// handlers in the program that a tape ends in, once the tape unblocks them.
func TestSignals(t *testing.T) {
	status, _ := playTape(t, 0, func(tape *Tape) {
		tape.Add(Call{
			Step: "unblock", Nr: unix.SYS_RT_SIGPROCMASK, Args: [6]uintptr{sigSetMask, Hold(tape, new(uint64)), 0, 8},
		})
		exec(tape, "/bin/sh", "-c", "kill -TERM $$; exit 1")
	})
	require.True(t, status.Signaled())
	require.Equal(t, unix.SIGTERM, status.Signal())
}

func TestStartFails(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tape := New(0)
	exit(tape, 0)
	_, _, err := tape.Start(unix.CLONE_NEWNS|unix.CLONE_FS, -1) // contradict each other
	require.ErrorIs(t, err, unix.EINVAL)
}

// TestBadGroup: a child that cannot be in its group is not made.
func TestBadGroup(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	null, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer func() { require.NoError(t, null.Close()) }()
	tape := New(0)
	exit(tape, 0)
	_, _, err = tape.Start(0, int(null.Fd()))
	require.ErrorIs(t, err, unix.EBADF)
}

func TestNameLimit(t *testing.T) {
	for _, n := range []int{nameLimit - 1, nameLimit, nameLimit + 1} {
		_, err := playTape(t, 0, func(tape *Tape) {
			tape.Add(Call{Step: strings.Repeat("x", n-1), Nr: unix.SYS_CLOSE, Args: [6]uintptr{1 << 20}})
		})
		var f *Failure
		require.ErrorAs(t, err, &f)
		require.Len(t, f.Step, min(n, nameLimit)-1)
	}
}

func TestReportRoundTrip(t *testing.T) {
	want := &Failure{Index: -1, Layer: "namespaces", Step: "clone3", Errno: syscall.ENOSPC}
	var got *Failure
	require.ErrorAs(t, Parse(want.Append(nil)), &got)
	require.Equal(t, want, got)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte{})
	f.Add((&Failure{Index: 3, Layer: "l", Step: "s", Errno: unix.EPERM}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := Parse(b)
		var failure *Failure
		if err != nil && !errors.Is(err, ErrVanished) && !errors.As(err, &failure) {
			t.Fatalf("unexpected error %v", err)
		}
	})
}

// TestOptional: the tape goes on, and what comes of the failed call is useless.
func TestOptional(t *testing.T) {
	status, err := playTape(t, 0, func(tape *Tape) {
		tape.Add(Call{Step: "duplicate", Nr: unix.SYS_DUP, Args: [6]uintptr{2}, Save: true})
		tape.Add(Call{
			Step: "open", Nr: unix.SYS_OPENAT, Args: [6]uintptr{cwd, tape.String("/does/not/exist")}, Save: true, Optional: true,
		})
		tape.Add(Call{Step: "too little", Nr: unix.SYS_READ, Args: [6]uintptr{^uintptr(0)}, Want: 1, Optional: true})
		tape.Add(Call{Step: "close", Nr: unix.SYS_CLOSE, Saved: true})
		exit(tape, 0)
	})
	var f *Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, &Failure{Index: 3, Step: "close", Errno: unix.EBADF}, f)
	require.Equal(t, exitFailed, status.ExitStatus())
}
