package command_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/command"
)

// Who is attached to a command hears what ended it, but not how long it had.
func TestLimitsOfAttached(t *testing.T) {
	s := agbtest.NewSession(t)
	for _, row := range []struct {
		script  string
		limit   command.RunOptions
		code    apierr.Code
		own     string
		another string
	}{
		{
			"sleep 100", command.RunOptions{Timeout: 300 * time.Millisecond}, apierr.DeadlineExceeded,
			"command timeout: killed after 300ms", "command timeout: killed",
		},
		{
			busy, command.RunOptions{CPUTimeout: 200 * time.Millisecond}, apierr.ResourceExhausted,
			"processor time is used up: killed after 200ms of it", "processor time is used up: killed",
		},
	} {
		cmd := s.Command.Shell(t.Context(), row.script)
		cmd.Timeout, cmd.CPUTimeout = row.limit.Timeout, row.limit.CPUTimeout
		require.NoError(t, cmd.Start())
		attached, err := s.Command.Attach(t.Context(), cmd.ProcessID, nil)
		require.NoError(t, err)
		for who, message := range map[*command.Cmd]string{cmd: row.own, attached: row.another} {
			exit, err := who.Wait()
			require.Equal(t, row.code, apierr.CodeOf(err))
			require.Equal(t, message, apierr.From(err).Message)
			require.Equal(t, row.code == apierr.DeadlineExceeded, exit.TimedOut)
			require.Equal(t, row.code == apierr.ResourceExhausted, exit.CPULimited)
		}
	}
}

// A command that is nobody's, or does not run, fails and does not panic.
func TestCmdThatDoesNotRun(t *testing.T) {
	s := agbtest.NewSession(t)
	failed := s.Command.Command(t.Context(), "no-such-program")
	require.Error(t, failed.Start())
	for name, cmd := range map[string]*command.Cmd{
		"of nobody": {}, "of nobody with a program": {Args: []string{"true"}},
		"not started": s.Command.Command(t.Context(), "true"), "failed": failed,
	} {
		calls := []error{
			second(cmd.Wait()), cmd.Release(), second(cmd.Signal(t.Context(), "TERM")), second(cmd.Kill(t.Context())),
			second(cmd.Resize(t.Context(), command.Size{Rows: 1, Columns: 1})),
		}
		if strings.HasPrefix(name, "of nobody") {
			calls = append(calls, cmd.Start(), second(cmd.Run()), second(cmd.Output()))
		}
		for i, err := range calls {
			require.ErrorIs(t, err, apierr.FailedPrecondition.Err(), "%s: call %d", name, i)
			require.Equal(t, "command.Cmd", apierr.From(err).Op)
		}
	}
}

// Who closes a pipe wants no more of the output, and the command goes on.
func TestCmdClosedPipe(t *testing.T) {
	s := agbtest.NewSession(t)
	cmd := s.Command.Shell(t.Context(), "echo first; read -r go; head -c 300000 /dev/zero; echo last >&2; exit 3")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	require.NoError(t, cmd.Start())
	_, err = io.ReadFull(out, make([]byte, len("first\n")))
	require.NoError(t, err)
	require.NoError(t, out.Close())
	_, err = io.WriteString(in, "go\n")
	require.NoError(t, err)
	exit, err := cmd.Wait()
	require.NoError(t, err)
	require.Equal(t, 3, exit.ExitCode)
	require.Equal(t, "last\n", errOut.String())
}
