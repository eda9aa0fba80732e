package session_test

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/session"
)

func TestLabels(t *testing.T) {
	s := agbtest.NewSession(t, agbtest.WithLabels(map[string]string{"a": "1", "b": "2"}))
	got, err := s.GetLabels(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1", "b": "2"}, got.Labels)

	set, err := s.SetLabels(t.Context(), map[string]string{"c": "ü & <3>", "d e": "f=g,h"})
	require.NoError(t, err)
	require.NotEmpty(t, set.RequestID)
	got, err = s.GetLabels(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]string{"c": "ü & <3>", "d e": "f=g,h"}, got.Labels, "all labels are replaced")

	for _, bad := range []map[string]string{nil, {}, {"": "x"}, {"x": " "}} {
		_, err := s.SetLabels(t.Context(), bad)
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
	_, err = s.SetLabels(t.Context(), map[string]string{"agb/mine": "x"})
	require.ErrorIs(t, err, agb.ErrInvalidArgument, "the engine's own bounds")
}

func TestEngineTells(t *testing.T) {
	s := agbtest.NewSession(t)
	ctx := t.Context()
	info, err := s.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, s.ID, info.SessionID)
	require.Contains(t, info.ResourceURL, "resourceId=")
	require.NotEmpty(t, info.RequestID)

	alive, err := s.KeepAlive(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, alive.RequestID)

	m, err := s.Metrics(ctx)
	require.NoError(t, err)
	require.Positive(t, m.CPUCount)
	require.Positive(t, m.MemoryTotal)
	require.NotEmpty(t, m.Timestamp)

	tools, err := s.Tools(ctx, nil)
	require.NoError(t, err)
	names := map[string]bool{}
	for _, tool := range tools.Tools {
		names[tool.Name] = true
		require.NotEmpty(t, tool.Description)
	}
	require.True(t, names[wire.Shell.Name])
	require.True(t, names[wire.RunCode.Name])
}

func TestCallTool(t *testing.T) {
	s := agbtest.NewSession(t)
	res, err := s.CallTool(t.Context(), "shell", map[string]any{"command": "echo hi", "timeout_ms": 5000}, nil)
	require.NoError(t, err)
	require.Contains(t, res.Text, `hi\n`)
	require.Equal(t, "text", res.Content[0].Type)
	require.NotEmpty(t, res.RequestID)

	res, err = s.CallTool(t.Context(), "list_directory", map[string]string{"path": "/"}, nil)
	require.NoError(t, err)
	require.NotEmpty(t, res.Structured)

	res, err = s.CallTool(t.Context(), "no_such_tool", nil, nil)
	require.ErrorIs(t, err, agb.ErrUnsupported)
	require.NotNil(t, res)
	require.NotEmpty(t, res.Text)

	for _, bad := range []any{1, "text", []int{1}, func() {}} {
		_, err = s.CallTool(t.Context(), "shell", bad, nil)
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
	_, err = s.CallTool(t.Context(), "", nil, nil)
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
}

func TestEverythingFailsWhenGone(t *testing.T) {
	s := agbtest.NewSession(t)
	ctx := t.Context()
	_, err := s.Delete(ctx)
	require.NoError(t, err)
	for name, call := range map[string]func() error{
		"SetLabels": func() error { _, err := s.SetLabels(ctx, map[string]string{"a": "b"}); return err },
		"GetLabels": func() error { _, err := s.GetLabels(ctx); return err },
		"Info":      func() error { _, err := s.Info(ctx); return err },
		"KeepAlive": func() error { _, err := s.KeepAlive(ctx); return err },
		"Metrics":   func() error { _, err := s.Metrics(ctx); return err },
		"CallTool":  func() error { _, err := s.CallTool(ctx, "shell", nil, nil); return err },
	} {
		err := call()
		require.ErrorIs(t, err, agb.ErrSessionNotFound, name)
		var e *agb.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, s.ID, e.SessionID)
		require.Equal(t, "session."+name, e.Op)
		require.NotEmpty(t, e.RequestID)
	}
	status, err := s.Status(ctx)
	require.NoError(t, err)
	require.Equal(t, session.Gone, status.State)
}

