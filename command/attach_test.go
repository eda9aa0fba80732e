package command_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/internal/sessiontest"
)

// A detached command goes on, and whoever comes back neither loses nor repeats
// a byte.
func TestDetach(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		const lines = 400
		ctx, cancel := context.WithCancel(t.Context())
		cmd := s.Command.Shell(ctx, fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo line $i; sleep 0.002; done; exit 5", lines))
		cmd.Detach = true
		var all bytes.Buffer
		cmd.Stdout = &all
		require.NoError(t, cmd.Start())
		time.Sleep(50 * time.Millisecond)
		require.NoError(t, cmd.Release())
		exit, err := cmd.Wait()
		require.NoError(t, err)
		require.True(t, exit.Left)
		require.EqualValues(t, all.Len(), cmd.Offset())
		cancel()

		id, offset := cmd.ProcessID, cmd.Offset()
		for range 5 { // who is cut off, and comes back
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
			again, err := s.Command.Attach(ctx, id, &command.AttachOptions{Offset: offset, Stdout: &all})
			require.NoError(t, err)
			_, err = again.Wait()
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			offset = again.Offset()
			cancel()
		}
		last, err := s.Command.Attach(t.Context(), id, &command.AttachOptions{Offset: offset, Stdout: &all})
		require.NoError(t, err)
		exit, err = last.Wait()
		require.NoError(t, err)
		require.Equal(t, 5, exit.ExitCode)
		require.Zero(t, exit.Dropped)
		var want strings.Builder
		for i := range lines {
			fmt.Fprintf(&want, "line %d\n", i+1)
		}
		require.Equal(t, want.String(), all.String())

		list, err := s.Command.List(t.Context())
		require.NoError(t, err)
		require.Len(t, list.Processes, 1)
		p := list.Processes[0]
		require.Equal(t, id, p.ProcessID)
		require.True(t, p.Detached)
		require.Equal(t, 5, p.Exit.ExitCode)
		require.EqualValues(t, all.Len(), p.End)
		require.Equal(t, cmd.Args, p.Args)

		for _, offset := range []int64{math.MinInt64, -1, p.End + 1, math.MaxInt64} {
			_, err := s.Command.Attach(t.Context(), id, &command.AttachOptions{Offset: offset})
			require.ErrorIs(t, err, apierr.InvalidArgument.Err(), offset)
		}
		_, err = s.Command.Attach(t.Context(), "none", nil)
		require.ErrorIs(t, err, apierr.NotFound.Err())
	})
}

// Processes of other sessions, of the same key or another, are as if there were
// none.
func TestAttachToOthers(t *testing.T) {
	keys := []string{"akm-0123456789abcdef", "akm-fedcba9876543210"}
	eng, err := engine.New(engine.Config{APIKeys: keys})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	port := httptest.NewServer(eng.Handler())
	t.Cleanup(port.Close)
	create := func(key string) *agb.Session {
		c, err := agb.New(agb.WithAPIKey(key), agb.WithEndpoint(port.URL))
		require.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		created, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "host"})
		require.NoError(t, err)
		return created.Session
	}
	cmd := create(keys[0]).Command.Command(t.Context(), "sleep", "100")
	cmd.Detach = true
	require.NoError(t, cmd.Start())
	for _, key := range keys {
		other := create(key)
		for _, offset := range []int64{0, 1, math.MaxInt64} {
			_, err := other.Command.Attach(t.Context(), cmd.ProcessID, &command.AttachOptions{Offset: offset})
			require.ErrorIs(t, err, apierr.NotFound.Err())
		}
	}
	require.NoError(t, cmd.Release())
	_, err = cmd.Wait()
	require.NoError(t, err)
}

// What a detached command writes beyond what is kept is counted.
func TestDetachedFlood(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		cmd := s.Command.Shell(t.Context(), "cat >/dev/null; head -c 20000000 /dev/zero; echo; echo end")
		cmd.Detach = true
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		require.NoError(t, cmd.Release())
		other, err := s.Command.Attach(t.Context(), cmd.ProcessID, &command.AttachOptions{Stdin: strings.NewReader("x")})
		require.NoError(t, err)
		_, err = other.Wait()
		require.NoError(t, err)
		_ = in.Close()

		var out bytes.Buffer
		late, err := s.Command.Attach(t.Context(), cmd.ProcessID, &command.AttachOptions{Stdout: &out})
		require.NoError(t, err)
		exit, err := late.Wait()
		require.NoError(t, err)
		require.EqualValues(t, 20_000_005, exit.Dropped+int64(out.Len()))
		require.Equal(t, 4<<20, out.Len())
		require.True(t, strings.HasSuffix(out.String(), "\x00\nend\n"))
	})
}

