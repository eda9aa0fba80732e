package command_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/internal/sessiontest"
)

// A command that has ended before anybody looks has begun all the same.
func TestShortCommands(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		var running sync.WaitGroup
		for range 12 {
			running.Go(func() {
				for range 40 {
					res, err := s.Command.Command(t.Context(), "true").Output()
					if err != nil || res.ExitCode != 0 {
						t.Errorf("true: %v, %+v", err, res)
						return
					}
				}
			})
		}
		running.Wait()
	})
}

func TestCmd(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		res, err := s.Command.Command(t.Context(), "sh", "-c", "echo out; echo err >&2; exit 3").Output()
		require.NoError(t, err)
		require.Equal(t, []any{3, "out\n", "err\n"}, []any{res.ExitCode, res.Stdout, res.Stderr})
		require.Positive(t, res.Duration)
		require.NotEmpty(t, res.RequestID)

		for range 30 {
			cmd := s.Command.Shell(t.Context(), `echo 1; echo 2 >&2; echo 3; pwd >&2; echo "$V"; cat`)
			cmd.Dir, cmd.Env, cmd.Stdin = "/tmp", map[string]string{"V": "ä ö"}, strings.NewReader("input\xff\x00\n")
			res, err = cmd.CombinedOutput()
			require.NoError(t, err)
			require.Equal(t, "1\n2\n3\n/tmp\nä ö\ninput\xff\x00\n", res.Stdout)
			require.Empty(t, res.Stderr)
		}

		// Writers that cannot be compared are none that are the same.
		var written bytes.Buffer
		cmd := s.Command.Shell(t.Context(), "echo out; echo err >&2")
		cmd.Stdout, cmd.Stderr = several{&written}, several{&written}
		_, err = cmd.Run()
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"out", "err"}, strings.Fields(written.String()))

		// Without Stdin it reads the end at once.
		res, err = s.Command.Command(t.Context(), "cat").Output()
		require.NoError(t, err)
		require.Empty(t, res.Stdout)

		// More than is kept anywhere goes through, as it comes.
		var all counter
		cmd = s.Command.Shell(t.Context(), "head -c 50000000 /dev/zero")
		cmd.Stdout = &all
		exit, err := cmd.Run()
		require.NoError(t, err)
		require.EqualValues(t, 50_000_000, all)
		require.EqualValues(t, 50_000_000, cmd.Offset())
		require.Zero(t, exit.Dropped)
		exit, err = cmd.Wait()
		require.NoError(t, err)
		require.Zero(t, exit.ExitCode)
	})
}

type several []io.Writer

func (s several) Write(p []byte) (int, error) { return io.MultiWriter(s...).Write(p) }

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// Output leaves to Stderr what has a place there.
func TestOutputWithStderr(t *testing.T) {
	s := agbtest.NewSession(t)
	var errOut bytes.Buffer
	cmd := s.Command.Shell(t.Context(), "echo out; echo err >&2")
	cmd.Stderr = &errOut
	res, err := cmd.Output()
	require.NoError(t, err)
	require.Equal(t, []string{"out\n", "", "err\n"}, []string{res.Stdout, res.Stderr, errOut.String()})
	for _, run := range []func() (*command.Result, error){cmd.Output, cmd.CombinedOutput} {
		_, err = run()
		require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
		require.ErrorContains(t, err, "started already")
	}

	cmd = s.Command.Shell(t.Context(), "true")
	cmd.Stderr = &errOut
	_, err = cmd.CombinedOutput()
	require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
	require.ErrorContains(t, err, "Stderr is set")
	cmd.Stdout = &errOut
	_, err = cmd.Output()
	require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
	require.ErrorContains(t, err, "Stdout is set")
	_, err = cmd.Run()
	require.NoError(t, err, "it has not started")
}

