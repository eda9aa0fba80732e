package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

func TestUnauthorized(t *testing.T) {
	p := newPeer(t)
	try := func(target string, headers ...string) answer {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Add(headers[i], headers[i+1])
		}
		return peer{p.handler, ""}.send(t, r)
	}
	const list = "/sdk/ListSession"
	require.True(t, try(list, "AUTHORIZATION", "Bearer "+keyOne).Success)
	want := try(list)
	for _, headers := range [][]string{
		{"Authorization", ""}, {"Authorization", "Bearer"}, {"Authorization", "Bearer "}, {"Authorization", keyOne},
		{"Authorization", "Basic " + keyOne}, {"Authorization", "Bearer  " + keyOne}, {"Authorization", "Bearer " + keyOne + " "},
		{"Authorization", "Bearer " + keyOne[:len(keyOne)-1]}, {"Authorization", "Bearer " + keyOne + "x"},
		{"Authorization", "Bearer " + strings.ToUpper(keyOne)}, {"Authorization", "Bearer " + strings.Repeat("x", 1<<20)},
		{"Authorization", "Bearer " + keyOne, "Authorization", "Bearer " + keyOne},
		{"Cookie", "api_key=" + keyOne}, {"X-Api-Key", keyOne},
	} {
		got := try(list, headers...)
		require.Equal(t, http.StatusUnauthorized, got.status)
		require.Equal(t, want.Message, got.Message)
		require.Equal(t, want.Code, got.Code)
	}
	// Who has no key learns nothing, not even which paths there are.
	for _, target := range []string{list + "?api_key=" + keyOne, "/", "/metrics", "/debug/pprof/", "/nowhere", "/mcp"} {
		require.Equal(t, http.StatusUnauthorized, try(target).status, target)
	}
}

func TestRouting(t *testing.T) {
	p := newPeer(t)
	for _, target := range []string{
		"/", "/nowhere", "/mcp/", "//mcp", "/mcp/../mcp", "/sdk/listsession", "/sdk/ListSession/", "/debug/pprof/", "/sdk%2FListSession",
		"/sdk/ListContexts", "/sdk/GetContext?name=c&allowCreate=true",
	} {
		a := p.raw(t, http.MethodGet, target, "")
		require.Equal(t, http.StatusNotImplemented, a.status, target)
		require.Equal(t, "Unsupported", a.Code, target)
	}
	for _, target := range []string{"/internet/getCdpLink", "/browser/init", "/sdk/ModifyContext", "/sdk/DeleteContext", "/sdk/ClearContext",
		"/sdk/DeleteContextFile", "/sdk/DescribeContextFiles",
	} {
		require.Equal(t, "Unsupported", p.raw(t, http.MethodPost, target, "{}").Code, target)
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodOptions, http.MethodHead, http.MethodDelete, "BREW"} {
		r := httptest.NewRequestWithContext(t.Context(), method, "/mcp/createSession", http.NoBody)
		a := p.send(t, r)
		require.Equal(t, http.StatusMethodNotAllowed, a.status, method)
		require.Equal(t, http.MethodPost, a.header.Get("Allow"))
	}
}

func TestMalformedRequests(t *testing.T) {
	p := newPeer(t)
	for body, status := range map[string]int{
		"{":                              http.StatusBadRequest,
		"[]":                             http.StatusBadRequest,
		"{} {}":                          http.StatusBadRequest,
		"\ufeff{}":                       http.StatusBadRequest,
		`{"sessionId":{}}`:               http.StatusBadRequest,
		strings.Repeat(`{"a":`, 100_000): http.StatusBadRequest,
		`{"x":"` + strings.Repeat("x", wire.BodyLimit) + `"}`: http.StatusRequestEntityTooLarge,
		"":                                  http.StatusBadRequest, // fine as a body; the session is not there
		`{"sessionId":"s","extra":{"a":1}}`: http.StatusBadRequest, // the same
	} {
		a := p.raw(t, http.MethodPost, "/mcp/getSessionInfo", body)
		require.Equal(t, status, a.status, a.body)
	}
	require.Equal(t, "InvalidMcpSession.NotFound", p.raw(t, http.MethodPost, "/mcp/getSessionInfo", "").Code)
	require.Equal(t, http.StatusBadRequest, p.raw(t, http.MethodGet, "/sdk/ListSession?maxResults=x", "").status)

	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp/getSessionInfo", strings.NewReader("{}"))
	r.Header.Set("Content-Encoding", "gzip")
	require.Equal(t, http.StatusUnsupportedMediaType, p.send(t, r).status)
}

func TestRequestIDs(t *testing.T) {
	p := newPeer(t)
	try := func(id string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sdk/ListSession", http.NoBody)
		r.Header.Set(wire.HeaderRequestID, id)
		return p.send(t, r).RequestID
	}
	for _, good := range []string{"r-1", strings.Repeat("x", 128)} {
		require.Equal(t, good, try(good))
	}
	for _, bad := range []string{"", " ", "a b", "a\"b", "é", strings.Repeat("x", 129)} {
		require.NotEqual(t, bad, try(bad))
	}
	first := try("")
	require.NotEqual(t, first, try(""))
}
