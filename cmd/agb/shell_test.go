//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

const shellKey = "akm-0123456789abcdef"

// served returns a session of an engine on a port, and the environment to reach
// it.
func served(t *testing.T) (s *agb.Session, vars []string) {
	t.Helper()
	eng, err := engine.New(engine.Config{APIKeys: []string{shellKey}})
	if err != nil {
		t.Skip("no engine on this system: ", err)
	}
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	srv := httptest.NewServer(eng.Handler())
	t.Cleanup(srv.Close)
	c, err := agb.New(agb.WithAPIKey(shellKey), agb.WithEndpoint(srv.URL))
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	created, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "host"})
	require.NoError(t, err)
	return created.Session, []string{"AGB_ENDPOINT=" + srv.URL, "AGB_API_KEY=" + shellKey}
}

// shellRun runs "agb shell" with pipes.
func shellRun(t *testing.T, vars []string, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := program(ctx, t, append([]string{"shell"}, args...)...)
	cmd.Env = append(cmd.Env, vars...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errOut
	err := cmd.Run()
	require.NoError(t, ctx.Err())
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

func TestShell(t *testing.T) {
	s, vars := served(t)
	code, out, errOut := shellRun(t, vars, "echo out; echo err >&2; exit 7\n", s.ID)
	require.Equal(t, []any{7, "out\n", "err\n"}, []any{code, out, errOut})
	code, out, _ = shellRun(t, vars, "input", s.ID, "cat", "-")
	require.Equal(t, []any{0, "input"}, []any{code, out})

	cmd := s.Command.Shell(t.Context(), "echo before; cat")
	cmd.Detach = true
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	code, out, _ = shellRun(t, vars, "typed\n", "--attach", s.ID, cmd.ProcessID)
	require.Equal(t, []any{0, "before\ntyped\n"}, []any{code, out})

	for _, args := range [][]string{{}, {"--nonsense", s.ID}, {"--attach", s.ID}, {"--attach", "--detach", s.ID, "x"}} {
		code, _, errOut := shellRun(t, vars, "", args...)
		require.Equal(t, exitUsage, code, args)
		require.Contains(t, errOut, "agb help shell")
	}
	code, _, errOut = shellRun(t, vars, "", "s-none")
	require.Equal(t, exitError, code)
	require.Contains(t, errOut, "not found")
	code, _, errOut = shellRun(t, vars, "", s.ID, "no-such-program")
	require.Equal(t, exitError, code)
	require.Contains(t, errOut, "command not found")
}

// terminal is a real terminal, in which "agb shell" runs.
type terminal struct {
	t      *testing.T
	socket string
}

func (m terminal) tmux(args ...string) string {
	m.t.Helper()
	//nolint:gosec // of a test
	cmd := exec.CommandContext(context.Background(), "tmux", append([]string{"-S", m.socket, "-f", "/dev/null"}, args...)...)
	cmd.Env = append(os.Environ(), "SHELL=/bin/sh", "TERM=xterm-256color") // not every user has a shell
	out, err := cmd.CombinedOutput()
	require.NoError(m.t, err, "%s", out)
	return string(out)
}

// await waits until the screen has text on it.
func (m terminal) await(text string) {
	m.t.Helper()
	screen := ""
	for range 200 {
		if screen = m.tmux("capture-pane", "-p"); strings.Contains(screen, text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	require.Contains(m.t, screen, text)
}

func (m terminal) keys(keys ...string) {
	m.t.Helper()
	m.tmux(append([]string{"send-keys"}, keys...)...)
}

// newTerminal returns a terminal in which "agb shell" runs with some arguments.
func newTerminal(t *testing.T, vars []string, args ...string) terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("there is no tmux here")
	}
	tty, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here: ", err)
	}
	require.NoError(t, tty.Close())
	dir, err := os.MkdirTemp("", "agb") //nolint:usetesting // the name of a socket must be short
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	exe, err := os.Executable()
	require.NoError(t, err)
	m := terminal{t, filepath.Join(dir, "s")}
	line := fmt.Sprintf("env %s %s=1 %s shell %s; echo agb said $?; sleep 60", strings.Join(vars, " "), asCommand, exe, strings.Join(args, " "))
	m.tmux("new-session", "-d", "-x", "80", "-y", "24", line)
	t.Cleanup(func() { m.tmux("kill-server") })
	m.tmux("set", "status", "off")
	return m
}

func TestShellInATerminal(t *testing.T) {
	s, vars := served(t)
	m := newTerminal(t, vars, s.ID)

	m.keys("PS1='ready> '; stty size; tty", "Enter")
	m.await("80\n/dev/pts/")
	m.await("ready>")
	m.tmux("resize-window", "-x", "100", "-y", "30")
	for range 100 { // the size comes when it comes
		m.keys("clear; stty size", "Enter")
		time.Sleep(50 * time.Millisecond)
		if strings.Contains(m.tmux("capture-pane", "-p"), "30 100") {
			break
		}
	}
	m.await("30 100")

	m.keys("sleep 1000", "Enter")
	time.Sleep(200 * time.Millisecond)
	m.keys("C-c")
	m.keys("echo code $?", "Enter")
	m.await("code 130")
	m.keys("sleep 1001", "Enter")
	time.Sleep(200 * time.Millisecond)
	m.keys("C-z")
	m.keys("jobs", "Enter")
	m.await("Stopped")
	m.keys("kill -KILL %1; wait; echo ä", "Enter")
	m.await("\nä")
	if _, err := exec.LookPath("top"); err == nil {
		m.keys("clear; top", "Enter")
		m.await("PID")
		m.keys("q")
		m.await("\nready>") // of the shell, below
		m.keys("clear; echo ba''ck", "Enter")
		m.await("back")
	}
	if _, err := exec.LookPath("vi"); err == nil {
		m.keys("clear; vi /tmp/written", "Enter")
		m.await("\n~")
		m.keys("i", "some text", "Escape", ":wq", "Enter")
		m.await("ready>")
		got, err := s.FileSystem.ReadFile(t.Context(), "/tmp/written", nil)
		require.NoError(t, err)
		require.Equal(t, "some text\n", string(got.Content))
	}
	m.keys("exit 9", "Enter")
	m.await("agb said 9")
}

// A program that was left goes on when its terminal is gone, in another.
func TestShellIsLeft(t *testing.T) {
	s, vars := served(t)
	m := newTerminal(t, vars, "--detach", s.ID, "sh", "-c", "'echo begun; read line; echo got $line; sleep 1000'")
	m.await("begun")
	m.tmux("respawn-pane", "-k", "sleep 60") // hangs up
	list, err := s.Command.List(t.Context())
	require.NoError(t, err)
	require.Len(t, list.Processes, 1)
	m = newTerminal(t, vars, "--attach", s.ID, list.Processes[0].ProcessID)
	m.await("begun")
	m.keys("typed", "Enter")
	m.await("got typed")
	m.keys("C-c")
	m.await("agb said 130")
}
