package session_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/session"
)

// deleting returns a session whose deletion is accepted. Looks at it are
// answered with look, times times, and then with that it is gone.
func deleting(look httpmock.Responder, times int64) *session.Session {
	var looks atomic.Int64
	return answering(func(r *http.Request) (*http.Response, error) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/releaseSessionAsync"):
			return ok(`null`)(r)
		case looks.Add(1) <= times:
			return look(r)
		}
		return httpmock.NewStringResponse(400, `{"code":"InvalidMcpSession.NotFound"}`), nil
	})
}

// TestDeleteGoesOn: once the deletion is accepted, a look that fails says
// nothing, unless every other would fail as well.
func TestDeleteGoesOn(t *testing.T) {
	refuse := httpmock.NewStringResponder
	never := func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }
	for name, row := range map[string]struct {
		look httpmock.Responder
		want error
	}{
		"throttled":       {refuse(429, `{"code":"Throttling","message":"slow down"}`), nil},
		"internal":        {refuse(500, `{"code":"InternalError","message":"oops"}`), nil},
		"unavailable":     {refuse(503, ``), nil},
		"timeout":         {never, nil},
		"lost":            {httpmock.NewErrorResponder(http.ErrServerClosed), nil},
		"HTML with 200":   {refuse(200, `<html>Sign in</html>`), nil},
		"no status":       {ok(`{}`), nil},
		"still there":     {ok(`{"status":"DELETING"}`), nil},
		"unauthenticated": {refuse(401, `{"code":"Unauthorized","message":"key"}`), apierr.Unauthenticated.Err()},
		"forbidden":       {refuse(403, `{"code":"Forbidden","message":"not yours"}`), apierr.PermissionDenied.Err()},
		"invalid":         {refuse(400, `{"code":"InvalidParameter","message":"id"}`), apierr.InvalidArgument.Err()},
		"gateway":         {refuse(404, `{"message":"no Route matched with those values"}`), apierr.Unsupported.Err()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := deleting(row.look, 3).Delete(t.Context())
				require.ErrorIs(t, err, row.want)
				if row.want != nil {
					return
				}
				start := time.Now()
				_, err = deleting(row.look, 1<<20).Delete(t.Context())
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, session.DeleteTimeout, time.Since(start))

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err = deleting(row.look, 1<<20).Delete(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}

// TestDeleteAtGateway: that there is no such address does not mean that there
// is no such session.
func TestDeleteAtGateway(t *testing.T) {
	for _, answer := range []httpmock.Responder{
		httpmock.NewStringResponder(404, `{"message":"no Route matched with those values"}`),
		httpmock.NewStringResponder(404, `{"detail":"Not Found"}`),
		httpmock.NewStringResponder(404, `{"timestamp":"2026-01-02T03:04:05Z","status":404,"error":"Not Found","path":"/mcp/releaseSessionAsync"}`),
		httpmock.NewStringResponder(405, `{"message":"Method Not Allowed"}`),
		httpmock.NewStringResponder(404, `<html>not found</html>`),
	} {
		res, err := answering(answer).Delete(t.Context())
		require.ErrorIs(t, err, apierr.Unsupported.Err())
		require.Nil(t, res)
	}
	_, err := answering(httpmock.NewStringResponder(404, `{"code":"NotFound","message":"no such thing"}`)).Delete(t.Context())
	require.ErrorIs(t, err, apierr.NotFound.Err())
	_, err = answering(httpmock.NewStringResponder(404, `{"code":"NotFound","message":"session s-1 is gone"}`)).Delete(t.Context())
	require.NoError(t, err)
}
