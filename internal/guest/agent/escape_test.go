//go:build linux

package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// hostileMarker in the environment makes the test binary a program that does
// what a command should not.
const hostileMarker = "AGENT_TEST_HOSTILE"

// init holds the main thread, so that hostile can end it alone.
func init() {
	if os.Getenv(hostileMarker) != "" {
		runtime.LockOSThread()
	}
}

// hostile does a deed and ends.
func hostile(deed string) {
	var err error
	switch deed {
	case "escape": // by way of a grandchild in a session of its own
		err = again("escaping", true)
	case "escaping":
		err = again("escaped", true)
	case "escaped":
		err = hide()
	case "pretend": // to be the process that the argument says
		pretend(os.Args[1])
		time.Sleep(time.Hour)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// again starts this program once more.
func again(deed string, apart bool) error {
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...) //nolint:noctx // it is to outlive everything
	cmd.Env = []string{hostileMarker + "=" + deed}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: apart}
	return cmd.Start()
}

// hide changes everything that a process may be known by, tells the listener
// at the path in the argument that it lives, and ends its first thread.
func hide() error {
	for resource := range 16 {
		var now unix.Rlimit
		if unix.Getrlimit(resource, &now) == nil && resource != unix.RLIMIT_NOFILE && resource != unix.RLIMIT_NPROC {
			now.Cur -= now.Cur / 3
			_ = unix.Setrlimit(resource, &now) // as far as it goes
		}
	}
	conn, err := net.Dial("unix", os.Args[1]) //nolint:noctx // it answers at once
	if err != nil {
		return err
	}
	go func() {
		for {
			if _, err := conn.Write([]byte(".")); err != nil {
				os.Exit(1)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, _, errno := unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	return errno // it never returns
}

// pretend tries to look like process pid, or to make pid look like itself, and
// prints what became of each try.
func pretend(text string) {
	pid, _ := strconv.Atoi(text)
	for _, resource := range []int{rlimitLocks, unix.RLIMIT_NPROC} {
		var own, other unix.Rlimit
		fmt.Println(unix.Prlimit(0, resource, nil, &own) == nil, unix.Prlimit(pid, resource, nil, &other) == nil)
		fmt.Println(unix.Prlimit(0, resource, &other, nil) == unix.EPERM, unix.Prlimit(pid, resource, &own, nil) == unix.EPERM)
		fmt.Println(syscall.Setrlimit(resource, &syscall.Rlimit{Cur: other.Cur, Max: other.Max}) == syscall.EPERM)
		fmt.Println(own.Cur != other.Cur || resource == unix.RLIMIT_NPROC)
	}
	fmt.Println("end")
}

// self is this test's binary, as a program.
func self(tb testing.TB) string {
	tb.Helper()
	path, err := os.Executable()
	require.NoError(tb, err)
	return path
}

// A process that sheds its parents, its session and its limits, and whose first
// thread is a zombie, is killed with its command all the same.
func TestNothingEscapes(t *testing.T) {
	t.Parallel()
	s := start(t)
	path := filepath.Join(s.home, "alive")
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "unix", path)
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	done := make(chan result, 1)
	program := self(t)
	go func() {
		defer close(done)
		r := result{}
		r.Exit, _ = s.Run(t.Context(), guest.Command{
			Args: []string{"sh", "-c", program + " " + path + "; exec sleep 79.25"},
			Env:  []string{hostileMarker + "=escape"}, Timeout: 2 * time.Second,
		})
		done <- r
	}()
	conn, err := l.Accept()
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	_, err = io.Copy(io.Discard, conn) // until nobody has the other end
	require.NoError(t, err)
	r := <-done
	require.True(t, r.TimedOut)
	require.Less(t, r.Duration, 4*time.Second)
	require.Equal(t, "on\n", s.sh(t, "echo on").out)
}

// No command can look like another, and so get it killed or be spared with it.
func TestMarksCannotBeChanged(t *testing.T) {
	t.Parallel()
	s := start(t)
	other := make(chan guest.Exit, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(other)
		exit, _ := s.Run(ctx, guest.Command{Args: []string{"sleep", "79.5"}})
		other <- exit
	}()
	victim := only(t, "sleep\x0079.5")
	r := s.run(t, guest.Command{
		Args: []string{self(t), strconv.Itoa(victim)}, Env: []string{hostileMarker + "=pretend"}, Timeout: time.Second,
	})
	require.True(t, r.TimedOut)
	require.Equal(t, strings.Repeat("true true\ntrue true\ntrue\ntrue\n", 2)+"end\n", r.out, r.err)
	require.Equal(t, []int{victim}, find("sleep\x0079.5"), "the other goes on")
	cancel()
	require.Equal(t, 9, (<-other).Signal)
	require.Empty(t, find("sleep\x0079.5"))
}

// A command cannot take the processes that the agent keeps for itself.
func TestReserveIsNotForCommands(t *testing.T) {
	t.Parallel()
	s := limited(t, 64322, 60)
	r := s.sh(t, "prlimit --pid $$ --nproc --raw --noheadings -o SOFT,HARD; prlimit --pid $$ --nproc=60:60 && echo raised")
	require.Equal(t, strconv.Itoa(60-ThreadReserve)+" 60\n", r.out)
	require.NotZero(t, r.Code)
}

// A fork bomb that fills the limit of processes is over soon after its time.
func TestKillBombAtItsLimit(t *testing.T) {
	t.Parallel()
	s := limited(t, 64323, 200)
	const bomb = "b() { b & b & sleep 77.25; }; b; while :; do b; done"
	r := s.run(t, guest.Command{Args: []string{"sh", "-c", bomb}, Timeout: time.Second})
	require.True(t, r.TimedOut)
	require.Less(t, r.Duration, 3*time.Second)
	require.Empty(t, find("sleep\x0077.25"))
	require.Zero(t, s.sh(t, "true").Code)
}

// Memory that runs out is taken from commands and not from the agent.
func TestCommandsAreKilledFirst(t *testing.T) {
	t.Parallel()
	s := start(t)
	before, err := os.ReadFile("/proc/" + strconv.Itoa(s.pid) + "/oom_score_adj")
	require.NoError(t, err)
	r := s.sh(t, "cat /proc/self/oom_score_adj; sleep 0.5; cat /proc/$PPID/oom_score_adj; echo -1000 > /proc/self/oom_score_adj && echo lowered")
	require.Equal(t, oomScore+"\n"+string(before), r.out)
	after, err := os.ReadFile("/proc/" + strconv.Itoa(s.pid) + "/oom_score_adj")
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}
