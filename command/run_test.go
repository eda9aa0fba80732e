package command_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/internal/transport"
)

func TestRun(t *testing.T) {
	s := agbtest.NewSession(t)
	for _, row := range []struct {
		cmd            string
		code           int
		stdout, stderr string
	}{
		{"true", 0, "", ""},
		{"echo out; echo err >&2; exit 3", 3, "out\n", "err\n"},
		{"printf '\\377\\000\\n\\303'", 0, "\xff\x00\n\xc3", ""},
		{"printf 'no line end'", 0, "no line end", ""},
		{"kill -9 $$", 137, "", ""},
		{"cat", 0, "", ""}, // standard input is empty, not open
		{"echo ünïcödé '<&>'", 0, "ünïcödé <&>\n", ""},
	} {
		res, err := s.Command.Run(t.Context(), row.cmd, nil)
		require.NoError(t, err, row.cmd)
		require.Equal(t, row.code, res.ExitCode, row.cmd)
		require.Equal(t, row.stdout, res.Stdout, row.cmd)
		require.Equal(t, row.stderr, res.Stderr, row.cmd)
		require.False(t, res.Truncated)
		require.Positive(t, res.Duration)
		require.NotEmpty(t, res.RequestID)
	}
}

func TestRunOptions(t *testing.T) {
	s := agbtest.NewSession(t)
	res, err := s.Command.Run(t.Context(), `pwd; echo "$A|$B"`, &command.RunOptions{
		Dir: "/tmp", Env: map[string]string{"A": "a b\n", "B": "€"}, Timeout: 5 * time.Second,
	})
	require.NoError(t, err)
	require.Equal(t, "/tmp\na b\n|€\n", res.Stdout)

	_, err = s.Command.Run(t.Context(), "true", &command.RunOptions{Dir: "/no/such/dir"})
	require.ErrorIs(t, err, agb.ErrFailedPrecondition)
}

func TestTimeout(t *testing.T) {
	s := agbtest.NewSession(t)
	start := time.Now()
	res, err := s.Command.Run(t.Context(), "echo before; sleep 60; echo after", &command.RunOptions{Timeout: 300 * time.Millisecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, agb.ErrTimeout)
	require.NotErrorIs(t, err, agb.ErrUnknownOutcome)
	require.Contains(t, err.Error(), "command timeout")
	require.NotNil(t, res)
	require.Equal(t, "before\n", res.Stdout)
	require.Less(t, time.Since(start), 10*time.Second)
}

// TestCancelKills: what a cancelled call started is gone, and the session goes
// on.
func TestCancelKills(t *testing.T) {
	s := agbtest.NewSession(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	res, err := s.Command.Run(ctx, "sleep 61 & sleep 62", nil)
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, res)
	require.Eventually(t, func() bool {
		res, err := s.Command.Run(t.Context(), `grep -la "^sleep" /proc/[0-9]*/cmdline 2>/dev/null | wc -l`, nil)
		return err == nil && strings.TrimSpace(res.Stdout) == "0"
	}, 5*time.Second, 20*time.Millisecond)
}

func TestBackgroundDoesNotHold(t *testing.T) {
	s := agbtest.NewSession(t)
	start := time.Now()
	res, err := s.Command.Run(t.Context(), "nohup sleep 30 & echo started", nil)
	require.NoError(t, err)
	require.Equal(t, "started\n", res.Stdout)
	require.Less(t, time.Since(start), 10*time.Second)
}

func TestTruncated(t *testing.T) {
	s := agbtest.NewSession(t)
	res, err := s.Command.Run(t.Context(), "head -c 11000000 /dev/zero | tr '\\0' x", nil)
	require.NoError(t, err)
	require.True(t, res.Truncated)
	require.EqualValues(t, 11_000_000, int64(len(res.Stdout))+res.StdoutDropped)
	require.Zero(t, res.StderrDropped)
}

// answering returns a client of a service that answers every call with data.
func answering(t *testing.T, data string, seen *map[string]any) *command.Client {
	t.Helper()
	m := httpmock.NewMockTransport()
	m.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		if seen != nil {
			var body struct{ Args string }
			require.NoError(t, json.NewDecoder(r.Body).Decode(&body))
			require.NoError(t, json.Unmarshal([]byte(body.Args), seen))
		}
		return httpmock.NewStringResponse(200, `{"requestId":"r-1","success":true,"data":`+data+`}`), nil
	})
	return command.New(transport.New(transport.Config{
		BaseURL: "http://agb.test", Transport: m, Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute, Attempts: 1,
	}), "s-1")
}