// TestInfoTellsClocks: keeping alive moves the idle release, looking does not.
func TestInfoTellsClocks(t *testing.T) {
	c := agbtest.NewClient(t)
	created, err := c.Create(t.Context(), &agb.CreateParams{IdleTimeout: 90 * time.Second})
	require.NoError(t, err)
	s := created.Session
	first, err := s.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, 90*time.Second, first.IdleTimeout)
	require.Equal(t, "host", first.ImageID)
	require.NotEmpty(t, first.Runtime)
	require.WithinDuration(t, time.Now().Add(90*time.Second), first.IdleExpiresAt, 30*time.Second)
	again, err := s.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, first.IdleExpiresAt, again.IdleExpiresAt)
	require.Equal(t, first.ExpiresAt, again.ExpiresAt)
	require.Eventually(t, func() bool {
		_, err := s.KeepAlive(t.Context())
		if err != nil {
			return false
		}
		kept, err := s.Info(t.Context())
		return err == nil && kept.IdleExpiresAt.After(first.IdleExpiresAt)
	}, 10*time.Second, 10*time.Millisecond)
}

// TestIdleRelease: an idle session goes, and looking does not keep it. One that
// is connected to is not idle.
func TestIdleRelease(t *testing.T) {
	const idle = 2 * time.Second
	c := agbtest.NewClient(t)
	created, err := c.Create(t.Context(), &agb.CreateParams{IdleTimeout: idle})
	require.NoError(t, err)
	s := created.Session
	gone := func() bool {
		status, err := s.Status(t.Context())
		return err == nil && status.State == session.Gone
	}
	l, err := s.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	conn, err := s.Dial(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	accepted, err := l.Accept()
	require.NoError(t, err)
	require.NoError(t, l.Close())
	_, err = s.Pause(t.Context())
	require.Error(t, err)
	require.Never(t, gone, 3*idle, 50*time.Millisecond)
	require.NoError(t, conn.Close())
	require.NoError(t, accepted.Close())
	require.Eventually(t, gone, 20*time.Second, 50*time.Millisecond)
}

// answering returns a session of a service that answers so.
func answering(r httpmock.Responder) *session.Session {
	m := httpmock.NewMockTransport()
	m.RegisterNoResponder(r)
	return session.New(transport.New(transport.Config{
		BaseURL: "http://agb.test", Transport: m, Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute, Attempts: 1,
	}), "s-1", "img", "")
}

func ok(data string) httpmock.Responder {
	return httpmock.NewStringResponder(200, `{"requestId":"r-1","success":true,"data":`+data+`}`)
}

func TestStatus(t *testing.T) {
	for _, row := range []struct {
		answer httpmock.Responder
		state  session.State
		status string
		fails  bool
	}{
		{ok(`{"status":"RUNNING"}`), session.Present, "RUNNING", false},
		{ok(`{"status":"DELETING"}`), session.Present, "DELETING", false},
		{ok(`{"status":"SOMETHING_NEW"}`), session.Present, "SOMETHING_NEW", false},
		{ok(`{"status":"FINISH"}`), session.Gone, "FINISH", false},
		{ok(`{"status":"DELETED"}`), session.Gone, "DELETED", false},
		{httpmock.NewStringResponder(400, `{"code":"InvalidMcpSession.NotFound"}`), session.Gone, "", false},
		{httpmock.NewStringResponder(200, `{"success":false,"message":"Session s-1 Not Found"}`), session.Gone, "", false},
		{httpmock.NewStringResponder(502, `<html>`), session.Unknown, "", true},
		{httpmock.NewStringResponder(404, `<html>not found</html>`), session.Unknown, "", true},
		{httpmock.NewStringResponder(401, `{"code":"Unauthorized"}`), session.Unknown, "", true},
		// Gateways say "not found" too, of the address.
		{httpmock.NewStringResponder(404, `{"message":"no Route matched with those values"}`), session.Unknown, "", true},
		{httpmock.NewStringResponder(404, `{"detail":"Not Found"}`), session.Unknown, "", true},
		{httpmock.NewStringResponder(404, `{"timestamp":"2026-01-02T03:04:05Z","status":404,"error":"Not Found","path":"/mcp/getSessionInfo"}`), session.Unknown, "", true},
		{httpmock.NewStringResponder(405, `{"message":"Method Not Allowed"}`), session.Unknown, "", true},
		{httpmock.NewStringResponder(404, `{"code":"NotFound","message":"No static resource mcp/getSessionInfo."}`), session.Unknown, "", true},
		{httpmock.NewStringResponder(404, `{"RequestId":"r","Code":"InvalidAction.NotFound","Message":"Specified api is not found"}`), session.Unknown, "", true},
		{httpmock.NewStringResponder(400, `{"success":false,"message":"route not found"}`), session.Unknown, "", true},
		{httpmock.NewStringResponder(200, `{"message":"Session s-1 not found"}`), session.Unknown, "", true},
		{httpmock.NewStringResponder(404, `{"code":"NotFound","message":"there is no session of that id"}`), session.Gone, "", false},
		{httpmock.NewStringResponder(404, `{"success":false,"message":"s-1: nothing there"}`), session.Gone, "", false},
		{ok(`{}`), session.Unknown, "", true},
		{ok(`null`), session.Unknown, "", true},
		{ok(`{"status":""}`), session.Unknown, "", true},
	} {
		res, err := answering(row.answer).Status(t.Context())
		require.Equal(t, row.fails, err != nil)
		require.Equal(t, row.state, res.State)
		require.Equal(t, row.status, res.Status)
		require.NotEmpty(t, res.RequestID)
	}
	_, err := answering(ok(`{}`)).Status(t.Context())
	require.ErrorIs(t, err, apierr.MalformedResponse.Err())
	_, err = answering(httpmock.NewStringResponder(404, `{"detail":"Not Found"}`)).Status(t.Context())
	require.ErrorIs(t, err, apierr.Unsupported.Err())

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	res, err := answering(ok(`{}`)).Status(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, session.Unknown, res.State)

	require.Equal(t, "unknown present gone unknown", session.Unknown.String()+" "+session.Present.String()+" "+
		session.Gone.String()+" "+session.State(7).String())
}

func TestLink(t *testing.T) {
	var query string
	s := answering(func(r *http.Request) (*http.Response, error) {
		query = r.URL.RawQuery
		return ok(`{"url":"https://x.example/?token=t"}`)(r)
	})
	res, err := s.Link(t.Context(), &session.LinkOptions{Protocol: "https", Port: 30100})
	require.NoError(t, err)
	require.Equal(t, "https://x.example/?token=t", res.URL)
	require.Equal(t, "port=30100&protocolType=https&sessionId=s-1", query)
	_, err = s.Link(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "sessionId=s-1", query)

	for _, port := range []int{-1, 65536} {
		_, err = s.Link(t.Context(), &session.LinkOptions{Port: port})
		require.ErrorIs(t, err, apierr.InvalidArgument.Err())
	}
	for _, url := range []string{"", "x", "/x", "%zz"} {
		_, err = answering(ok(`{"url":`+strconv.Quote(url)+`}`)).Link(t.Context(), nil)
		require.ErrorIs(t, err, apierr.MalformedResponse.Err())
	}
}

func TestInfoAnswers(t *testing.T) {
	res, err := answering(ok(`{"sessionId":"s-1","resourceUrl":"u","desktopInfo":{"ticket":"t"}}`)).Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, "t", res.Desktop.Ticket)
	require.Zero(t, res.IdleTimeout)
	require.True(t, res.ExpiresAt.IsZero())
	require.True(t, res.IdleExpiresAt.IsZero())
	res, err = answering(ok(`{"sessionId":"s-1","imageId":"host","runtime":"x","idleTimeout":9223372036854775807,"expiresAt":"2026-01-02T03:04:05+01:00"}`)).Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, "host x", res.ImageID+" "+res.Runtime)
	require.Positive(t, res.IdleTimeout)
	require.Equal(t, time.Date(2026, 1, 2, 2, 4, 5, 0, time.UTC), res.ExpiresAt)
	_, err = answering(ok(`{"isError":true,"errMsg":"session not found"}`)).Info(t.Context())
	require.ErrorIs(t, err, apierr.SessionNotFound.Err())
}

