package transport_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

func TestStatusesAndRetries(t *testing.T) {
	for _, row := range []struct {
		status             int
		repeatable, unsafe int // attempts
		code               apierr.Code
	}{
		{400, 1, 1, apierr.InvalidArgument},
		{401, 1, 1, apierr.Unauthenticated},
		{403, 1, 1, apierr.PermissionDenied},
		{404, 1, 1, apierr.Unsupported},
		{405, 1, 1, apierr.Unsupported},
		{408, 3, 1, apierr.Unknown},
		{409, 1, 1, apierr.AlreadyExists},
		{425, 3, 1, apierr.Unknown},
		{429, 3, 3, apierr.ResourceExhausted},
		{500, 3, 1, apierr.Internal},
		{501, 1, 1, apierr.Unsupported},
		{502, 3, 1, apierr.Unavailable},
		{503, 3, 3, apierr.Unavailable},
		{504, 3, 1, apierr.DeadlineExceeded},
	} {
		t.Run(fmt.Sprint(row.status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := mock(httpmock.NewStringResponder(row.status, "<html>gateway</html>"))
				c := newClient(m, nil)
				_, err := get(t.Context(), c)
				require.ErrorIs(t, err, row.code.Err())
				require.Equal(t, row.status, asError(t, err).HTTPStatus)
				require.Equal(t, row.repeatable, m.GetTotalCallCount())

				m.ZeroCallCounters()
				_, err = create(t.Context(), c)
				require.ErrorIs(t, err, row.code.Err())
				require.Equal(t, row.unsafe, m.GetTotalCallCount())
				if row.status == 502 || row.status == 504 {
					require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
				}
			})
		})
	}
}

func TestSucceedsAfterFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mock(httpmock.NewStringResponder(500, "").
			Then(httpmock.NewStringResponder(502, "")).
			Then(httpmock.NewStringResponder(200, okBody)))
		start := time.Now()
		meta, err := get(t.Context(), newClient(m, nil))
		require.NoError(t, err)
		require.Equal(t, "r-1", meta.RequestID)
		require.LessOrEqual(t, time.Since(start), 150*time.Millisecond)
	})
}

func TestAttemptsAreConfigured(t *testing.T) {
	m := mock(httpmock.NewStringResponder(503, ""))
	_, err := get(t.Context(), newClient(m, func(cfg *transport.Config) { cfg.Attempts = 1 }))
	require.ErrorIs(t, err, apierr.Unavailable.Err())
	require.Equal(t, 1, m.GetTotalCallCount())
}

