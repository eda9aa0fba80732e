package session_test

import (
	"context"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/session"
)

func TestWaitFor(t *testing.T) {
	s := agbtest.NewSession(t)
	serve(t, s)
	var out session.Watcher
	cmd := s.Command.Shell(t.Context(), "sleep 0.2; echo listening; touch /tmp/there; sleep 100")
	cmd.Stdout = &out
	require.NoError(t, cmd.Start())
	for _, c := range []session.Condition{
		{},
		session.PortOpen(8001),
		session.HTTPAnswers(8005, "/x"),
		session.Prints(&out, "listening\n"),
		session.FileExists("/tmp/there"),
		session.Succeeds("test -e /tmp/there"),
		session.AllOf(),
		session.AnyOf(),
		session.AllOf(session.PortOpen(8001), session.FileExists("/tmp/there")),
		session.AnyOf(session.PortOpen(9), session.FileExists("/tmp/there")),
	} {
		r, err := s.WaitFor(t.Context(), c, nil)
		require.NoError(t, err, c)
		require.Positive(t, r.Looks)
	}
	_, err := cmd.Kill(t.Context())
	require.NoError(t, err)
	_, err = cmd.Wait()
	require.NoError(t, err)
}

func TestWaitForInVain(t *testing.T) {
	s := agbtest.NewSession(t)
	serve(t, s)
	_, err := s.Command.Run(t.Context(), "mkdir -p /tmp/shut/in; chmod 0 /tmp/shut", nil)
	require.NoError(t, err)
	wrong := session.FileExists("/a\x00b")
	short := &session.WaitOptions{Timeout: 500 * time.Millisecond, Interval: 10 * time.Millisecond}
	for _, row := range []struct {
		says  string
		cause error
		cond  session.Condition
	}{
		{"refused", apierr.Unavailable.Err(), session.PortOpen(9)},
		{"port 9", apierr.Unavailable.Err(), session.HTTPAnswers(9, "/")},
		{"the answer is 404", nil, session.HTTPAnswers(8005, "/none")},
		{"not found", fs.ErrNotExist, session.FileExists("/tmp/none")},
		{"permission", fs.ErrPermission, session.FileExists("/tmp/shut/in")},
		{"exit code 3: no", nil, session.Succeeds("echo no >&2; exit 3")},
		{"not printed", nil, session.Prints(&session.Watcher{}, "x")},
		{"file /tmp/a: ", fs.ErrNotExist, session.AllOf(session.FileExists("/tmp"), session.FileExists("/tmp/a"))},
		{"one of (port 9, file /", fs.ErrNotExist, session.AnyOf(session.PortOpen(9), session.FileExists("/b"))},
		{"file /b: ", fs.ErrNotExist, session.AnyOf(wrong, session.AllOf(session.FileExists("/b")))},
	} {
		_, err := s.WaitFor(t.Context(), row.cond, short)
		require.ErrorIs(t, err, context.DeadlineExceeded, row.cond)
		require.ErrorContains(t, err, row.says)
		if row.cause != nil {
			require.ErrorIs(t, err, row.cause, row.cond)
		}
		require.Equal(t, "session.WaitFor", apierr.From(err).Op)
	}

	// What can never hold is not waited for.
	for _, c := range []session.Condition{
		wrong,
		session.Prints(nil, "x"),
		session.AllOf(session.FileExists("/b"), wrong),
		session.AnyOf(wrong, session.AllOf(wrong, session.FileExists("/tmp"))),
	} {
		_, err := s.WaitFor(t.Context(), c, nil)
		require.ErrorIs(t, err, apierr.InvalidArgument.Err(), c)
	}

	// What was not allowed, or is only one of those that would do, may come true.
	cmd := s.Command.Shell(t.Context(), "sleep 0.2; chmod 700 /tmp/shut; touch /tmp/late")
	require.NoError(t, cmd.Start())
	for _, c := range []session.Condition{session.FileExists("/tmp/shut/in"), session.AnyOf(wrong, session.FileExists("/tmp/late"))} {
		_, err = s.WaitFor(t.Context(), c, nil)
		require.NoError(t, err)
	}
	_, err = cmd.Wait()
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = s.WaitFor(ctx, session.FileExists("/none"), nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.WaitFor(t.Context(), session.FileExists("/none"), &session.WaitOptions{Timeout: -1})
	require.ErrorIs(t, err, apierr.InvalidArgument.Err())
	_, err = s.Delete(t.Context())
	require.NoError(t, err)
	_, err = s.WaitFor(t.Context(), session.FileExists("/none"), nil)
	require.ErrorIs(t, err, apierr.SessionNotFound.Err(), "there is nothing to wait for")
}

// One condition that cannot be told of yet keeps no other waiting.
func TestWaitForOneOfTwo(t *testing.T) {
	s := agbtest.NewSession(t)
	serve(t, s)
	_, err := s.WaitFor(t.Context(), session.AnyOf(session.HTTPAnswers(8005, "/never"), session.FileExists("/tmp")), &session.WaitOptions{Timeout: 8 * time.Second})
	require.NoError(t, err)
}

// A watcher remembers so much and no more.
func TestWatcher(t *testing.T) {
	const limit = 64 << 10
	for size, holds := range map[int]bool{limit - 4: true, limit - 3: false} {
		s := agbtest.NewSession(t)
		var w session.Watcher
		_, _ = w.Write([]byte("text"))
		_, _ = w.Write([]byte(strings.Repeat("x", size/2)))
		_, _ = w.Write([]byte(strings.Repeat("x", size-size/2)))
		_, err := s.WaitFor(t.Context(), session.Prints(&w, "text"), &session.WaitOptions{Timeout: time.Millisecond})
		require.Equal(t, holds, err == nil)
	}
}