func TestLabelAnswers(t *testing.T) {
	for data, want := range map[string]map[string]string{
		`{"labels":"{\"a\":\"b\"}"}`: {"a": "b"},
		`{"labels":{"a":"b"}}`:       {"a": "b"},
		`{"labels":null}`:            {},
		`{"labels":""}`:              {},
		`{"labels":"null"}`:          {},
		`{}`:                         {},
		`null`:                       {},
	} {
		res, err := answering(ok(data)).GetLabels(t.Context())
		require.NoError(t, err, data)
		require.Equal(t, want, res.Labels, data)
	}
	_, err := answering(ok(`{"labels":"[1]"}`)).GetLabels(t.Context())
	require.ErrorIs(t, err, apierr.MalformedResponse.Err())
}

func TestMetricsSpellings(t *testing.T) {
	for _, text := range []string{
		`{"cpu_count":2,"mem_total":1.5e9,"rx_rate_kbyte_per_s":1.5,"tx_used_kbyte":7}`,
		`{"cpu_count":2,"mem_total":1500000000,"rx_rate_kbps":1.5,"tx_used_kb":7}`,
		`{"cpu_count":2,"mem_total":1500000000,"rx_rate_KBps":1.5,"tx_used_KB":7}`,
	} {
		res, err := answering(ok(`{"content":[{"type":"text","text":` + strconv.Quote(text) + `}]}`)).Metrics(t.Context())
		require.NoError(t, err)
		require.Equal(t, &session.MetricsResult{CPUCount: 2, MemoryTotal: 1_500_000_000, ReceiveRate: 1.5, Sent: 7, RequestID: "r-1"}, res)
	}
}