// TestIDs checks that the attempts of a call share a request id and another
// idempotency key, and that calls do not.
func TestIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var requests, keys []string
		m := mock(func(r *http.Request) (*http.Response, error) {
			requests = append(requests, r.Header.Get(wire.HeaderRequestID))
			for name, values := range r.Header {
				if strings.EqualFold(name, wire.HeaderIdempotencyKey) {
					keys = append(keys, values...)
				}
			}
			require.Equal(t, []string{"Bearer " + apiKey}, r.Header["Authorization"])
			return httpmock.NewStringResponse(503, ""), nil
		})
		c := newClient(m, nil)
		for _, perform := range []func(context.Context, *transport.Client) (transport.Meta, error){get, create} {
			requests, keys = nil, nil
			meta, err := perform(t.Context(), c)
			require.Error(t, err)
			require.Len(t, requests, 3)
			require.Len(t, keys, 3)
			for i := range 3 {
				require.Equal(t, meta.RequestID, requests[i])
				require.Equal(t, keys[0], keys[i])
			}
			require.NotEqual(t, requests[0], keys[0])
			first := requests[0]
			_, err = perform(t.Context(), c)
			require.Error(t, err)
			require.NotEqual(t, first, requests[3])
			require.NotEqual(t, keys[0], keys[3])
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, row := range []struct {
			status   int
			header   string
			min, max time.Duration // of the wait
			asked    time.Duration // in the error
		}{
			{429, "1", time.Second, time.Second, time.Second},
			{503, "1", time.Second, time.Second, time.Second},
			{503, "3600", 5 * time.Second, 5050 * time.Millisecond, time.Hour},
			{429, "3600", 5 * time.Second, 6 * time.Second, time.Hour},
			{503, "9223372037", 5 * time.Second, 5050 * time.Millisecond, 365 * 24 * time.Hour},
			{503, "99999999999999999999999", 0, 50 * time.Millisecond, 0},
			{503, "0", 0, 50 * time.Millisecond, 0},
			{503, "-1", 0, 50 * time.Millisecond, 0},
			{503, "5.5", 0, 50 * time.Millisecond, 0},
			{503, "+5", 0, 50 * time.Millisecond, 0},
			{503, "5 s", 0, 50 * time.Millisecond, 0},
			{503, "soon", 0, 50 * time.Millisecond, 0},
			{503, "Fri, 31 Dec 1999 23:59:59 GMT", 0, 50 * time.Millisecond, 0},
			{503, "Fri, 31 Dec 2099 23:59:59 GMT", 5 * time.Second, 5050 * time.Millisecond, 365 * 24 * time.Hour},
		} {
			resp := httpmock.NewStringResponder(row.status, "").HeaderSet(http.Header{"Retry-After": {row.header}})
			m := mock(resp)
			start := time.Now()
			_, err := create(t.Context(), newClient(m, func(cfg *transport.Config) { cfg.Attempts = 2 }))
			require.Equal(t, 2, m.GetTotalCallCount())
			require.GreaterOrEqual(t, time.Since(start), row.min, row.header)
			require.LessOrEqual(t, time.Since(start), row.max, row.header)
			require.Equal(t, row.asked, asError(t, err).RetryAfter, row.header)
		}
	})
}

func TestRetryAfterDate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock starts at midnight
		m := mock(httpmock.NewStringResponder(503, "").HeaderSet(http.Header{"Retry-After": {"Sat, 01 Jan 2000 00:00:02 GMT"}}))
		start := time.Now()
		_, err := create(t.Context(), newClient(m, func(cfg *transport.Config) { cfg.Attempts = 2 }))
		require.ErrorIs(t, err, apierr.Unavailable.Err())
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestNoWaitBeyondDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mock(httpmock.NewStringResponder(429, "").HeaderSet(http.Header{"Retry-After": {"1"}}))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := get(ctx, newClient(m, nil))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
		e := asError(t, err)
		require.Equal(t, 429, e.HTTPStatus)
		require.Equal(t, time.Second, e.RetryAfter)
		require.Zero(t, time.Since(start))
		require.Equal(t, 1, m.GetTotalCallCount())
	})
}

func TestCancelWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mock(httpmock.NewStringResponder(429, "").HeaderSet(http.Header{"Retry-After": {"4"}}))
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(2*time.Second, func() { cancel(errBroken) })
		start := time.Now()
		_, err := create(ctx, newClient(m, nil))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, errBroken)
		require.Equal(t, 2*time.Second, time.Since(start))
	})
}

func TestEndedContextSendsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := mock(httpmock.NewStringResponder(200, okBody))
	_, err := create(ctx, newClient(m, nil))
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, apierr.UnknownOutcome.Err())
	require.Zero(t, m.GetTotalCallCount())
}

// TestBudget: a long outage under a thousand calls costs hardly more requests
// than calls.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mock(httpmock.NewStringResponder(503, ""))
		c := newClient(m, nil)
		var wg sync.WaitGroup
		for range 1000 {
			wg.Go(func() { _, _ = get(t.Context(), c) })
		}
		wg.Wait()
		require.LessOrEqual(t, m.GetTotalCallCount(), 1000+500/14)
		require.Greater(t, m.GetTotalCallCount(), 1000)

		// Successes fill it again, a token each.
		m.RegisterNoResponder(httpmock.NewStringResponder(200, okBody))
		for range 28 {
			_, err := get(t.Context(), c)
			require.NoError(t, err)
		}
		m.ZeroCallCounters()
		m.RegisterNoResponder(httpmock.NewStringResponder(503, ""))
		_, err := get(t.Context(), c)
		require.Error(t, err)
		require.Equal(t, 3, m.GetTotalCallCount())
	})
}

