package wire_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

func roundTrip[Req, Resp any](t *testing.T, op wire.Op[Req, Resp], req Req) {
	t.Helper()
	method, target, body, err := op.NewRequest(req)
	require.NoError(t, err)
	require.Equal(t, op.Method(), method)
	got, err := op.ReadRequest(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, target, bytes.NewReader(body)))
	require.NoError(t, err)
	require.Equal(t, req, got)
}

// TestRoundTrip sends every request with every field set to something that has
// to be escaped on its way.
func TestRoundTrip(t *testing.T) {
	odd := "s-ü &=+%/\"\\\n\u2028<>"
	port := 30100
	set := map[string]string{"k <>&\"": odd, "€": "v"}
	roundTrip(t, wire.CreateSession, wire.CreateSessionRequest{
		ImageID: odd, Policy: odd, Timeout: 300, Labels: wire.TextOf(set), Stats: wire.TextOf(wire.Stats{Source: odd, IsRelease: true}),
		Contexts: []wire.ContextMount{{ContextID: odd, Path: odd, Policy: json.RawMessage(`"{}"`)}},
	})
	for _, op := range []wire.Op[wire.SessionRequest, wire.Empty]{wire.DeleteSession, wire.ReleaseSession} {
		roundTrip(t, op, wire.SessionRequest{SessionID: odd})
	}
	roundTrip(t, wire.GetSession, wire.SessionRequest{SessionID: odd})
	roundTrip(t, wire.SessionStatus, wire.SessionRequest{SessionID: odd})
	roundTrip(t, wire.SessionInfo, wire.SessionRequest{SessionID: odd})
	roundTrip(t, wire.KeepAlive, wire.SessionQuery{SessionID: odd})
	roundTrip(t, wire.GetLabels, wire.SessionQuery{SessionID: odd})
	roundTrip(t, wire.SetLabels, wire.SetLabelsRequest{SessionID: odd, Labels: wire.JSONText[map[string]string]{V: set}})
	roundTrip(t, wire.ListSessions, wire.ListSessionsRequest{Labels: wire.TextOf(set), MaxResults: 7, NextToken: odd, Selector: "a in (b)"})
	for _, op := range []wire.Op[wire.GetLinkRequest, wire.GetLinkResponse]{wire.GetLink, wire.GetLinkAsync} {
		roundTrip(t, op, wire.GetLinkRequest{SessionID: odd, Protocol: "https", Port: &port})
		roundTrip(t, op, wire.GetLinkRequest{SessionID: odd})
	}
	roundTrip(t, wire.ListTools, wire.ListToolsRequest{ImageID: odd})
	roundTrip(t, wire.CallTool, wire.CallToolRequest{
		AutoGenSession: true, ImageID: odd, SessionID: odd, Name: odd, Args: `{"path":"` + "\u2028" + `<"}`, Server: odd,
	})
}

func read(t *testing.T, body string) error {
	t.Helper()
	_, err := wire.GetSession.ReadRequest(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body)))
	return err
}

func TestBodyBounds(t *testing.T) {
	const frame = `{"sessionId":""}`
	body := func(size int) string {
		return `{"sessionId":"` + strings.Repeat("x", size-len(frame)) + `"}`
	}
	require.NoError(t, read(t, body(wire.BodyLimit)))
	var tooLarge *http.MaxBytesError
	require.ErrorAs(t, read(t, body(wire.BodyLimit+1)), &tooLarge)
	write := func(size int) error {
		_, _, _, err := wire.DeleteSession.NewRequest(wire.SessionRequest{SessionID: strings.Repeat("x", size-len(frame))})
		return err
	}
	require.NoError(t, write(wire.BodyLimit))
	require.ErrorIs(t, write(wire.BodyLimit+1), wire.ErrTooLong)

	nested := func(depth int) string {
		return `{"x":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
	}
	require.NoError(t, read(t, nested(wire.BodyDepth)))
	require.Error(t, read(t, nested(wire.BodyDepth+1)))
}

func TestBodies(t *testing.T) {
	for _, body := range []string{"", " \n", "{}", `{"sessionId":"s","unknown":[1e999]}`, `{"sessionId":null}`, `{"x":"[[[[{{{{"}`} {
		require.NoError(t, read(t, body), body)
	}
	for _, body := range []string{"{", "[]", `"s"`, `{} {}`, `{}x`, "\ufeff{}", `{"sessionId":1}`, `{"sessionId":["s"]}`} {
		require.Error(t, read(t, body), body)
	}
}

func TestQueries(t *testing.T) {
	for query, ok := range map[string]bool{
		"sessionId=s&port=1": true, "port=": true, "port=x": false, "port=1e3": false, "port=99999999999999999999": false,
		"sessionId=%zz": false, "a;b": false,
	} {
		_, err := wire.GetLink.ReadRequest(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+query, http.NoBody))
		require.Equal(t, ok, err == nil, query)
	}
}