// Who types what nobody reads holds nothing up when it has left, and the next
// can type.
func TestUnreadInput(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		cmd := s.Command.Shell(t.Context(), "while [ ! -e /tmp/read ]; do sleep 0.02; done; head -c 3000000 | wc -c")
		cmd.Detach = true
		_, err := cmd.StdinPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		before := runtime.NumGoroutine()
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			typing, err := s.Command.Attach(ctx, cmd.ProcessID, &command.AttachOptions{Stdin: bytes.NewReader(make([]byte, 1<<20))})
			require.NoError(t, err)
			_, err = typing.Wait()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			cancel()
		}
		require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+2 }, 20*time.Second, 20*time.Millisecond)
		_, err = s.Command.Run(t.Context(), "touch /tmp/read", nil)
		require.NoError(t, err)
		var out bytes.Buffer
		last, err := s.Command.Attach(t.Context(), cmd.ProcessID, &command.AttachOptions{Stdin: bytes.NewReader(make([]byte, 3<<20)), Stdout: &out})
		require.NoError(t, err)
		_, err = last.Wait()
		require.NoError(t, err)
		require.Equal(t, "3000000\n", out.String())
	})
}

// A command that was started without Stdin takes none, and is no worse for it.
func TestInputThatIsNotTaken(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		cmd := s.Command.Shell(t.Context(), "until [ -e /tmp/go ]; do sleep 0.02; done; cat; echo end; exit 3")
		cmd.Detach = true
		require.NoError(t, cmd.Start())
		var out bytes.Buffer
		typing, err := s.Command.Attach(t.Context(), cmd.ProcessID, &command.AttachOptions{Stdin: bytes.NewReader(make([]byte, 1<<20)), Stdout: &out})
		require.NoError(t, err)
		more, err := s.Command.Attach(t.Context(), cmd.ProcessID, &command.AttachOptions{Stdin: strings.NewReader("x")})
		require.NoError(t, err)
		time.Sleep(100 * time.Millisecond)
		_, err = s.Command.Run(t.Context(), "touch /tmp/go", nil)
		require.NoError(t, err)
		for _, cmd := range []*command.Cmd{cmd, typing, more} {
			exit, err := cmd.Wait()
			require.NoError(t, err)
			require.Equal(t, 3, exit.ExitCode)
		}
		require.Equal(t, "end\n", out.String())
	})
}

// What nobody stays with that is not detached ends.
func TestUndetachedEnds(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		cmd := s.Command.Shell(ctx, "sleep 100")
		require.NoError(t, cmd.Start())
		require.ErrorIs(t, cmd.Release(), apierr.FailedPrecondition.Err())
		watching, err := s.Command.Attach(t.Context(), cmd.ProcessID, nil)
		require.NoError(t, err)
		cancel()
		exit, err := watching.Wait()
		require.NoError(t, err)
		require.Equal(t, 9, exit.Signal)
		alone(t, s)
	})
}

// When the session ends its commands do, and say why.
func TestCmdOfASessionThatEnds(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		cmd := s.Command.Shell(t.Context(), "echo up; sleep 100")
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		_, err = io.ReadFull(out, make([]byte, 3))
		require.NoError(t, err)
		_, err = s.Delete(t.Context())
		require.NoError(t, err)
		_, err = out.Read(make([]byte, 1))
		require.ErrorIs(t, err, apierr.SessionNotFound.Err())
		_, err = cmd.Wait()
		require.ErrorIs(t, err, apierr.SessionNotFound.Err())
		for _, err := range []error{
			second(s.Command.List(t.Context())), second(cmd.Signal(t.Context(), "TERM")), second(cmd.Kill(t.Context())),
			second(s.Command.Attach(t.Context(), cmd.ProcessID, nil)), second(s.Command.Command(t.Context(), "true").Run()),
		} {
			require.ErrorIs(t, err, apierr.SessionNotFound.Err())
		}
	})
}

func second[T any](_ T, err error) error { return err }

// So many that run, and no more; of those that have ended the latest are known.
func TestProcessLimit(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		const limit = 64
		running := make([]*command.Cmd, limit)
		for i := range running {
			running[i] = s.Command.Command(t.Context(), "cat")
			_, err := running[i].StdinPipe()
			require.NoError(t, err)
			require.NoError(t, running[i].Start())
		}
		_, err := s.Command.Command(t.Context(), "true").Run()
		require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
		for _, cmd := range running[:2] {
			_, err = cmd.Kill(t.Context())
			require.NoError(t, err)
		}
		_, err = s.Command.Command(t.Context(), "true").Run()
		require.NoError(t, err)
		_, err = s.Command.Attach(t.Context(), running[0].ProcessID, nil)
		require.ErrorIs(t, err, apierr.NotFound.Err(), "the oldest that has ended")
		ended, err := s.Command.Attach(t.Context(), running[1].ProcessID, nil)
		require.NoError(t, err)
		_, err = ended.Wait()
		require.NoError(t, err)
		list, err := s.Command.List(t.Context())
		require.NoError(t, err)
		require.Len(t, list.Processes, limit)
	})
}