func TestIsolationUnavailableIsFinal(t *testing.T) {
	m := mock(httpmock.NewStringResponder(503,
		`{"requestId":"r-9","success":false,"code":"IsolationUnavailable","message":"no user namespaces","hint":"sysctl"}`))
	_, err := create(t.Context(), newClient(m, nil))
	require.ErrorIs(t, err, apierr.IsolationUnavailable.Err())
	require.Equal(t, "sysctl", asError(t, err).Hint)
	require.Equal(t, 1, m.GetTotalCallCount())
}

// TestNeverSent: what no server can have seen is sent again, whatever it is.
func TestNeverSent(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	synctest.Test(t, func(t *testing.T) {
		n := 0
		rt := roundTrip(func(r *http.Request) (*http.Response, error) {
			if n++; n < 3 {
				return nil, refused
			}
			_, _ = io.Copy(io.Discard, r.Body)
			return httpmock.NewStringResponse(200, okBody), nil
		})
		_, err := create(t.Context(), newClient(rt, nil))
		require.NoError(t, err)
		require.Equal(t, 3, n)

		n = -10
		_, err = create(t.Context(), newClient(rt, nil))
		require.ErrorIs(t, err, apierr.Unavailable.Err())
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.NotErrorIs(t, err, apierr.UnknownOutcome.Err())
	})
}

func TestUnknownHostIsFinal(t *testing.T) {
	n := 0
	rt := roundTrip(func(*http.Request) (*http.Response, error) {
		n++
		return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
	})
	_, err := get(t.Context(), newClient(rt, nil))
	require.ErrorIs(t, err, apierr.Unavailable.Err())
	require.Equal(t, 1, n)
}

// TestAnswerLost: what a server may have done is done again only if that is as
// good as once.
func TestAnswerLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		rt := roundTrip(func(r *http.Request) (*http.Response, error) {
			n++
			_, _ = io.Copy(io.Discard, r.Body)
			return nil, errBroken
		})
		c := newClient(rt, nil)
		_, err := create(t.Context(), c)
		require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
		require.ErrorIs(t, err, errBroken)
		require.Equal(t, 1, n)

		n = 0
		_, err = get(t.Context(), c)
		require.ErrorIs(t, err, apierr.Unavailable.Err())
		require.Equal(t, 3, n)
	})
}

// TestTransportOwnError: a transport may speak the SDK's own errors, as the
// embedded engine's does.
func TestTransportOwnError(t *testing.T) {
	closed := apierr.Errorf(apierr.FailedPrecondition, "engine: closed")
	n := 0
	rt := roundTrip(func(*http.Request) (*http.Response, error) { n++; return nil, closed })
	_, err := get(t.Context(), newClient(rt, nil))
	require.ErrorIs(t, err, apierr.FailedPrecondition.Err())
	require.NotEmpty(t, asError(t, err).RequestID)
	require.Empty(t, closed.RequestID, "somebody else's error was changed")
	require.Equal(t, 1, n)
}

func TestRequestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		rt := roundTrip(func(r *http.Request) (*http.Response, error) {
			n++
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		c := newClient(rt, nil)
		start := time.Now()
		_, err := get(t.Context(), c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Contains(t, asError(t, err).Message, "request timeout")
		require.Equal(t, 3, n)
		require.GreaterOrEqual(t, time.Since(start), 3*time.Minute)

		start = time.Now()
		_, _, err = transport.Call(t.Context(), c, "s-1", wire.Shell, wire.ShellArgs{}, time.Hour)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
		require.Equal(t, 61*time.Minute, time.Since(start))

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = get(ctx, c)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Contains(t, asError(t, err).Message, "context")
	})
}
