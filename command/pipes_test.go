package command_test

import (
	"bufio"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/internal/sessiontest"
)

// ends returns how a command ends that must not keep Wait.
func ends(t *testing.T, cmd *command.Cmd) *command.Exit {
	t.Helper()
	type result struct {
		exit *command.Exit
		err  error
	}
	waited := make(chan result, 1)
	go func() {
		exit, err := cmd.Wait()
		waited <- result{exit, err}
	}()
	select {
	case r := <-waited:
		require.NoError(t, r.err)
		return r.exit
	case <-time.After(20 * time.Second):
		require.Fail(t, "Wait does not return")
		return nil
	}
}

// What nobody reads from a pipe is discarded when the command has ended.
func TestPipesThatAreNotRead(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		cmd := s.Command.Command(t.Context(), "yes")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "y\n", line)
		_, err = cmd.Kill(t.Context())
		require.NoError(t, err)
		require.Equal(t, 9, ends(t, cmd).Signal)
		_, err = out.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.ErrClosedPipe, "it has not ended there")

		for _, script := range []string{"echo out; exit 3", "echo out; echo err >&2; echo out; exit 3"} {
			cmd = s.Command.Shell(t.Context(), script)
			_, err = cmd.StdoutPipe()
			require.NoError(t, err)
			_, err = cmd.StderrPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			require.Equal(t, 3, ends(t, cmd).ExitCode)
			require.Equal(t, 3, ends(t, cmd).ExitCode)
		}
	})
}

// Whoever reads while another waits gets everything: of a command that runs
// whatever the pauses, and of one that has ended while there is no long one.
func TestPipesThatAreReadDuringWait(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		const size = 300_000
		for _, c := range []struct {
			script string
			pause  time.Duration // before each piece
			piece  int
		}{
			{"head -c 300000 /dev/zero; sleep 2", time.Second, size},
			{"head -c 300000 /dev/zero", 20 * time.Millisecond, 10_000},
		} {
			cmd := s.Command.Shell(t.Context(), c.script)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			read := make(chan int, 1)
			go func() {
				n, total := 0, 0
				for err := error(nil); err == nil; total += n {
					time.Sleep(c.pause)
					n, err = io.ReadFull(out, make([]byte, c.piece))
				}
				read <- total
			}()
			require.Zero(t, ends(t, cmd).ExitCode)
			require.Equal(t, size, <-read)
		}
	})
}
