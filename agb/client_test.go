package agb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/session"
)

func TestCreateTravels(t *testing.T) {
	var body map[string]any
	c := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		require.Equal(t, "POST", r.Method)
		require.Equal(t, "agb-code-space-1", r.URL.Query().Get("imageId"))
		require.JSONEq(t, `{"source":"sdk","sdk_language":"golang","sdk_version":"`+agb.Version+`","is_release":false}`, r.URL.Query().Get("sdkStats"))
		require.NoError(t, json.NewDecoder(r.Body).Decode(&body))
		return httpmock.NewStringResponse(200, created), nil
	}))
	res, err := c.Create(t.Context(), &agb.CreateParams{
		ImageID: "agb-code-space-1", Labels: map[string]string{"a": "b"}, PolicyID: "pol-1", IdleTimeout: 1001 * time.Millisecond,
	})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"labels": `{"a":"b"}`, "mcpPolicyId": "pol-1", "timeout": 2.0}, body)
	require.Equal(t, "s-1", res.Session.ID)
	require.Equal(t, "agb-code-space-1", res.Session.ImageID)
	require.Equal(t, "https://x/?resourceId=1", res.Session.ResourceURL)
	require.Equal(t, "r-c", res.RequestID)
}

func TestCreateIsChecked(t *testing.T) {
	svc := newService(nil)
	for name, p := range map[string]*agb.CreateParams{
		"nil":           nil,
		"no image":      {},
		"blank image":   {ImageID: " "},
		"blank key":     {ImageID: "i", Labels: map[string]string{" ": "x"}},
		"blank value":   {ImageID: "i", Labels: map[string]string{"x": ""}},
		"negative idle": {ImageID: "i", IdleTimeout: -1},
	} {
		_, err := newClient(t, svc).Create(t.Context(), p)
		require.ErrorIs(t, err, agb.ErrInvalidArgument, name)
	}
	require.Empty(t, svc.paths())
}

func TestCreateAnswers(t *testing.T) {
	for answer, want := range map[string]error{
		`{"success":true,"data":{"success":false,"errMsg":"quota","sessionId":"s-1"}}`:    nil,
		`{"success":false,"data":{"sessionId":"s-1","success":true}}`:                     nil,
		`{"success":true,"httpStatusCode":500,"data":{"sessionId":"s-1","success":true}}`: nil,
		`{"success":true,"data":{}}`:                                                               agb.ErrMalformedResponse,
		`{"success":true,"data":{"sessionId":"../admin"}}`:                                         agb.ErrMalformedResponse,
		`{"success":true,"data":{"sessionId":"a b"}}`:                                              agb.ErrMalformedResponse,
		`{"success":true,"data":{"sessionId":"` + strings.Repeat("x", 129) + `"}}`:                 agb.ErrMalformedResponse,
		`{"success":false,"code":"x","message":"image i not found","httpStatusCode":400}`:          agb.ErrInvalidArgument,
		`{"success":false,"code":"Unauthorized","message":"no such key","httpStatusCode":401}`:     agb.ErrUnauthenticated,
		`{"requestId":"r","success":true,"data":{"sessionId":"` + strings.Repeat("x", 128) + `"}}`: errNone,
	} {
		c, err := agb.New(agb.WithAPIKey(testKey), agb.WithRetry(1), agb.WithTransport(newService(map[string][]string{pathCreate: {answer}})))
		require.NoError(t, err)
		res, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "i"})
		if errors.Is(want, errNone) {
			require.NoError(t, err)
			continue
		}
		require.Error(t, err, answer)
		require.Nil(t, res)
		if want != nil {
			require.ErrorIs(t, err, want, answer)
		}
	}
}

var errNone = errors.New("no error")