func TestCmdPipes(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		cmd := s.Command.Command(t.Context(), "cat")
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		require.NotEmpty(t, cmd.ProcessID)
		require.Positive(t, cmd.PID)
		r := bufio.NewReader(out)
		for _, line := range []string{"one\n", "two\n"} {
			_, err := io.WriteString(in, line)
			require.NoError(t, err)
			got, err := r.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, line, got)
		}
		require.NoError(t, in.Close())
		_, err = r.ReadByte()
		require.ErrorIs(t, err, io.EOF)
		exit, err := cmd.Wait()
		require.NoError(t, err)
		require.Zero(t, exit.ExitCode)

		require.ErrorIs(t, cmd.Start(), apierr.FailedPrecondition.Err())
		_, err = cmd.StdinPipe()
		require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
		_, err = s.Command.Command(t.Context(), "cat").Wait()
		require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
		require.ErrorIs(t, s.Command.Command(t.Context(), "cat").Release(), apierr.FailedPrecondition.Err())
	})
}

func TestCmdFails(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		for _, c := range []struct {
			code   apierr.Code
			change func(*command.Cmd)
		}{
			{apierr.NotFound, func(c *command.Cmd) { c.Args = []string{"no-such-program"} }},
			{apierr.PermissionDenied, func(c *command.Cmd) { c.Args = []string{"/etc/passwd"} }},
			{apierr.InvalidArgument, func(c *command.Cmd) { c.Args = nil }},
			{apierr.InvalidArgument, func(c *command.Cmd) { c.Args = []string{"a\x00"} }},
			{apierr.InvalidArgument, func(c *command.Cmd) { c.Timeout = -1 }},
			{apierr.InvalidArgument, func(c *command.Cmd) { c.Env = map[string]string{"=": ""} }},
			{apierr.FailedPrecondition, func(c *command.Cmd) { c.Dir = "/nowhere" }},
		} {
			cmd := s.Command.Command(t.Context(), "true")
			c.change(cmd)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			_, err = cmd.Run()
			require.Equal(t, c.code, apierr.CodeOf(err), "%v", err)
			require.Equal(t, "command.Cmd", apierr.From(err).Op)
			_, err = out.Read(make([]byte, 1))
			require.Error(t, err, "nobody waits for ever")
		}
		cmd := s.Command.Shell(t.Context(), "echo begun; setsid sleep 100 & sleep 100")
		cmd.Timeout = 300 * time.Millisecond
		res, err := cmd.Output()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, "0", sleeping(t, s), "at once")
		require.True(t, res.TimedOut)
		require.Equal(t, "begun\n", res.Stdout)

		cmd = s.Command.Shell(t.Context(), "while :; do :; done")
		cmd.CPUTimeout = 100 * time.Millisecond
		exit, err := cmd.Run()
		require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
		require.True(t, exit.CPULimited)

		// A writer that fails ends the command, and so does a reader.
		broken := errors.New("broken")
		for _, broken := range []error{broken, io.ErrClosedPipe} {
			cmd = s.Command.Shell(t.Context(), "echo x; sleep 100")
			cmd.Stdout = failing{broken}
			_, err = cmd.Run()
			require.ErrorIs(t, err, broken)
		}
		cmd = s.Command.Shell(t.Context(), "echo x; sleep 100")
		cmd.Stdout = failing{}
		_, err = cmd.Run()
		require.ErrorIs(t, err, io.ErrShortWrite)
		require.Zero(t, cmd.Offset())
		cmd = s.Command.Shell(t.Context(), "sleep 100")
		cmd.Stdin = failing{broken}
		_, err = cmd.Run()
		require.ErrorIs(t, err, broken)
		alone(t, s)
	})
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
func (f failing) Read([]byte) (int, error)  { return 0, f.err }

// alone waits until no "sleep 100" runs any more in the session.
func alone(t *testing.T, s *agb.Session) {
	t.Helper()
	awaitSleeping(t, s, "0")
}

func awaitSleeping(t *testing.T, s *agb.Session, count string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); sleeping(t, s) != count; time.Sleep(20 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "there should be %s", count)
	}
}

// sleeping returns how many "sleep 100" run in the session.
func sleeping(t *testing.T, s *agb.Session) string {
	t.Helper()
	r, err := s.Command.Run(t.Context(), `for p in /proc/[0-9]*; do tr "\0" " " <$p/cmdline; echo; done 2>/dev/null | grep -c "^sleep 100 "`, nil)
	require.NoError(t, err)
	return strings.TrimSpace(r.Stdout)
}

