package command_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/internal/sessiontest"
	"github.com/agb-go/sdk/internal/wire"
)

// A command need not read all of its input.
func TestStdinNotReadToItsEnd(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		for range 10 {
			cmd := s.Command.Shell(t.Context(), "head -c 10; exit 3")
			cmd.Stdin = strings.NewReader(strings.Repeat("x", 8<<20))
			res, err := cmd.Output()
			require.NoError(t, err)
			require.Equal(t, []any{3, "xxxxxxxxxx"}, []any{res.ExitCode, res.Stdout})
		}
	})
}

// The end of a command counts, though the stream broke for its input before it
// was read.
func TestStdinBreaksBeforeTheEnd(t *testing.T) {
	cmd := saying(t, started, frame{wire.FrameStdout, "x"}, ended).Command(t.Context(), "true")
	cmd.Stdin, cmd.Stdout = endless{}, slow{}
	exit, err := cmd.Run()
	require.NoError(t, err)
	require.Zero(t, exit.ExitCode)
}

// A terminal's input ends, amid a line, too.
func TestStdinOfATerminalEnds(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		for _, input := range []string{"x", "x\n", "1\n2"} {
			cmd := s.Command.Shell(t.Context(), "cat; echo over")
			cmd.TTY, cmd.Timeout, cmd.Stdin = &command.Size{Rows: 24, Columns: 80}, 10*time.Second, strings.NewReader(input)
			res, err := cmd.Output()
			require.NoError(t, err)
			require.Contains(t, res.Stdout, "over\r\n")
		}
	})
}

// endless is input that does not end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// slow takes its time.
type slow struct{}

func (slow) Write(p []byte) (int, error) {
	time.Sleep(100 * time.Millisecond)
	return len(p), nil
}