func TestGet(t *testing.T) {
	for answer, want := range map[string]error{
		`{"success":true,"data":{"sessionId":"s-1","status":"RUNNING","resourceUrl":"u"}}`: errNone,
		`{"success":true,"data":{"status":"RUNNING"}}`:                                     errNone,
		`{"success":true,"data":{"sessionId":"s-2"}}`:                                      agb.ErrMalformedResponse,
		`{"success":true,"data":{"sessionId":"s-1","status":"FINISH"}}`:                    agb.ErrSessionNotFound,
		gone: agb.ErrSessionNotFound,
	} {
		res, err := newClient(t, newService(map[string][]string{pathGet: {answer}})).Get(t.Context(), "s-1")
		if errors.Is(want, errNone) {
			require.NoError(t, err)
			require.Equal(t, "s-1", res.Session.ID)
			require.Equal(t, "RUNNING", res.Status)
		} else {
			require.ErrorIs(t, err, want)
		}
	}
	svc := newService(nil)
	for _, id := range []string{"", "a/b", "a?b", "../x", "é", strings.Repeat("x", 129)} {
		_, err := newClient(t, svc).Get(t.Context(), id)
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
		_, err = newClient(t, svc).Delete(t.Context(), id)
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
	require.Empty(t, svc.paths())
}

func TestDeletePolls(t *testing.T) {
	for name, end := range map[string]string{
		"not found": gone,
		"finished":  `{"success":true,"data":{"status":"FINISH"}}`,
		"deleted":   `{"success":true,"data":{"status":"DELETED"}}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			svc := newService(map[string][]string{
				pathRelease: {done},
				pathStatus:  {running, `{"success":true,"data":{"status":"DELETING"}}`, `{"success":false,"code":"ServiceUnavailable","httpStatusCode":400}`, end},
			})
			start := time.Now()
			res, err := newClient(t, svc).Delete(t.Context(), "s-1")
			require.NoError(t, err, name)
			require.Equal(t, "r-d", res.RequestID)
			require.Equal(t, []string{pathRelease, pathStatus, pathStatus, pathStatus, pathStatus}, svc.paths())
			require.Equal(t, 70*time.Millisecond, time.Since(start))
		})
	}
}

func TestDeleteWhatIsGone(t *testing.T) {
	svc := newService(map[string][]string{pathRelease: {gone}})
	_, err := newClient(t, svc).Delete(t.Context(), "s-1")
	require.NoError(t, err)
	require.Equal(t, []string{pathRelease}, svc.paths())
}

func TestDeleteEnds(t *testing.T) {
	svc := func() *service { return newService(map[string][]string{pathRelease: {done}, pathStatus: {running}}) }
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := newClient(t, svc()).Delete(t.Context(), "s-1")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "still be there")
		require.Equal(t, session.DeleteTimeout, time.Since(start))

		start = time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(90*time.Millisecond, cancel)
		_, err = newClient(t, svc()).Delete(ctx, "s-1")
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 90*time.Millisecond, time.Since(start))
	})
	_, err := newClient(t, newService(map[string][]string{
		pathRelease: {`{"success":false,"code":"Forbidden","message":"not yours","httpStatusCode":403}`},
	})).Delete(t.Context(), "s-1")
	require.ErrorIs(t, err, agb.ErrPermissionDenied)
	_, err = newClient(t, newService(map[string][]string{
		pathRelease: {done}, pathStatus: {`{"success":false,"code":"Forbidden","message":"not yours","httpStatusCode":403}`},
	})).Delete(t.Context(), "s-1")
	require.ErrorIs(t, err, agb.ErrPermissionDenied)
}

// TestDeleteAnswerLost: the second request finds nothing, which is success.
func TestDeleteAnswerLost(t *testing.T) {
	n := 0
	_, err := newClient(t, roundTrip(func(r *http.Request) (*http.Response, error) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n++; n == 1 {
			return nil, io.ErrUnexpectedEOF
		}
		return httpmock.NewStringResponse(400, gone), nil
	})).Delete(t.Context(), "s-1")
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

func TestWithSession(t *testing.T) {
	params := &agb.CreateParams{ImageID: "i"}
	newSvc := func() *service {
		return newService(map[string][]string{pathCreate: {created}, pathRelease: {done}, pathStatus: {gone}})
	}
	all := []string{pathCreate, pathRelease, pathStatus}
	failed := errors.New("failed")

	svc := newSvc()
	require.NoError(t, newClient(t, svc).WithSession(t.Context(), params, func(_ context.Context, s *agb.Session) error {
		require.Equal(t, "s-1", s.ID)
		return nil
	}))
	require.Equal(t, all, svc.paths())

	svc = newSvc()
	ctx, cancel := context.WithCancel(t.Context())
	err := newClient(t, svc).WithSession(ctx, params, func(context.Context, *agb.Session) error { cancel(); return failed })
	require.ErrorIs(t, err, failed)
	require.Equal(t, all, svc.paths(), "not deleted after ctx had ended")

	svc = newSvc()
	require.PanicsWithValue(t, "boom", func() {
		_ = newClient(t, svc).WithSession(t.Context(), params, func(context.Context, *agb.Session) error { panic("boom") })
	})
	require.Equal(t, all, svc.paths())

	svc = newSvc()
	over := make(chan struct{})
	c, ctx := newClient(t, svc), t.Context()
	go func() {
		defer close(over)
		_ = c.WithSession(ctx, params, func(context.Context, *agb.Session) error { runtime.Goexit(); return nil })
	}()
	<-over
	require.Equal(t, all, svc.paths())

	svc = newSvc()
	svc.answers[pathRelease] = []string{`{"success":false,"code":"Forbidden","message":"no","httpStatusCode":403}`}
	err = newClient(t, svc).WithSession(t.Context(), params, func(context.Context, *agb.Session) error { return failed })
	require.ErrorIs(t, err, failed)
	require.ErrorIs(t, err, agb.ErrPermissionDenied)

	called := false
	err = newClient(t, newService(nil)).WithSession(t.Context(), nil, func(context.Context, *agb.Session) error { called = true; return nil })
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
	require.False(t, called)
}

// TestWithSessionGivesUp: the deletion has a bound of its own.
func TestWithSessionGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := newService(map[string][]string{pathCreate: {created}, pathRelease: {done}, pathStatus: {running}})
		start := time.Now()
		err := newClient(t, svc).WithSession(t.Context(), &agb.CreateParams{ImageID: "i"}, func(context.Context, *agb.Session) error { return nil })
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestOptionsAreCopied(t *testing.T) {
	labels := map[string]string{"a": "1"}
	p := &agb.ListParams{Labels: labels}
	svc := newService(map[string][]string{pathList: {`{"success":true,"data":[]}`}})
	all := newClient(t, svc).All(t.Context(), p)
	labels["a"], p.Limit = "2", 99
	for s, err := range all {
		require.NoError(t, err)
		t.Fatal("there are no sessions", s)
	}
	require.JSONEq(t, `{"a":"1"}`, svc.asked[0].URL.Query().Get("labels"))
	require.Equal(t, fmt.Sprint(agb.DefaultLimit), svc.asked[0].URL.Query().Get("maxResults"))
}
