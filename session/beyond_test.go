package session_test

import (
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/session"
)

// telling returns a session of a service that can do all that is ours and gives
// each question that answer as its data.
func telling(t *testing.T, data string) *session.Session {
	t.Helper()
	m := httpmock.NewMockTransport()
	m.RegisterResponder(http.MethodGet, `=~/v1/capabilities$`, httpmock.NewStringResponder(200,
		`{"success":true,"data":{"version":1,"operations":["ExtendSession","PauseSession","ResumeSession","SessionUsage"]}}`))
	m.RegisterResponder(http.MethodPost, `=~/mcp/getSession$`, httpmock.NewStringResponder(200, `{"success":true,"data":{"sessionId":"s-1"}}`))
	m.RegisterNoResponder(httpmock.NewStringResponder(200, `{"requestId":"r-1","success":true,"data":`+data+`}`))
	c, err := agb.New(agb.WithAPIKey("akm-0123456789abcdef"), agb.WithTransport(m))
	require.NoError(t, err)
	got, err := c.Get(t.Context(), "s-1")
	require.NoError(t, err)
	return got.Session
}

func TestOddAnswers(t *testing.T) {
	ctx := t.Context()
	usage, err := telling(t, `{"cpuUs":9223372036854775807,"oomKills":-1}`).Usage(ctx)
	require.NoError(t, err)
	require.Equal(t, time.Duration(math.MaxInt64/1000*1000), usage.CPU)
	usage, err = telling(t, `{"cpuUs":-1}`).Usage(ctx)
	require.NoError(t, err)
	require.Zero(t, usage.CPU)
	require.Equal(t, "r-1", usage.RequestID)
	_, err = telling(t, `{"cpuUs":"much"}`).Usage(ctx)
	require.ErrorIs(t, err, apierr.MalformedResponse.Err())

	extended, err := telling(t, `{}`).Extend(ctx, time.Minute)
	require.NoError(t, err)
	require.Zero(t, extended.ExpiresAt)
	_, err = telling(t, `{"expiresAt":"soon"}`).Extend(ctx, time.Minute)
	require.ErrorIs(t, err, apierr.MalformedResponse.Err())

	info, err := telling(t, `{"sessionId":"s-1","limits":{"processes":9223372036854775807},"isolation":[{"name":"x"},{"name":"y","active":true}]}`).Info(ctx)
	require.NoError(t, err)
	require.Positive(t, info.Limits.Processes)
	require.False(t, info.Isolation.Active("x"))
	require.True(t, info.Isolation.Active("y"))
	require.False(t, info.Isolation.Active(""))
	_, err = telling(t, `{"sessionId":"s-1","isolation":[]}`).Isolation(ctx)
	require.ErrorIs(t, err, apierr.Unsupported.Err())
	_, err = telling(t, `{"isError":true,"errMsg":"Session not found"}`).Isolation(ctx)
	require.ErrorIs(t, err, apierr.SessionNotFound.Err())
}

func TestExtendIsChecked(t *testing.T) {
	for _, d := range []time.Duration{0, -1} {
		_, err := telling(t, `{}`).Extend(t.Context(), d)
		require.ErrorIs(t, err, apierr.InvalidArgument.Err())
	}
}

func TestCallsOnWhatHasEnded(t *testing.T) {
	c := agbtest.NewClient(t)
	created, err := c.Create(t.Context(), nil)
	require.NoError(t, err)
	s, ctx := created.Session, t.Context()
	_, err = s.Delete(ctx)
	require.NoError(t, err)
	for name, call := range map[string]func() error{
		"session.Extend":    func() error { _, err := s.Extend(ctx, time.Minute); return err },
		"session.Pause":     func() error { _, err := s.Pause(ctx); return err },
		"session.Resume":    func() error { _, err := s.Resume(ctx); return err },
		"session.Usage":     func() error { _, err := s.Usage(ctx); return err },
		"session.Isolation": func() error { _, err := s.Isolation(ctx); return err },
	} {
		err := call()
		require.ErrorIs(t, err, agb.ErrSessionNotFound, name)
		var e *agb.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, name, e.Op)
		require.Equal(t, s.ID, e.SessionID)
		require.NotEmpty(t, e.RequestID)
		require.Contains(t, e.Message, "deleted", "why it is gone")
	}
}

func TestLimitsOfATestsSession(t *testing.T) {
	s := agbtest.NewSession(t, agbtest.WithLimits(agb.Limits{OpenFiles: 99}))
	res, err := s.Command.Run(t.Context(), "ulimit -n", nil)
	require.NoError(t, err)
	require.Equal(t, "99\n", res.Stdout)
}
