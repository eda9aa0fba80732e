package command_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/internal/sessiontest"
)

// typed starts a script as a detached command with a pipe to its input.
func typed(t *testing.T, s *agb.Session, script string) (*command.Cmd, io.WriteCloser) {
	t.Helper()
	cmd := s.Command.Shell(t.Context(), script)
	cmd.Detach = true
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	return cmd, in
}

// release leaves a command and returns how long that took.
func release(t *testing.T, cmd *command.Cmd) time.Duration {
	t.Helper()
	start := time.Now()
	require.NoError(t, cmd.Release())
	took := time.Since(start)
	exit, err := cmd.Wait()
	require.NoError(t, err)
	require.True(t, exit.Left)
	return took
}

// rest returns what a command writes from an offset on.
func rest(t *testing.T, s *agb.Session, cmd *command.Cmd, offset int64) string {
	t.Helper()
	var out bytes.Buffer
	again, err := s.Command.Attach(t.Context(), cmd.ProcessID, &command.AttachOptions{Offset: offset, Stdout: &out})
	require.NoError(t, err)
	_, err = again.Wait()
	require.NoError(t, err)
	return out.String()
}

// What was written to a command reaches it, though it is left right after.
func TestReleaseAfterInput(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		for range 20 {
			cmd, in := typed(t, s, "sleep 0.05; read x; echo got $x")
			require.NoError(t, cmd.Start())
			_, err := io.WriteString(in, "hello\n")
			require.NoError(t, err)
			release(t, cmd)
			require.Equal(t, "got hello\n", rest(t, s, cmd, 0))
			_, err = io.WriteString(in, "late\n")
			require.ErrorIs(t, err, io.ErrClosedPipe)

			cmd, in = typed(t, s, "sleep 0.05; wc -c")
			require.NoError(t, cmd.Start())
			_, err = in.Write(make([]byte, 300_000))
			require.NoError(t, err)
			require.NoError(t, in.Close())
			release(t, cmd)
			require.Equal(t, "300000\n", rest(t, s, cmd, 0))
		}
	})
}

// A command that does not read its input is left all the same.
func TestReleaseOfInputThatIsNotRead(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		const soon = 4 * time.Second
		for _, script := range []string{"cat >/dev/null", "sleep 100"} {
			cmd := s.Command.Shell(t.Context(), script)
			cmd.Stdin, cmd.Detach = endless{}, true
			require.NoError(t, cmd.Start())
			time.Sleep(50 * time.Millisecond)
			require.Less(t, release(t, cmd), soon)
			_, err := s.Command.Kill(t.Context(), cmd.ProcessID)
			require.NoError(t, err, "it goes on")
		}
		cmd, in := typed(t, s, "sleep 100")
		require.NoError(t, cmd.Start())
		written := make(chan error, 1)
		go func() {
			_, err := in.Write(make([]byte, 64<<20))
			written <- err
		}()
		time.Sleep(50 * time.Millisecond)
		require.Less(t, release(t, cmd), 5*time.Second+soon)
		require.ErrorIs(t, <-written, io.ErrClosedPipe)
		_, err := s.Command.Kill(t.Context(), cmd.ProcessID)
		require.NoError(t, err, "it goes on")
	})
}

// Output that nobody reads holds nothing up, and is where it was for the next.
func TestReleaseOfOutputThatIsNotRead(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		var all strings.Builder
		for i := range 50_000 {
			fmt.Fprintln(&all, i+1)
		}
		for _, size := range []int{0, 1, 70_000} {
			cmd := s.Command.Shell(t.Context(), "seq 50000; sleep 0.2")
			cmd.Detach = true
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			first := make([]byte, size)
			_, err = io.ReadFull(out, first)
			require.NoError(t, err)
			require.Less(t, release(t, cmd), 4*time.Second)
			more, err := io.ReadAll(out)
			require.NoError(t, err)
			require.Empty(t, more)
			require.EqualValues(t, size, cmd.Offset())
			require.Equal(t, all.String(), string(first)+rest(t, s, cmd, cmd.Offset()))
		}
	})
}
