package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

const gone = "InvalidMcpSession.NotFound"

func TestSessionLife(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	by := wire.SessionRequest{SessionID: id}

	got := must(t, p, wire.GetSession, by)
	require.Equal(t, id, got.SessionID)
	require.Equal(t, wire.StatusRunning, got.Status)
	require.NotEmpty(t, got.AppInstanceID)
	require.NotEmpty(t, got.ResourceID)
	require.Contains(t, got.ResourceURL, "resourceId=")
	require.Equal(t, wire.StatusRunning, must(t, p, wire.SessionStatus, by).Status)
	require.Equal(t, got.ResourceURL, must(t, p, wire.SessionInfo, by).ResourceURL)
	must(t, p, wire.KeepAlive, wire.SessionQuery{SessionID: id})
	must(t, p, wire.DeleteSession, by)
	_, a := ask(t, p, wire.SessionStatus, by)
	require.Equal(t, gone, a.Code)
}

func TestSessionInfoTellsWhenItEnds(t *testing.T) {
	p := newPeer(t)
	start := time.Now()
	id := p.create(t, nil)
	info := func(id string) wire.SessionInfoResponse {
		return must(t, p, wire.SessionInfo, wire.SessionRequest{SessionID: id})
	}
	got := info(id)
	require.Equal(t, "host", got.ImageID)
	require.Equal(t, "linuxns", got.Runtime)
	require.Equal(t, 300, got.IdleTimeout)
	const slack = 20 * time.Second
	require.WithinDuration(t, start.Add(5*time.Minute), *got.IdleExpiresAt, slack)
	require.WithinDuration(t, start.Add(30*time.Minute), *got.ExpiresAt, slack)
	require.Equal(t, time.UTC, got.ExpiresAt.Location())
	require.Equal(t, *got.IdleExpiresAt, *info(id).IdleExpiresAt, "asking is no activity")
	must(t, p, wire.KeepAlive, wire.SessionQuery{SessionID: id})
	require.True(t, info(id).IdleExpiresAt.After(*got.IdleExpiresAt))

	asked := must(t, p, wire.CreateSession, wire.CreateSessionRequest{ImageID: "host", Timeout: 7200})
	defer must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: asked.SessionID})
	got = info(asked.SessionID)
	require.Equal(t, 7200, got.IdleTimeout)
	require.Equal(t, *got.ExpiresAt, *got.IdleExpiresAt, "no session outlives its life")
}

func TestCreateRefuses(t *testing.T) {
	p := newPeer(t)
	for name, req := range map[string]wire.CreateSessionRequest{
		"unknown image":     {ImageID: "nope"},
		"blank image":       {ImageID: " "},
		"negative timeout":  {ImageID: "host", Timeout: -1},
		"endless timeout":   {ImageID: "host", Timeout: 30*24*60*60 + 1},
		"blank label":       {ImageID: "host", Labels: wire.TextOf(map[string]string{"a": " "})},
		"reserved label":    {ImageID: "host", Labels: wire.TextOf(map[string]string{"agb/tenant": "x"})},
		"persistent mounts": {ImageID: "host", Contexts: []wire.ContextMount{{ContextID: "c", Path: "/mnt"}}},
	} {
		resp, a := ask(t, p, wire.CreateSession, req)
		require.False(t, a.Success, name)
		require.NotNil(t, resp.Success, name)
		require.False(t, *resp.Success, name)
		require.Empty(t, resp.SessionID, name)
		require.Contains(t, resp.ErrMsg, a.Message, name)
	}
	for body, why := range map[string]string{
		`{"labels":{"k":null}}`: "labels.k: want a string", `{"timeout":"5m"}`: "timeout: want an integer", `{`: "invalid JSON",
	} {
		a := p.raw(t, http.MethodPost, "/mcp/createSession?imageId=host", body)
		require.Equal(t, "InvalidParameter", a.Code)
		resp, err := wire.Open[wire.CreateSessionResponse](&a.Envelope)
		require.NoError(t, err)
		require.False(t, *resp.Success)
		require.Contains(t, resp.ErrMsg, why)
		require.NotContains(t, resp.ErrMsg, "json: cannot unmarshal")
	}
	resp, _ := ask(t, p, wire.CreateSession, wire.CreateSessionRequest{ImageID: "nope"})
	for _, image := range []string{"host", "agb-code-space-1", "agb-code-space-2"} {
		require.Contains(t, resp.ErrMsg, image)
	}
}

func TestLabels(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, map[string]string{"a": "1"})
	read := func() map[string]string {
		return must(t, p, wire.GetLabels, wire.SessionQuery{SessionID: id}).Labels.V
	}
	set := func(m map[string]string) answer {
		_, a := ask(t, p, wire.SetLabels, wire.SetLabelsRequest{SessionID: id, Labels: wire.JSONText[map[string]string]{V: m}})
		return a
	}
	require.Equal(t, map[string]string{"a": "1"}, read())
	require.True(t, set(map[string]string{"b": "ü <&>"}).Success)
	require.Equal(t, map[string]string{"b": "ü <&>"}, read())
	for _, bad := range []map[string]string{nil, {}, {" ": "x"}, {"x": ""}, {"x": "\n"}, {"agb/x": "y"}} {
		require.Equal(t, "InvalidParameter", set(bad).Code)
	}
	require.Equal(t, map[string]string{"b": "ü <&>"}, read())

	require.True(t, p.raw(t, http.MethodPost, "/sdk/SetLabel?sessionId="+id+"&Labels="+url.QueryEscape(`{"n": 5, "b": true}`), "{}").Success)
	require.Equal(t, map[string]string{"n": "5", "b": "true"}, read())
	ids, _ := list(t, p, wire.ListSessionsRequest{Labels: wire.TextOf(map[string]string{"n": "5"})})
	require.Equal(t, []string{id}, ids)

	none := p.create(t, nil)
	a := p.raw(t, http.MethodGet, "/sdk/GetLabel?sessionId="+none, "")
	require.JSONEq(t, `{"labels":"{}"}`, string(a.Data))
}