// When its ctx ends the command does, with all that it started.
func TestCmdContext(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		cmd := s.Command.Shell(ctx, "sleep 100 & sleep 100")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		cancel()
		_, err = cmd.Wait()
		require.ErrorIs(t, err, context.Canceled)
		_, err = out.Read(make([]byte, 1))
		require.ErrorIs(t, err, context.Canceled)
		alone(t, s)

		_, err = s.Command.Command(ctx, "true").Run()
		require.ErrorIs(t, err, context.Canceled)

		// Nobody reads a flood, and it ends all the same.
		ctx, cancel = context.WithCancel(t.Context())
		cmd = s.Command.Shell(ctx, "while :; do echo y; done")
		_, err = cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		time.Sleep(100 * time.Millisecond)
		cancel()
		_, err = cmd.Wait()
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestSignalAndKill(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		cmd := s.Command.Shell(t.Context(), `trap "echo got it" USR1; echo up; while :; do sleep 0.02; done`)
		var out seen
		cmd.Stdout = &out
		require.NoError(t, cmd.Start())
		out.await(t, "up")
		_, err := cmd.Signal(t.Context(), "USR1")
		require.NoError(t, err)
		out.await(t, "got it")
		_, err = cmd.Signal(t.Context(), "NONE")
		require.ErrorIs(t, err, apierr.InvalidArgument.Err())
		_, err = cmd.Resize(t.Context(), command.Size{})
		require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
		_, err = cmd.Signal(t.Context(), "sigterm")
		require.NoError(t, err)
		exit, err := cmd.Wait()
		require.NoError(t, err)
		require.Equal(t, 15, exit.Signal)
		require.Equal(t, 128+15, exit.ExitCode)
		_, err = cmd.Signal(t.Context(), "15")
		require.ErrorIs(t, err, apierr.FailedPrecondition.Err())

		cmd = s.Command.Shell(t.Context(), `trap "" TERM; sleep 100 & setsid sleep 100 & wait`)
		require.NoError(t, cmd.Start())
		awaitSleeping(t, s, "2")
		_, err = cmd.Kill(t.Context())
		require.NoError(t, err)
		require.Equal(t, "0", sleeping(t, s), "at once")
		exit, err = cmd.Wait()
		require.NoError(t, err)
		require.Equal(t, 9, exit.Signal)
		_, err = s.Command.Signal(t.Context(), "none", "TERM")
		require.ErrorIs(t, err, apierr.NotFound.Err())
	})
}

// seen is output that can be waited for.
type seen struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *seen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(p)
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func (s *seen) await(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(s.String(), text) }, 20*time.Second, 5*time.Millisecond, text)
}

func TestTerminal(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		cmd := s.Command.Command(t.Context(), "sh")
		cmd.TTY = &command.Size{Rows: 24, Columns: 80}
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		var out seen
		cmd.Stdout = &out
		require.NoError(t, cmd.Start())
		say := func(text string) {
			t.Helper()
			_, err := io.WriteString(in, text)
			require.NoError(t, err)
		}
		say("stty size; tty\n")
		out.await(t, "24 80\r\n/dev/pts/")
		_, err = cmd.Resize(t.Context(), command.Size{Rows: 50, Columns: 132})
		require.NoError(t, err)
		say("stty size\n")
		out.await(t, "50 132")
		say("sleep 100\n")
		time.Sleep(100 * time.Millisecond)
		say("\x03echo after $?\n") // Ctrl-C
		out.await(t, "after 130")
		say("exit 7\n")
		exit, err := cmd.Wait()
		require.NoError(t, err)
		require.Equal(t, 7, exit.ExitCode)
	})
}

// A terminal that is told so changes no byte on the way, in neither direction.
func TestRawTerminal(t *testing.T) {
	s := agbtest.NewSession(t)
	cmd := s.Command.Shell(t.Context(), "stty raw -echo; echo go; head -c 256")
	cmd.TTY = &command.Size{Rows: 24, Columns: 80}
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	var out seen
	cmd.Stdout = &out
	require.NoError(t, cmd.Start())
	out.await(t, "go\n")
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	_, err = in.Write(all)
	require.NoError(t, err)
	exit, err := cmd.Wait()
	require.NoError(t, err)
	require.Zero(t, exit.ExitCode)
	require.Equal(t, "go\n"+string(all), out.String())
}