func TestToolsAnswers(t *testing.T) {
	for _, data := range []string{`"[{\"name\":\"shell\",\"server\":\"x\",\"inputSchema\":{}}]"`, `[{"name":"shell","server":"x","inputSchema":{}}]`} {
		res, err := answering(ok(data)).Tools(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, []session.Tool{{Name: "shell", Server: "x", InputSchema: []byte("{}")}}, res.Tools)
	}
}

// TestToolsNeedAnImage: the hosted service lists the tools of an image.
func TestToolsNeedAnImage(t *testing.T) {
	var asked []string
	m := httpmock.NewMockTransport()
	m.RegisterNoResponder(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.Query().Get("imageId"))
		return ok(`[]`)(r)
	})
	of := func(embedded bool) *session.Session {
		return session.New(transport.New(transport.Config{
			Embedded: embedded, BaseURL: "http://agb.test", Transport: m, Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute, Attempts: 1,
		}), "s-1", "", "")
	}
	for _, opts := range []*session.ToolsOptions{nil, {}} {
		_, err := of(false).Tools(t.Context(), opts)
		require.ErrorIs(t, err, apierr.InvalidArgument.Err())
		_, err = of(true).Tools(t.Context(), opts)
		require.NoError(t, err)
	}
	_, err := of(false).Tools(t.Context(), &session.ToolsOptions{ImageID: "agb-code-space-1"})
	require.NoError(t, err)
	require.Equal(t, []string{"", "", "agb-code-space-1"}, asked)
}

// TestCallToolTimeout: a tool has its own time and that of the request.
func TestCallToolTimeout(t *testing.T) {
	slow := answering(func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })
	for _, row := range []struct {
		opts *session.CallToolOptions
		want time.Duration
	}{
		{nil, time.Minute + session.DefaultToolTimeout},
		{&session.CallToolOptions{}, time.Minute + session.DefaultToolTimeout},
		{&session.CallToolOptions{Timeout: time.Hour}, time.Minute + time.Hour},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			_, err := slow.CallTool(t.Context(), "x", nil, row.opts)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, row.want, time.Since(start))
		})
	}
	_, err := slow.CallTool(t.Context(), "x", nil, &session.CallToolOptions{Timeout: -1})
	require.ErrorIs(t, err, apierr.InvalidArgument.Err())
}

func TestCallToolImages(t *testing.T) {
	res, err := answering(ok(`{"content":[{"type":"image","data":"aGk=","mimeType":"image/png"}]}`)).CallTool(t.Context(), "x", nil, nil)
	require.NoError(t, err)
	require.Equal(t, []session.Content{{Type: "image", Data: []byte("hi"), MIMEType: "image/png"}}, res.Content)
	_, err = answering(ok(`{"content":[{"type":"image","data":"?"}]}`)).CallTool(t.Context(), "x", nil, nil)
	require.ErrorIs(t, err, apierr.MalformedResponse.Err())
}
