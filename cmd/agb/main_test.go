package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
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
)

// asCommand makes the test binary be the command.
const asCommand = "AGB_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// agb returns the real command.
func agb(ctx context.Context, t *testing.T, args ...string) *exec.Cmd {
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
	cmd := agb(ctx, t, args...)
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
	for _, args := range [][]string{
		{}, {"nonsense"}, {"help", "nonsense"}, {"serve", "--nonsense"}, {"serve", "x"}, {"doctor", "x"}, {"version", "x"}, {"serve"},
		{"serve", "--idle-timeout", "0"}, {"serve", "--max-sessions", "-1"},
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
		"none":               {"127.0.0.1:0", "# nothing\n\n"},
		"short off loopback": {"0.0.0.0:0", "0123456789abcde\n"},
		"one short of many":  {":0", "0123456789abcdef\nshort\n"},
		"blank inside":       {"127.0.0.1:0", "a b\n"},
		"not ASCII":          {"127.0.0.1:0", "schlüssel\n"},
		"endless":            {"127.0.0.1:0", strings.Repeat("x", maxKeyFile+1)},
	} {
		code, out, errOut := run(t, "serve", "--listen", c.listen, "--api-key-file", keyFile(t, c.content))
		require.Equal(t, exitError, code, name)
		require.Empty(t, out, name)
		require.NotContains(t, errOut, "0123456789abcde", "a key is told")
	}
	code, _, _ := run(t, "serve", "--listen", "127.0.0.1:0", "--api-key-file", filepath.Join(t.TempDir(), "none"))
	require.Equal(t, exitError, code)
}

func TestCheckKeys(t *testing.T) {
	require.NoError(t, checkKeys([]string{"short"}, &net.TCPAddr{IP: net.IPv6loopback}))
	require.NoError(t, checkKeys([]string{strings.Repeat("k", minKeyBytes)}, &net.TCPAddr{IP: net.IPv4zero}))
	require.Error(t, checkKeys([]string{strings.Repeat("k", minKeyBytes-1)}, &net.TCPAddr{IP: net.IPv4zero}))
	require.Error(t, checkKeys([]string{"short"}, &net.UnixAddr{Name: "/s"}))
}

func TestLoadKeys(t *testing.T) {
	none := func(string) string { return "" }
	keys, err := loadKeys(keyFile(t, "# comment\n one \r\n\ntwo"), none)
	require.NoError(t, err)
	require.Equal(t, []string{"one", "two"}, keys)
	keys, err = loadKeys("", func(name string) string {
		require.Equal(t, keyVariable, name)
		return "three"
	})
	require.NoError(t, err)
	require.Equal(t, []string{"three"}, keys)
	_, err = loadKeys("", none)
	require.ErrorIs(t, err, errUsage)
}

// TestServe runs the server, uses it over its port, and has it end by a signal
// while a command runs.
func TestServe(t *testing.T) {
	cmd := agb(t.Context(), t, "serve", "--listen", "127.0.0.1:0", "--api-key-file", keyFile(t, "# ours\nakm-1\nakm-2\n"))
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
	status, _ := post("akm-3", "/mcp/createSession?imageId=host", "{}")
	require.Equal(t, http.StatusUnauthorized, status)
	status, body := post("akm-2", "/mcp/createSession?imageId=host", "{}")
	busy := make(chan string, 1)
	if status == http.StatusOK {
		_, id, _ := strings.Cut(body, `"sessionId":"`)
		id, _, _ = strings.Cut(id, `"`)
		go func() {
			_, body := post("akm-2", "/mcp", `{"sessionId":"`+id+`","name":"shell","args":"{\"command\":\"touch /tmp/x; sleep 60\"}"}`)
			busy <- body
		}()
		require.Eventually(t, func() bool {
			_, body := post("akm-2", "/mcp", `{"sessionId":"`+id+`","name":"get_file_info","args":"{\"path\":\"/tmp/x\"}"}`)
			return strings.Contains(body, `"isError":false`)
		}, 20*time.Second, 20*time.Millisecond)
	} else {
		require.Contains(t, body, "IsolationUnavailable")
		busy <- "not found"
	}

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Contains(t, <-busy, "not found")
	require.NoError(t, cmd.Wait(), log.String())
	require.NotContains(t, log.String(), "akm-")
	require.NotContains(t, log.String(), `"ERROR"`)
}
