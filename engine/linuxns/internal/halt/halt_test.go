//go:build linux

package halt

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sandbox starts a shell script as pid 1 of a pid namespace and returns a pidfd
// of it once it has printed a line.
func sandbox(t *testing.T, script string) (pidFD *os.File, pid int) {
	t.Helper()
	var fd int
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID, PidFD: &fd, Pdeathsig: unix.SIGKILL,
	}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	if err := cmd.Start(); err != nil {
		t.Skipf("no pid namespaces here: %v", err)
	}
	pidFD = os.NewFile(uintptr(fd), "pidfd")
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
		require.NoError(t, pidFD.Close())
	})
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return pidFD, cmd.Process.Pid
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// requireStill requires that nothing runs for a while. What has stopped may have
// to be switched out yet, on a busy machine.
func requireStill(t *testing.T, pidFD *os.File) {
	t.Helper()
	before, err := look(pidFD)
	require.NoError(t, err)
	end := time.Now().Add(10 * time.Second)
	for still := 0; still < 6; still++ {
		require.True(t, before.stopped())
		require.True(t, time.Now().Before(end), "something runs")
		time.Sleep(10 * time.Millisecond)
		now, err := look(pidFD)
		require.NoError(t, err)
		if !maps.Equal(before, now) {
			before, still = now, -1
		}
	}
}

// scripts are sandboxes that do not like to be stopped.
var scripts = map[string]string{
	"idle":     "echo; while :; do sleep 1000; done",
	"busy":     "echo; for i in 1 2 3 4; do (while :; do :; done) & done; wait",
	"forking":  "echo; while :; do /bin/true; done",
	"orphans":  "echo; while :; do (sleep 0.01 &) ; sleep 0.005; done",
	"bomb":     "ulimit -u 200 2>/dev/null; (n=0; while [ $n -lt 60 ]; do (while :; do /bin/true; done) & n=$((n+1)); done; echo; wait)",
	"continue": "trap '' CONT; for i in 1 2 3 4; do (while :; do kill -CONT -1; done) & done; echo; while :; do kill -CONT -1; done",
	"ring":     "for i in 1 2 3; do (while :; do kill -CONT -1; sleep 0.001; kill -STOP $$; done) & done; echo; while :; do sleep 0.01; done",
}

func TestStop(t *testing.T) {
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			pidFD, _ := sandbox(t, script)
			for range 3 {
				require.NoError(t, Stop(bounded(t), pidFD))
				requireStill(t, pidFD)
				require.NoError(t, Continue(bounded(t), pidFD))
				require.Eventually(t, func() bool {
					now, err := look(pidFD)
					return err == nil && !now.stopped()
				}, 10*time.Second, time.Millisecond)
			}
		})
	}
}

// TestStopInTime: what cannot be stopped by the deadline goes on.
func TestStopInTime(t *testing.T) {
	pidFD, _ := sandbox(t, scripts["idle"])
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, Stop(ctx, pidFD), context.Canceled)
	now, err := look(pidFD)
	require.NoError(t, err)
	require.False(t, now.stopped())
}

func TestGone(t *testing.T) {
	pidFD, pid := sandbox(t, scripts["idle"])
	require.NoError(t, unix.Kill(pid, unix.SIGKILL))
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(text), ") Z ")
	}, time.Second, time.Millisecond)
	// Until it is waited for it counts as stopped; nothing of it runs any more.
	err := Stop(bounded(t), pidFD)
	if err != nil {
		require.ErrorIs(t, err, ErrGone)
	}
}

// TestOthersAreLeftAlone: a pid that belongs to a process of another namespace
// gets no signal.
func TestOthersAreLeftAlone(t *testing.T) {
	one, _ := sandbox(t, scripts["idle"])
	two, pid := sandbox(t, scripts["idle"])
	namespace, err := namespaceOf(one)
	require.NoError(t, err)
	require.NoError(t, signalIn(namespace, pid, unix.SIGKILL))
	require.NoError(t, signalIn(namespace, os.Getpid(), unix.SIGKILL))
	_, err = pidOf(two)
	require.NoError(t, err, "it lives")
}

func TestParseStatus(t *testing.T) {
	require.Equal(t, seen{state: "T", switches: "4 5 "}, parseStatus(
		"Name:\tState: R\nState:\tT (stopped)\nvoluntary_ctxt_switches:\t4\nnonvoluntary_ctxt_switches:\t5\n"))
}
