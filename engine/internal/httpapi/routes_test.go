package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/internal/wire"
)

// sessionless are the routes that concern no session in particular. All others
// have to tell a session that is another's, or gone, from one that is there.
var sessionless = []string{
	wire.CreateSession.Pattern, wire.ListSessions.Pattern, wire.ListTools.Pattern, wire.Capabilities.Pattern, wire.ListRecords.Pattern,
	wire.UploadURL.Pattern, wire.DownloadURL.Pattern, // of a context, which they do not tell of
}

// request returns a request that any route understands, of a session that is
// named wherever a session can be named.
func request(t *testing.T, route, id, tool string) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	query := url.Values{"sessionId": {id}, "Labels": {`{"stolen":"yes"}`}, "imageId": {"none such"}}
	body, err := json.Marshal(map[string]any{"sessionId": id, "name": tool, "args": "{}", "lifetimeMs": 60_000})
	require.NoError(t, err)
	switch route { // whose arguments have another form
	case wire.StartProcess.Pattern:
		body, err = json.Marshal(wire.StartProcessRequest{SessionID: id, Args: []string{"true"}})
	case wire.StreamCode.Pattern:
		body, err = json.Marshal(wire.StreamCodeRequest{SessionID: id})
	}
	require.NoError(t, err)
	return httptest.NewRequestWithContext(t.Context(), method, path+"?"+query.Encode(), strings.NewReader(string(body)))
}

// everyRoute asks every route, and every tool, about a session.
func everyRoute(t *testing.T, p peer, id string) map[string]answer {
	t.Helper()
	answers := map[string]answer{}
	for _, route := range httpapi.Routes() {
		tools := []string{"nothing"}
		if route == wire.CallTool.Pattern {
			tools = append(tools, httpapi.Tools()...)
		}
		for _, tool := range tools {
			answers[route+" "+tool] = p.send(t, request(t, route, id, tool))
		}
	}
	return answers
}

// about reports whether the route of an answer of everyRoute concerns a
// session.
func about(key string) bool {
	return !slices.ContainsFunc(sessionless, func(route string) bool { return strings.HasPrefix(key, route+" ") })
}

func TestEveryRouteTellsThatASessionIsGone(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: id})
	answers := everyRoute(t, p, id)
	require.Greater(t, len(answers), 20)
	for key, a := range answers {
		switch {
		case strings.HasPrefix(key, wire.DeleteSession.Pattern+" "), strings.HasPrefix(key, wire.ReleaseSession.Pattern+" "):
			require.True(t, a.Success, "one's own session can be deleted again: %s", a.body)
		case about(key):
			require.Equal(t, gone, a.Code, key)
			require.Equal(t, http.StatusBadRequest, a.status, key)
			require.Contains(t, a.Message, "Session "+id+" not found", key)
		}
	}
}

func TestEveryRouteKeepsTenantsApart(t *testing.T) {
	one := newPeer(t)
	two := peer{one.handler, keyTwo}
	id := one.create(t, map[string]string{"team": "one"})
	const unknownID = "s-0123"
	foreign, unknown := everyRoute(t, two, id), everyRoute(t, two, unknownID)
	require.Len(t, unknown, len(foreign))
	for key, a := range foreign {
		require.NotContains(t, a.body, "team", key)
		if !about(key) {
			require.NotContains(t, a.body, id, key)
			continue
		}
		b := unknown[key]
		require.Equal(t, gone, a.Code, key)
		require.Equal(t, b.status, a.status, key)
		require.Equal(t,
			strings.ReplaceAll(b.body, b.RequestID, ""),
			strings.ReplaceAll(strings.ReplaceAll(a.body, id, unknownID), a.RequestID, ""), key)
		for _, h := range []http.Header{a.header, b.header} {
			h.Del(wire.HeaderRequestID)
			h.Del("Content-Length")
		}
		require.Equal(t, b.header, a.header, key)
	}
	require.Equal(t, wire.StatusRunning, must(t, one, wire.SessionStatus, wire.SessionRequest{SessionID: id}).Status)
	require.Equal(t, map[string]string{"team": "one"}, must(t, one, wire.GetLabels, wire.SessionQuery{SessionID: id}).Labels.V)
}

func TestEveryRouteWantsAKey(t *testing.T) {
	p := newPeer(t)
	nobody := peer{handler: p.handler}
	var want answer
	for i, route := range httpapi.Routes() {
		path := route[strings.Index(route, " ")+1:]
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"} {
			for _, authorization := range []string{"", "Bearer wrong"} {
				r := request(t, method+" "+path, "s-0123", "shell")
				r.Header.Set("X-Http-Method-Override", route[:strings.Index(route, " ")])
				if authorization != "" {
					r.Header.Set("Authorization", authorization)
				}
				a := nobody.send(t, r)
				require.Equal(t, http.StatusUnauthorized, a.status, method+" "+path)
				if i == 0 && want.status == 0 {
					want = a
				}
				require.Equal(t, want.Message, a.Message)
				require.Equal(t, want.Code, a.Code)
				require.Empty(t, a.Data)
				require.Empty(t, a.header.Get("Allow"), "who has no key learns nothing of routes")
			}
		}
	}
}

func TestNoRouteButTheExactOne(t *testing.T) {
	p := newPeer(t)
	for _, target := range []string{
		"/v1", "/v1/", "/v1/sessions", "/v1/sessions/", "/v1/sessions/../records", "/v1/sessions/%2e%2e/records", "/v1%2frecords",
		"/v1/records/", "//v1/records", "/v1//records", "/v1/records;x", "/v1/records.", "/V1/records", "/v1/recor%64s", "/v1/records%00",
		"/v1/sessions%252fusage", `/v1/sessions\usage`, "/v1/sessions/s-1", "/v2/records", "/healthz", "/metrics", "/debug/vars",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		u, err := url.Parse(target)
		require.NoError(t, err)
		r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
		a := p.send(t, r)
		require.Equal(t, http.StatusNotImplemented, a.status, target)
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "HEAD", "OPTIONS"} {
		r := httptest.NewRequestWithContext(t.Context(), method, "/v1/records", http.NoBody)
		r.Header.Set("X-Http-Method-Override", "GET")
		a := p.send(t, r)
		require.Equal(t, http.StatusMethodNotAllowed, a.status, method)
		require.Equal(t, "GET", a.header.Get("Allow"))
	}
}

func TestWhatIsOursIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/protocol.md")
	require.NoError(t, err)
	shown := map[string]bool{} // in an example, at the beginning of a line
	for i, block := range strings.Split(string(doc), "\n```") {
		for line := range strings.Lines(block) {
			if words := strings.Fields(line); i%2 == 1 && len(words) > 1 {
				path, _, _ := strings.Cut(words[1], "?")
				shown[words[0]+" "+path] = true
			}
		}
	}
	for _, route := range httpapi.Routes() {
		if strings.Contains(route, " /v1/") {
			require.True(t, shown[route], "no example of %s", route)
		}
	}
	can := must(t, newPeer(t), wire.Capabilities, wire.Empty{})
	require.Equal(t, wire.Version, can.Version)
	require.NotEmpty(t, can.Operations)
	require.True(t, slices.IsSorted(can.Operations))
	for _, name := range can.Operations {
		require.Contains(t, string(doc), `"`+name+`"`)
		require.LessOrEqual(t, len(name), wire.MaxCapabilityName)
	}
	require.LessOrEqual(t, len(can.Operations), wire.MaxCapabilities)
	new(wire.Limits).Each(func(name string, _ *int64) { require.Contains(t, string(doc), "`"+name+"`") })
}
