package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCalls(t *testing.T) {
	t.Parallel()
	f := &fake{
		data: bytes.Repeat([]byte("0123456789"), 30_000),
		list: []FileInfo{{Path: "a\xff", Size: 1 << 40, Mode: fs.ModeDir | 0o755, ModTime: time.Unix(-5, 6), Target: "x"}, {Path: "b"}},
		diff: []Change{{Kind: Created, Path: "/a", Dir: true}, {Kind: Deleted, Path: "/b"}},
		self: Self{
			UID: 1000, GID: 1<<32 - 1, Capabilities: [5]uint64{1, 2, 3, 4, 1<<64 - 1}, NoNewPrivs: true, Seccomp: 2, Refused: true,
			Namespaces: [7]uint64{1, 2, 3, 4, 5, 6, 1<<64 - 1}, Landlock: true, LoopbackOnly: true, OpenFiles: selfLimit, Dumpable: true,
			Processes: 1<<64 - 1, DiskBytes: 1 << 40, DiskInodes: 7,
		},
	}
	for i := range 20_000 {
		f.paths = append(f.paths, fmt.Sprintf("/some/where/%d", i))
	}
	f.paths = f.paths[:SearchLimit]
	c := connect(t, f)
	ctx := t.Context()

	hello, err := c.Hello(ctx)
	require.NoError(t, err)
	require.Equal(t, Hello{Version, f.self}, hello)

	look, err := c.LookPath(ctx, "x", "y")
	require.NoError(t, err)
	require.Equal(t, "/bin/x", look)
	require.Equal(t, []any{[]string{"x", "y"}}, f.asked)

	info, err := c.Stat(ctx, "p", true)
	require.NoError(t, err)
	require.Equal(t, "p", info.Path, "as asked for")
	require.Equal(t, f.list[0].ModTime, info.ModTime)
	require.Equal(t, []any{"p", true}, f.asked)

	list, err := c.List(ctx, "p")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, f.list[0], list[0])

	var b bytes.Buffer
	n, err := c.Read(ctx, "p", 7, 0, &b)
	require.NoError(t, err)
	require.EqualValues(t, len(f.data), n)
	require.True(t, bytes.Equal(f.data, b.Bytes()))
	require.Equal(t, []any{"p", int64(7), int64(0)}, f.asked)

	sent := bytes.Repeat([]byte("x"), 1<<20)
	n, err = c.Write(ctx, "p", Append, 0o640, bytes.NewReader(sent))
	require.NoError(t, err)
	require.EqualValues(t, len(sent), n)
	require.True(t, bytes.Equal(sent, f.data))
	require.Equal(t, []any{"p", Append, fs.FileMode(0o640)}, f.asked)

	require.NoError(t, c.Mkdir(ctx, "p", fs.ModeDir|0o700))
	require.Equal(t, []any{"p", fs.FileMode(0o700)}, f.asked)
	require.NoError(t, c.Move(ctx, "p", "q"))
	require.Equal(t, []any{"p", "q"}, f.asked)
	require.NoError(t, c.Remove(ctx, "p"))

	q := SearchQuery{Dir: "d", Pattern: "*", Exclude: []string{"x", "y"}}
	found, err := c.Search(ctx, q)
	require.NoError(t, err)
	require.Equal(t, SearchResult{Paths: f.paths, Truncated: true}, found)
	require.Equal(t, []any{q}, f.asked)

	edits := []Edit{{"a", "b"}, {"c", ""}}
	got, err := c.Edit(ctx, "p", edits, true)
	require.NoError(t, err)
	require.True(t, bytes.Equal(f.data, got))
	require.Equal(t, []any{"p", edits, true}, f.asked)

	diff, err := c.Changes(ctx, "p")
	require.NoError(t, err)
	require.Equal(t, f.diff, diff)

	m, err := c.Metrics(ctx)
	require.NoError(t, err)
	require.Equal(t, Metrics{CPUCount: 3, CPUUsed: 1.5, MemTotal: 1, MemUsed: 2, DiskTotal: 3, DiskUsed: 4, Received: 5, Sent: 6, Time: time.Unix(7, 8)}, m)
	require.NoError(t, c.Err())
}

