package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/engine"
)

// asCommand makes the test binary be the command.
const asCommand = "AGB_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// program returns the real command.
func program(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append(os.Environ(), asCommand+"=1", keyVariable+"=")
	return cmd
}

// run runs the command to its end.
func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := program(ctx, t, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	require.NoError(t, ctx.Err())
	if err != nil {
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

func TestHelp(t *testing.T) {
	code, out, _ := run(t, "help")
	require.Equal(t, exitOK, code)
	for _, c := range commands() {
		require.Contains(t, out, c.name)
		for _, args := range [][]string{{"help", c.name}, {c.name, "-h"}, {c.name, "--help"}} {
			code, out, errOut := run(t, args...)
			require.Equal(t, exitOK, code, errOut)
			require.Equal(t, c.help, out)
		}
	}
	code, out, _ = run(t, "version")
	require.Equal(t, exitOK, code)
	require.Regexp(t, `^agb \S+ go1`, out)
}

func TestUsage(t *testing.T) {
	keys := keyFile(t, "0123456789abcdef\n")
	served := func(args ...string) []string {
		return append([]string{"serve", "--listen", "127.0.0.1:0", "--api-key-file", keys}, args...)
	}
	for _, args := range [][]string{
		{}, {"nonsense"}, {"help", "nonsense"}, {"serve", "--nonsense"}, {"serve", "x"}, {"doctor", "x"}, {"version", "x"}, {"serve"},
		{"serve", "--idle-timeout", "0"}, {"serve", "--max-sessions", "-1"}, {"serve", "--limit", "memory"}, {"serve", "--limit", "memory=0"},
		{"serve", "--limit", "memory=1T"}, {"serve", "--limit", "gpus=1"}, {"serve", "--max-limit", "processes=3000000000"},
		{"serve", "--limit", "memory=9223372036854775807K"}, {"serve", "--memory-budget", "-1"}, {"serve", "--pool", "x"},
		{"serve", "--pool", "=1"}, served("--pool-code", "cobol"), served("--pool-code", "python,py"), served("--pool-code", "go"), {"serve", "--pool", "host=-1"}, {"serve", "--require", "seccomp,,landlock"},
		served("--require", "foo"), served("--limit", "processes=8"), served("--max-limit", "processes=100"),
		served("--memory-budget", "1M"), served("--pool", "foo=1"), served("--pool", "1001"), served("--public-url", "ftp://x"),
		served("--listen", "x"), served("--listen", "127.0.0.1:99999"),
	} {
		code, out, errOut := run(t, args...)
		require.Equal(t, exitUsage, code, args)
		require.Empty(t, out, args)
		require.NotEmpty(t, errOut, args)
	}
}

func TestDoctor(t *testing.T) {
	code, out, errOut := run(t, "doctor")
	require.Contains(t, []int{exitOK, exitError}, code, errOut)
	require.Equal(t, code == exitOK, strings.Contains(out, "can be isolated"), out)
	if code == exitOK {
		for _, name := range []string{"seccomp", "memory limit", "memory=512M", "milli-cpu=1000", "inodes=100000"} {
			require.Contains(t, out, name)
		}
	}
}

func TestServeFlags(t *testing.T) {
	o, err := serveFlags([]string{
		"--limit", "memory=256M,processes=64", "--limit", "milli-cpu=500", "--max-limit", "memory=2G,open-files=4096,file=1K,data=3G,disk=1G,inodes=7",
		"--memory-budget", "8G", "--require", "seccomp,memory limit", "--require", "landlock", "--pool", "2", "--pool", "other=3", "--pool-code", "python,bash", "--state-dir", "/x",
	})
	require.NoError(t, err)
	require.Equal(t, engine.Limits{MemoryBytes: 256 << 20, Processes: 64, MilliCPU: 500}, o.engine.Limits)
	require.Equal(t, engine.Limits{
		MemoryBytes: 2 << 30, OpenFiles: 4096, FileBytes: 1 << 10, DataBytes: 3 << 30, DiskBytes: 1 << 30, DiskInodes: 7,
	}, o.engine.MaxLimits)
	require.EqualValues(t, 8<<30, o.engine.MemoryBudget)
	require.Equal(t, []string{"seccomp", "memory limit", "landlock"}, o.engine.Require)
	require.Equal(t, map[string]int{"host": 2, "other": 3}, o.engine.Pool)
	require.Equal(t, []string{"python", "bash"}, o.engine.PoolCode)
	require.Equal(t, "/x", o.engine.StateDir)

	o, err = serveFlags([]string{"--require", "none"})
	require.NoError(t, err)
	require.NotNil(t, o.engine.Require)
	require.Empty(t, o.engine.Require)
	o, err = serveFlags(nil)
	require.NoError(t, err)
	require.Nil(t, o.engine.Require, "the engine's own")
}

func TestQuantities(t *testing.T) {
	for text, n := range map[string]int64{"1": 1, "1000": 1000, "1K": 1 << 10, "512M": 512 << 20, "7G": 7 << 30, "1025": 1025} {
		got, err := quantity(text)
		require.NoError(t, err)
		require.Equal(t, n, got)
		require.Equal(t, text, showQuantity(n))
	}
	require.Equal(t, "1K", showQuantity(1024))
	require.Equal(t, "1024G", showQuantity(1<<40))
	require.Equal(t, "0", showQuantity(0))
}

// keyFile returns a file with that content.
func keyFile(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
	return name
}

func TestServeRefusesKeys(t *testing.T) {
	for name, c := range map[string]struct{ listen, content string }{
		"none":              {"127.0.0.1:0", "# nothing\n\n"},
		"short":             {"0.0.0.0:0", "0123456789abcde\n"},
		"short on loopback": {"127.0.0.1:0", "0123456789abcde\n"},
		"one short of many": {":0", "0123456789abcdef\nshort\n"},
		"blank inside":      {"127.0.0.1:0", "0123456789 abcdef\n"},
		"not ASCII":         {"127.0.0.1:0", "0123456789schlüssel\n"},
		"endless":           {"127.0.0.1:0", strings.Repeat("x", maxKeyFile+1)},
	} {
		code, out, errOut := run(t, "serve", "--listen", c.listen, "--api-key-file", keyFile(t, c.content))
		require.Equal(t, exitError, code, name)
		require.Empty(t, out, name)
		require.NotContains(t, errOut, "0123456789abcde", "a key is told")
	}
	code, _, _ := run(t, "serve", "--listen", "127.0.0.1:0", "--api-key-file", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, exitError, code)
}

func TestLoadKeys(t *testing.T) {
	none := func(string) string { return "" }
	keys, err := loadKeys(keyFile(t, "# comment\n one-0123456789ab \r\n\ntwo-0123456789ab"), none)
	require.NoError(t, err)
	require.Equal(t, []string{"one-0123456789ab", "two-0123456789ab"}, keys)
	keys, err = loadKeys("", func(name string) string {
		require.Equal(t, keyVariable, name)
		return "three-0123456789"
	})
	require.NoError(t, err)
	require.Equal(t, []string{"three-0123456789"}, keys)
	_, err = loadKeys("", none)
	require.ErrorIs(t, err, errUsage)
}

// TestServe runs the server, uses it over its port, and has it end by a signal
// while a command runs.
func TestServe(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	cmd := program(t.Context(), t, "serve", "--listen", "127.0.0.1:0", "--state-dir", state, "--pool", "1", "--limit", "processes=64",
		"--api-key-file", keyFile(t, "# ours\nakm-1-0123456789\nakm-2-0123456789\n"))
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil && runtime.GOOS != "linux" {
		require.Error(t, cmd.Wait())
		t.Skip("no engine on this system: ", log.String())
	}
	require.NoError(t, err)
	base, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	require.True(t, ok, line)

	post := func(key, target, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+target, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { require.NoError(t, resp.Body.Close()) }()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}
	defer http.DefaultClient.CloseIdleConnections()
	status, _ := post("akm-3-0123456789", "/mcp/createSession?imageId=host", "{}")
	require.Equal(t, http.StatusUnauthorized, status)
	status, body := post("akm-2-0123456789", "/mcp/createSession?imageId=host", "{}")
	busy := make(chan string, 1)
	if status == http.StatusOK {
		_, id, _ := strings.Cut(body, `"sessionId":"`)
		id, _, _ = strings.Cut(id, `"`)
		go func() {
			_, body := post("akm-2-0123456789", "/mcp", `{"sessionId":"`+id+`","name":"shell","args":"{\"command\":\"touch /tmp/x; sleep 60\"}"}`)
			busy <- body
		}()
		require.Eventually(t, func() bool {
			_, body := post("akm-2-0123456789", "/mcp", `{"sessionId":"`+id+`","name":"get_file_info","args":"{\"path\":\"/tmp/x\"}"}`)
			return strings.Contains(body, `"isError":false`)
		}, 20*time.Second, 20*time.Millisecond)
	} else {
		require.Contains(t, body, "IsolationUnavailable")
		busy <- "not found"
	}

	requireHidden(t, cmd.Process.Pid)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Contains(t, <-busy, "not found")
	require.NoError(t, cmd.Wait(), log.String())
	require.DirExists(t, state)
	require.NotContains(t, log.String(), "akm-")
	require.NotContains(t, log.String(), `"ERROR"`)
}

// requireHidden requires that a process of our own user, unless that is root,
// cannot be looked into.
func requireHidden(t *testing.T, pid int) {
	t.Helper()
	if runtime.GOOS == "linux" && os.Getuid() != 0 {
		_, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		require.ErrorIs(t, err, fs.ErrPermission)
	}
}