func said(isError bool, text string) string {
	return `{"isError":` + strconv.FormatBool(isError) + `,"content":[{"type":"text","text":` + strconv.Quote(text) + `}]}`
}

// TestServiceShapes are the ways in which the hosted service answers.
func TestServiceShapes(t *testing.T) {
	for _, row := range []struct {
		data string
		want command.Result
	}{
		{said(false, `{"stdout":"o","stderr":"e","exit_code":0}`), command.Result{Stdout: "o", Stderr: "e"}},
		{said(false, `{"stdout":"o"}`), command.Result{Stdout: "o"}},
		{said(false, `{"exit_code":2,"traceId":"t"}`), command.Result{ExitCode: 2, TraceID: "t"}},
		{said(true, `{"stderr":"e","exit_code":2,"traceId":"t"}`), command.Result{ExitCode: 2, Stderr: "e", TraceID: "t"}},
		{said(true, `{"stderr":"e","errorCode":127}`), command.Result{ExitCode: 127, Stderr: "e"}},
		{said(true, `{"exit_code":-1}`), command.Result{ExitCode: -1}},
		{said(false, "plain\ntext"), command.Result{ExitCode: command.ExitUnknown, Stdout: "plain\ntext"}},
		{said(false, `{"exit_code":"?"}`), command.Result{ExitCode: command.ExitUnknown, Stdout: `{"exit_code":"?"}`}},
		{said(false, ""), command.Result{ExitCode: command.ExitUnknown}},
		{`null`, command.Result{ExitCode: command.ExitUnknown}},
	} {
		res, err := answering(t, row.data, nil).Run(t.Context(), "x", nil)
		require.NoError(t, err, row.data)
		row.want.RequestID = "r-1"
		require.Equal(t, &row.want, res, row.data)
	}
	for data, want := range map[string]error{
		said(true, "permission denied"):   agb.ErrPermissionDenied,
		said(true, `{"stderr":"broken"}`): nil,
		said(true, ""):                    nil,
	} {
		res, err := answering(t, data, nil).Run(t.Context(), "x", nil)
		require.Error(t, err)
		require.Nil(t, res)
		if want != nil {
			require.ErrorIs(t, err, want)
		}
	}
}

func TestArgumentsTravel(t *testing.T) {
	var args map[string]any
	c := answering(t, said(false, "{}"), &args)
	_, err := c.Run(t.Context(), "ls", nil)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"command": "ls", "timeout_ms": 60000.0}, args)

	args = nil
	_, err = c.Run(t.Context(), "ls", &command.RunOptions{Timeout: 1500 * time.Microsecond, Dir: "/d", Env: map[string]string{"A": "b"}})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"command": "ls", "timeout_ms": 2.0, "cwd": "/d", "envs": map[string]any{"A": "b"}}, args)
}

func TestArgumentsAreChecked(t *testing.T) {
	c := answering(t, `"must not be asked"`, nil)
	for name, opts := range map[string]*command.RunOptions{
		"empty key":        {Env: map[string]string{"": "x"}},
		"key with =":       {Env: map[string]string{"A=B": "x"}},
		"key with zero":    {Env: map[string]string{"A\x00": "x"}},
		"value with zero":  {Env: map[string]string{"A": "\x00"}},
		"value not UTF-8":  {Env: map[string]string{"A": "\xff"}},
		"directory":        {Dir: "/a\x00b"},
		"negative timeout": {Timeout: -1},
	} {
		_, err := c.Run(t.Context(), "true", opts)
		require.ErrorIs(t, err, agb.ErrInvalidArgument, name)
	}
	for _, cmd := range []string{"", " \n", "a\x00b", "\xff"} {
		_, err := c.Run(t.Context(), cmd, nil)
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
	longest := time.Duration(1<<63 - 1)
	_, err := answering(t, said(false, "{}"), nil).Run(t.Context(), "x", &command.RunOptions{Timeout: longest})
	require.NoError(t, err)
}