// list returns one page and its envelope.
func list(t *testing.T, p peer, req wire.ListSessionsRequest) ([]string, answer) {
	t.Helper()
	resp, a := ask(t, p, wire.ListSessions, req)
	var ids []string
	for _, s := range resp.Sessions {
		require.Equal(t, wire.StatusRunning, s.Status)
		ids = append(ids, s.SessionID)
	}
	return ids, a
}

func TestListPages(t *testing.T) {
	p := newPeer(t)
	var made []string
	for range 5 {
		made = append(made, p.create(t, map[string]string{"test": t.Name()}))
	}
	other := p.create(t, map[string]string{"test": "another"})
	mine := wire.TextOf(map[string]string{"test": t.Name()})

	var seen []string
	req := wire.ListSessionsRequest{Labels: mine, MaxResults: 2}
	for page := 0; ; page++ {
		ids, a := list(t, p, req)
		require.Equal(t, 5, *a.Count)
		require.Equal(t, 2, a.MaxResults)
		seen = append(seen, ids...)
		if req.NextToken = a.NextToken; req.NextToken == "" {
			require.Equal(t, 2, page)
			break
		}
	}
	require.Equal(t, made, seen)
	require.NotContains(t, seen, other)

	ids, a := list(t, p, wire.ListSessionsRequest{Selector: "test in (another),!absent"})
	require.Equal(t, []string{other}, ids)
	require.Equal(t, "test in (another),!absent", a.Selector)
	require.Equal(t, 10, a.MaxResults)
	ids, _ = list(t, p, wire.ListSessionsRequest{Labels: mine, Selector: "test=another"})
	require.Empty(t, ids)
	a = p.raw(t, http.MethodGet, `/sdk/ListSession?maxResults=10&labels=%7B%22none%22%3A%22x%22%7D`, "")
	require.JSONEq(t, `[]`, string(a.Data))
}

func TestPageTokensAreForTheirListAlone(t *testing.T) {
	p := newPeer(t)
	set := map[string]string{"test": t.Name()}
	p.create(t, set)
	p.create(t, set)
	req := wire.ListSessionsRequest{Labels: wire.TextOf(set), MaxResults: 1}
	_, a := list(t, p, req)
	token := a.NextToken
	require.NotEmpty(t, token)

	wrong := func(p peer, req wire.ListSessionsRequest, token string) {
		req.NextToken = token
		_, a := list(t, p, req)
		require.Equal(t, "InvalidParameter", a.Code, token)
		require.Equal(t, http.StatusBadRequest, a.status)
	}
	flipped := "A" + token[1:]
	if flipped == token {
		flipped = "B" + token[1:]
	}
	for _, bad := range []string{"x", "1", flipped, token + "A", token[:len(token)-1], strings.Repeat("A", len(token)), "-1", "\x00"} {
		wrong(p, req, bad)
	}
	wrong(peer{p.handler, keyTwo}, req, token)
	wrong(p, wire.ListSessionsRequest{MaxResults: 1}, token)
	wrong(p, wire.ListSessionsRequest{Labels: req.Labels, Selector: "a", MaxResults: 1}, token)
	req.MaxResults = 2 // how much to take is not part of the filter
	req.NextToken = token
	ids, _ := list(t, p, req)
	require.Len(t, ids, 1)
}

func TestListBounds(t *testing.T) {
	p := newPeer(t)
	for asked, given := range map[int]int{0: 10, 1: 1, 100: 100, 101: 100, 1 << 30: 100} {
		_, a := list(t, p, wire.ListSessionsRequest{MaxResults: asked})
		require.Equal(t, given, a.MaxResults, asked)
	}
	_, negative := list(t, p, wire.ListSessionsRequest{MaxResults: -1})
	require.Equal(t, "InvalidParameter", negative.Code)
	for _, selector := range []string{"(", "a in", "a=b,", strings.Repeat("a,", 10_000)} {
		_, a := list(t, p, wire.ListSessionsRequest{Selector: selector})
		require.Equal(t, "InvalidParameter", a.Code)
	}
	many := map[string]string{}
	for i := range 65 {
		many[strings.Repeat("k", i+1)] = "v"
	}
	_, a := list(t, p, wire.ListSessionsRequest{Labels: wire.TextOf(many)})
	require.Equal(t, "InvalidParameter", a.Code)
}

func TestListTools(t *testing.T) {
	p := newPeer(t)
	a := p.raw(t, http.MethodPost, "/mcp/listTools?imageId=host", "{}")
	var text string
	require.NoError(t, json.Unmarshal(a.Data, &text), "data has to be text")
	var tools []wire.ToolEntry
	require.NoError(t, json.Unmarshal([]byte(text), &tools))
	require.Len(t, tools, 14)
	for _, tool := range tools {
		require.NotEmpty(t, tool.Description, tool.Name)
		require.NotEmpty(t, tool.Server, tool.Name)
	}
	require.JSONEq(t, `{"type":"object","properties":{"path":{"type":"string"},"edits":{"type":"array","items":{"type":"object",
		"properties":{"oldText":{"type":"string"},"newText":{"type":"string"}},"required":["oldText","newText"]}},
		"dryRun":{"type":"boolean"}},"required":["path","edits","dryRun"]}`, string(tools[4].InputSchema))
}
