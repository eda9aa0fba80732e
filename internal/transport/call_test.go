package transport_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// said answers every request with a tool's answer.
func said(data string) *httpmock.MockTransport {
	return mock(httpmock.NewStringResponder(200, `{"requestId":"r-1","success":true,"message":"success","data":`+data+`}`))
}

func text(isError bool, s, more string) string {
	return `{"isError":` + strconv.FormatBool(isError) + `,"content":[{"type":"text","text":` + strconv.Quote(s) + `}]` + more + `}`
}

func shell(t *testing.T, rt http.RoundTripper) (wire.ShellResult, error) {
	t.Helper()
	out, meta, err := transport.Call(t.Context(), newClient(rt, nil), "s-1", wire.Shell, wire.ShellArgs{Command: "x"}, 0)
	require.Equal(t, "r-1", meta.RequestID)
	return out, err
}

func TestCallTravels(t *testing.T) {
	m := mock(func(r *http.Request) (*http.Response, error) {
		require.Equal(t, "/mcp?autoGenSession=false", r.URL.RequestURI())
		var body map[string]any
		require.NoError(t, json.NewDecoder(r.Body).Decode(&body))
		require.Equal(t, map[string]any{"sessionId": "s-1", "name": "shell", "args": `{"command":"a <b> & c"}`}, body)
		return httpmock.NewStringResponse(200, `{"requestId":"r-1","success":true,"data":`+text(false, `{"stdout":"hi"}`, "")+`}`), nil
	})
	out, meta, err := transport.Call(t.Context(), newClient(m, nil), "s-1", wire.Shell, wire.ShellArgs{Command: "a <b> & c"}, 0)
	require.NoError(t, err)
	require.Equal(t, "hi", out.Stdout)
	require.Equal(t, "r-1", meta.RequestID)
}

func TestFailedToolWithResult(t *testing.T) {
	out, err := shell(t, said(text(true, `{"stderr":"no","exit_code":3}`, "")))
	require.NoError(t, err)
	require.Equal(t, 3, out.ExitCode)
}

func TestFailedTool(t *testing.T) {
	for _, row := range []struct {
		data    string
		code    apierr.Code
		message string
		hint    string
	}{
		{text(true, "no such file or directory: /x", ""), apierr.NotFound, "no such file or directory: /x", ""},
		{text(true, `{"error":"strange"}`, ""), apierr.Unknown, `{"error":"strange"}`, ""},
		{text(true, "", ""), apierr.Unknown, "the tool failed and did not say why", ""},
		{text(true, "gone", `,"errorCode":"InvalidMcpSession.NotFound","errorHint":"make one"`), apierr.SessionNotFound, "gone", "make one"},
		{text(true, `{"exit_code":3}`, `,"errorCode":"Forbidden"`), apierr.PermissionDenied, `{"exit_code":3}`, ""},
		{strconv.Quote(text(true, "permission denied", "")), apierr.PermissionDenied, "permission denied", ""},
	} {
		_, err := shell(t, said(row.data))
		e := asError(t, err)
		require.Equal(t, row.code, e.Code)
		require.Equal(t, row.message, e.Message)
		require.Equal(t, row.hint, e.Hint)
		require.Equal(t, "s-1", e.SessionID)
		require.Equal(t, "shell", e.Op)
		require.Equal(t, "r-1", e.RequestID)
	}
}

func TestToolResultNotUnderstood(t *testing.T) {
	_, err := shell(t, said(text(false, "plain", "")))
	require.ErrorIs(t, err, apierr.MalformedResponse.Err())
}

// FuzzAnswer: no answer makes the client panic, and what is an error is ours.
func FuzzAnswer(f *testing.F) {
	f.Add(200, okBody)
	f.Add(200, `{"requestId":"r-1","success":true,"data":`+text(false, `{"exit_code":0}`, "")+`}`)
	f.Add(200, `{"requestId":"r-1","success":true,"data":`+strconv.Quote(text(true, `no`, `,"errorCode":"NotFound"`))+`}`)
	f.Add(400, `{"body":{"Code":"InvalidSession.NotFound","Message":"x"}}`)
	f.Add(502, "<html>")
	f.Add(200, `{"success":true,"data":[{"sessionId":"s-1","sessionStatus":"RUNNING"}],"nextToken":"t","count":1}`)
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 {
			return
		}
		c := newClient(mock(httpmock.NewStringResponder(status, body)), func(cfg *transport.Config) { cfg.Attempts = 1 })
		check := func(meta transport.Meta, err error) {
			require.NotEmpty(t, meta.RequestID)
			if err != nil {
				require.NotEmpty(t, asError(t, err).Code)
				require.NotEmpty(t, asError(t, err).Message)
			}
		}
		check(get(t.Context(), c))
		_, meta, err := transport.Call(t.Context(), c, "s-1", wire.Shell, wire.ShellArgs{}, 0)
		check(meta, err)
		_, meta, err = transport.Do(t.Context(), c, wire.ListSessions, wire.ListSessionsRequest{})
		check(meta, err)
	})
}

// BenchmarkDo measures a call without a network: what the SDK itself costs.
func BenchmarkDo(b *testing.B) {
	c := newClient(roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(okBody)), ContentLength: int64(len(okBody)), Request: r}, nil
	}), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := get(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCall measures what it costs to decode the answer of a tool that
// sends a chunk of a file.
func BenchmarkCall(b *testing.B) {
	body := `{"requestId":"r-1","success":true,"code":"ok","data":` + text(false, strings.Repeat("QUJD", 17_000), "") + `}`
	c := newClient(roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r}, nil
	}), nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, _, err := transport.Call(b.Context(), c, "s-1", wire.ReadFile, wire.ReadFileArgs{Path: "/x"}, 0); err != nil {
			b.Fatal(err)
		}
	}
}