func TestRunTravels(t *testing.T) {
	t.Parallel()
	want := Exit{
		Code: 137, Signal: 9, TimedOut: true, Duration: time.Second, StdoutDropped: 1, StderrDropped: 2,
		CPU: 4, MaxRSS: 5,
	}
	f := &fake{run: func(_ context.Context, cmd Command) (Exit, error) {
		in, err := io.ReadAll(cmd.Stdin)
		if err != nil {
			return Exit{}, err
		}
		_, err = fmt.Fprintf(cmd.Stdout, "in: %s", in)
		_, err2 := cmd.Stderr.Write([]byte("err"))
		_, err3 := cmd.Control.Write([]byte("told"))
		return want, errors.Join(err, err2, err3)
	}}
	c := connect(t, f)
	var out, errOut, told bytes.Buffer
	exit, err := c.Run(t.Context(), Command{
		Args: []string{"a", "", "c"}, Dir: "d", Env: []string{"k=v"}, Timeout: time.Hour, Stdin: strings.NewReader("input"),
		Stdout: &out, Stderr: &errOut, Control: &told,
	})
	require.NoError(t, err)
	require.Equal(t, want, exit)
	require.Equal(t, "in: input", out.String())
	require.Equal(t, "err", errOut.String())
	require.Equal(t, "told", told.String())
	require.Equal(t, []any{[]string{"a", "", "c"}, "d", []string{"k=v"}, time.Hour, int64(OutputLimit), true}, f.asked)
}

func TestErrorsTravel(t *testing.T) {
	t.Parallel()
	f := &fake{}
	c := connect(t, f)
	for _, test := range []struct {
		err  error
		is   error
		kind Kind
	}{
		{&Error{Kind: NotExist, Errno: 2, Message: "m"}, fs.ErrNotExist, NotExist},
		{&Error{Kind: CommandNotFound, Message: "m"}, fs.ErrNotExist, CommandNotFound},
		{fmt.Errorf("wrapped: %w", &Error{Kind: NoSpace, Errno: uint32(syscall.ENOSPC), Message: "m"}), syscall.ENOSPC, NoSpace},
		{fs.ErrExist, fs.ErrExist, Exist},
		{fs.ErrPermission, fs.ErrPermission, Permission},
		{errors.ErrUnsupported, errors.ErrUnsupported, Unsupported},
		{fs.ErrInvalid, fs.ErrInvalid, Invalid},
		{&Error{Kind: Other, Message: strings.Repeat("x", 2*messageLimit)}, nil, Other},
	} {
		f.err = test.err
		err := c.Remove(t.Context(), "p")
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, test.kind, e.Kind)
		require.LessOrEqual(t, len(e.Message), messageLimit)
		if test.is != nil {
			require.ErrorIs(t, err, test.is)
		}
		require.NotErrorIs(t, err, syscall.EIO)
	}
	require.NoError(t, c.Err(), "none of this is the conversation's fault")
}

// Requests are checked before they are sent.
func TestLimitsOfRequests(t *testing.T) {
	t.Parallel()
	f := &fake{}
	c := connect(t, f)
	ctx := t.Context()
	long := strings.Repeat("x", PathLimit)
	require.NoError(t, c.Remove(ctx, long))
	for _, p := range []string{"", "a\x00", long + "x"} {
		require.Error(t, c.Remove(ctx, p))
		require.Error(t, c.Move(ctx, "p", p))
		_, err := c.LookPath(ctx, p)
		require.Error(t, err)
	}
	_, err := c.Run(ctx, Command{Args: []string{strings.Repeat("x", RequestLimit)}})
	require.Error(t, err)
	_, err = c.Run(ctx, Command{Args: []string{strings.Repeat("x", RequestLimit-100)}})
	require.NoError(t, err)
	_, err = c.Run(ctx, Command{Args: make([]string, argsLimit+1)})
	require.Error(t, err)
	_, err = c.Dial(ctx, "tcp", strings.Repeat("x", addressLimit+1))
	require.Error(t, err)
	_, err = c.Search(ctx, SearchQuery{Dir: "d", Exclude: make([]string, excludeLimit+1)})
	require.Error(t, err)
	require.NoError(t, c.Err())
}

func TestListen(t *testing.T) {
	f := &fake{}
	c := connect(t, f)
	l, err := c.Listen(t.Context(), "tcp", "localhost:80")
	require.NoError(t, err)
	require.Equal(t, []any{"tcp", "localhost:80"}, f.asked)
	require.Equal(t, "localhost:80", l.Address())
	for range 3 {
		conn, err := l.Accept(t.Context())
		require.NoError(t, err)
		_, err = conn.Write([]byte("hello"))
		require.NoError(t, err)
		got := make([]byte, 5)
		_, err = io.ReadFull(conn, got)
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
		require.NoError(t, conn.Close())
	}
	// So many at once, and no more.
	open := []*Listener{l}
	for len(open) < listenLimit {
		l, err := c.Listen(t.Context(), "tcp", "localhost:80")
		require.NoError(t, err)
		open = append(open, l)
	}
	_, err = c.Listen(t.Context(), "tcp", "localhost:80")
	var e *Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, Busy, e.Kind)
	for _, l := range open {
		require.NoError(t, l.Close())
	}
	for {
		conn, err := l.Accept(t.Context())
		if errors.As(err, &e) {
			require.Equal(t, Refused, e.Kind)
			break
		}
		require.NoError(t, err) // it has not noticed yet
		require.NoError(t, conn.Close())
	}
}

func TestDial(t *testing.T) {
	t.Parallel()
	f := &fake{}
	c := connect(t, f)
	conn, err := c.Dial(t.Context(), "tcp", "localhost:80")
	require.NoError(t, err)
	require.Equal(t, []any{"tcp", "localhost:80"}, f.asked)
	for range 3 {
		_, err = conn.Write([]byte("ping"))
		require.NoError(t, err)
		b := make([]byte, 4)
		_, err = io.ReadFull(conn, b)
		require.NoError(t, err)
		require.Equal(t, "ping", string(b))
	}
	require.NoError(t, conn.Close())
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, ErrClosed)
	require.Eventually(t, func() bool { return c.session.Len() == 0 }, time.Second, time.Millisecond)
}

// A context that ends gives every kind of call up, at once.
func TestCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		given := make(chan struct{})
		stuck := func(ctx context.Context) error {
			<-ctx.Done()
			close(given)
			return ctx.Err()
		}
		c := connect(t, &stuckHandler{stuck: stuck})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := c.List(ctx, "p")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(begin))
		<-given
		require.NoError(t, c.Err())
		_, err = c.List(ctx, "p")
		require.ErrorIs(t, err, context.DeadlineExceeded, "not even begun")
	})
}

type stuckHandler struct {
	fake
	stuck func(context.Context) error
}

func (h *stuckHandler) List(ctx context.Context, _ string) ([]FileInfo, error) {
	return nil, h.stuck(ctx)
}

// Run waits for the word that all is gone, and returns what is known.
func TestRunCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, &fake{run: func(ctx context.Context, cmd Command) (Exit, error) {
			_, err := cmd.Stdout.Write([]byte("before"))
			<-ctx.Done()
			time.Sleep(KillWait - time.Second)
			return Exit{Code: 137, Signal: 9, Duration: time.Hour}, err
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		var out bytes.Buffer
		exit, err := c.Run(ctx, Command{Args: []string{"x"}, Stdout: &out})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrUnresponsive)
		require.Equal(t, time.Minute+KillWait-time.Second, time.Since(begin))
		require.Equal(t, 137, exit.Code)
		require.Equal(t, "before", out.String())
	})
}

func TestRunIsNotConfirmed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, &fake{run: func(context.Context, Command) (Exit, error) {
			time.Sleep(time.Hour)
			return Exit{}, nil
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		begin := time.Now()
		_, err := c.Run(ctx, Command{Args: []string{"x"}})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, ErrUnresponsive)
		require.Equal(t, time.Minute+KillWait, time.Since(begin))

		// A guest that does not keep to the timeout.
		begin = time.Now()
		_, err = c.Run(t.Context(), Command{Args: []string{"x"}, Timeout: time.Second})
		require.ErrorIs(t, err, ErrUnresponsive)
		require.Equal(t, time.Second+KillWait, time.Since(begin))
		time.Sleep(2 * time.Hour)
	})
}

// A guest that reads nothing is given up after a while, with every call.
func TestGuestDoesNotRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		c := NewClient(a)
		begin := time.Now()
		errs := make(chan error)
		for range 10 {
			go func() { errs <- c.Remove(t.Context(), "p") }()
		}
		for range 10 {
			require.ErrorIs(t, <-errs, ErrStalled)
		}
		require.Less(t, time.Since(begin), 10*time.Second)
		<-c.Done()
		require.ErrorIs(t, c.Err(), ErrStalled)
		require.NoError(t, b.Close())
	})
}

func TestGuestDies(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	c := NewClient(a)
	go func() {
		_, _ = io.ReadFull(b, make([]byte, 10))
		_ = b.Close()
	}()
	_, err := c.Run(t.Context(), Command{Args: []string{"x"}})
	require.ErrorIs(t, err, ErrGone)
	require.ErrorIs(t, c.Err(), ErrGone)
	require.ErrorIs(t, c.Remove(t.Context(), "p"), ErrGone)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
}

func TestTooManyCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := connect(t, &stuckHandler{stuck: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }})
		const limit = 1024
		errs := make(chan error, limit)
		for range limit {
			go func() { _, err := c.List(ctx, "p"); errs <- err }()
		}
		synctest.Wait()
		_, err := c.List(ctx, "p")
		require.ErrorIs(t, err, ErrBusy)
		cancel()
		for range limit {
			require.ErrorIs(t, <-errs, context.Canceled)
		}
		synctest.Wait()
		require.NoError(t, c.Remove(t.Context(), "p"))
	})
}
