package httpapi_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/internal/wire"
)

// handle returns what a session tells of itself.
func handle(t *testing.T, p peer, id string) wire.SessionHandle {
	t.Helper()
	return must(t, p, wire.GetSession, wire.SessionRequest{SessionID: id}).SessionHandle
}

// directly sends a request below a session's URL, with a token and no key.
func directly(t *testing.T, p peer, method, target, token, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if token != "" {
		r.Header.Set(wire.HeaderAccessToken, token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, r)
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"), rec.Body)
	return rec
}

// callDirectly calls a tool by a session's token.
func callDirectly(t *testing.T, p peer, h wire.SessionHandle, tool, args string) *wire.CallToolResponse {
	t.Helper()
	body, err := json.Marshal(wire.DirectCallRequest{Args: json.RawMessage(args), Server: "any", RequestID: "link-1", Tool: tool, Token: h.Token})
	require.NoError(t, err)
	rec := directly(t, p, http.MethodPost, h.LinkURL+wire.DirectCallPath, h.Token, string(body))
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	require.Equal(t, "link-1", rec.Header().Get(wire.HeaderRequestID))
	var answer wire.DirectCallResponse
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &answer))
	require.Equal(t, []any{200, "link-1", "link-1"}, []any{answer.Code, answer.RequestID, answer.Data.RequestID})
	require.Len(t, answer.Data.Result.Content, 1)
	return answer.Data.Result
}

func TestSessionsTellTheirRoutes(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	h := handle(t, p, id)
	require.Equal(t, "http://example.com/session/"+id, h.LinkURL)
	require.Equal(t, "ws://example.com/session/"+id+"/stream", h.WSURL)
	require.Regexp(t, `^[0-9a-f]{64}$`, h.Token)
	require.Equal(t, h, handle(t, p, id), "the token stays")
	servers := map[string]string{}
	for _, entry := range h.ToolList {
		servers[entry.Name] = entry.Server
		require.Equal(t, wire.ToolEntry{Name: entry.Name, Server: entry.Server}, entry)
	}
	require.Len(t, servers, len(httpapi.Tools()))
	require.Equal(t, []string{"wuying_shell", "wuying_codespace", "wuying_filesystem", "mcp-server"},
		[]string{servers["shell"], servers["run_code"], servers["read_file"], servers["get_metrics"]})
	require.NotEqual(t, h.Token, handle(t, p, p.create(t, nil)).Token)

	// A creation tells the same.
	resp, a := ask(t, p, wire.CreateSession, wire.CreateSessionRequest{ImageID: "host"})
	require.True(t, a.Success, a.body)
	require.Equal(t, handle(t, p, resp.SessionID), resp.SessionHandle)
	must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: resp.SessionID})
}

// Within the program there is nothing to gain.
func TestRoutesAreForPorts(t *testing.T) {
	eng, err := shared()
	if err != nil {
		t.Skip("no default runtime here: ", err)
	}
	method, _, body, err := wire.CreateSession.NewRequest(wire.CreateSessionRequest{ImageID: "host"})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), method, "http://engine.agb.internal/mcp/createSession?imageId=host", bytes.NewReader(body))
	require.NoError(t, err)
	answered, err := eng.Transport().RoundTrip(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, answered.Body.Close()) }()
	var env wire.Envelope
	require.NoError(t, json.NewDecoder(answered.Body).Decode(&env))
	if env.Code == "IsolationUnavailable" {
		t.Skip("no sandboxes here: ", env.Message)
	}
	resp, err := wire.Open[wire.CreateSessionResponse](&env)
	require.NoError(t, err)
	require.NotEmpty(t, resp.SessionID)
	require.Empty(t, resp.LinkURL+resp.WSURL+resp.Token)
	require.Empty(t, resp.ToolList)
}

// Every tool gives by the token what it gives by the key.
func TestDirectCallsGiveTheSame(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	h := handle(t, p, id)
	args := map[string]string{
		"shell":               `{"command":"echo hi; echo err >&2; printf '\\377'; exit 3"}`,
		"run_code":            `{"code":"echo hi; echo err >&2; exit 3","language":"bash","fresh":true}`,
		"write_file":          `{"path":"/tmp/a","content":"äöü\n","mode":"overwrite"}`,
		"read_file":           `{"path":"/tmp/a","format":"binary"}`,
		"edit_file":           `{"path":"/tmp/a","edits":[{"oldText":"none such","newText":"b"}]}`,
		"create_directory":    `{"path":"/tmp/d"}`,
		"get_file_info":       `{"path":"/tmp/a"}`,
		"list_directory":      `{"path":"/tmp"}`,
		"search_files":        `{"path":"/tmp","pattern":"a"}`,
		"read_multiple_files": `{"paths":["/tmp/a","/tmp/none"]}`,
		"move_file":           `{"source":"/tmp/none","destination":"/tmp/b"}`,
		"delete_file":         `{"path":"/tmp/none"}`,
		"get_file_change":     `{"path":"/tmp/d"}`,
		"get_metrics":         `{}`,
		"click_mouse":         `{"x":1}`,
		"no such tool":        `{}`,
		"":                    `{}`,
	}
	for _, name := range httpapi.Tools() {
		require.Contains(t, args, name)
	}
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/a", Content: "äöü\n"})
	for name, object := range args {
		for _, object := range []string{object, `{}`, `[]`, `"text"`, `{"path":7,"code":7,"command":7}`, strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)} {
			byKey := must(t, p, wire.CallTool, wire.CallToolRequest{SessionID: id, Name: name, Args: object})
			byToken := callDirectly(t, p, h, name, object)
			require.Equal(t, byKey.IsError, byToken.IsError, name)
			require.Equal(t, byKey.ErrorCode, byToken.ErrorCode, name)
			require.Equal(t, byKey.ErrorHint, byToken.ErrorHint, name)
			if name != "get_metrics" {
				require.Equal(t, masked(byKey.Text()), masked(byToken.Text()), name)
				require.Equal(t, masked(string(byKey.Structured)), masked(string(byToken.Structured)), name)
			}
		}
	}
	// Output that is not held whole, and arguments that are not there.
	large := callDirectly(t, p, h, "shell", `{"command":"yes 0123456789 | head -c 3000000"}`)
	out, err := wire.Shell.Decode(large)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("0123456789\n", 300_000)[:3_000_000], out.Stdout)
	rec := directly(t, p, http.MethodPost, h.LinkURL+wire.DirectCallPath, h.Token, `{"tool":"get_metrics"}`)
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	require.Contains(t, rec.Body.String(), "cpu_count")
}

// numbers are what differs between two calls of one tool.
var numbers = regexp.MustCompile(`"(traceId|duration_us|cpu_time_us|max_rss_bytes|executionTime|execution_time|executionCount|execution_count)":("[^"]*"|[0-9.e+-]+)`)

func masked(s string) string { return numbers.ReplaceAllString(s, `"$1":0`) }

func TestDirectCallsWantTheToken(t *testing.T) {
	p := newPeer(t)
	h, other := handle(t, p, p.create(t, nil)), handle(t, peer{p.handler, keyTwo}, peer{p.handler, keyTwo}.create(t, nil))
	const body = `{"tool":"shell","args":{"command":"touch /tmp/was-here"}}`
	call := h.LinkURL + wire.DirectCallPath
	unknown := strings.Replace(call, h.SessionID, "s-"+strings.Repeat("0", 32), 1)
	want := directly(t, p, http.MethodPost, call, "", body)
	require.Equal(t, http.StatusUnauthorized, want.Code)
	mute := func(rec *httptest.ResponseRecorder) string {
		var env wire.Envelope
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &env))
		require.False(t, env.Success)
		return strings.ReplaceAll(rec.Body.String(), env.RequestID, "")
	}
	for name, try := range map[string]struct {
		target, token string
		headers       []string
	}{
		"another's token":        {target: call, token: other.Token},
		"a token in capitals":    {target: call, token: strings.ToUpper(h.Token)},
		"half a token":           {target: call, token: h.Token[:32]},
		"more than a token":      {target: call, token: h.Token + "0"},
		"a blank":                {target: call, token: h.Token + " 0"},
		"an empty token":         {target: call, headers: []string{wire.HeaderAccessToken, ""}},
		"the key":                {target: call, token: keyOne, headers: []string{"Authorization", "Bearer " + keyOne}},
		"no token but the key":   {target: call, headers: []string{"Authorization", "Bearer " + keyOne}},
		"two tokens":             {target: call, token: h.Token, headers: []string{wire.HeaderAccessToken, h.Token}},
		"a token in the query":   {target: call + "?token=" + h.Token},
		"a very long token":      {target: call, token: strings.Repeat("0", 1<<20)},
		"an unknown session":     {target: unknown, token: h.Token},
		"no session":             {target: "/session//callTool", token: h.Token},
		"nothing":                {target: "/session/", token: h.Token},
		"another session":        {target: other.LinkURL + wire.DirectCallPath, token: h.Token},
		"an encoded session":     {target: strings.Replace(call, "/s-", "/%73-", 1), token: h.Token},
		"another path, no token": {target: h.LinkURL + "/nothing"},
		"a stream, no token":     {target: h.LinkURL + wire.DirectStreamPath},
	} {
		rec := directly(t, p, http.MethodPost, try.target, try.token, body, try.headers...)
		require.Equal(t, http.StatusUnauthorized, rec.Code, name)
		require.Equal(t, mute(want), mute(rec), name)
		for key := range want.Header() {
			if key != wire.HeaderRequestID && key != "Content-Length" {
				require.Equal(t, want.Header()[key], rec.Header()[key], "%s: %s", name, key)
			}
		}
	}
	r := callDirectly(t, p, h, "shell", `{"command":"ls /tmp; env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'"}`)
	require.NotContains(t, r.Text(), "was-here")
	require.NotContains(t, r.Text(), h.Token)

	// A token is good for nothing else.
	for _, header := range []string{"Authorization", wire.HeaderAccessToken} {
		value := h.Token
		if header == "Authorization" {
			value = "Bearer " + value
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp/getSession", strings.NewReader(`{"sessionId":"`+h.SessionID+`"}`))
		r.Header.Set(header, value)
		require.Equal(t, http.StatusUnauthorized, peer{handler: p.handler}.send(t, r).status, header)
	}
	// With the session it ends.
	must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: h.SessionID})
	rec := directly(t, p, http.MethodPost, call, h.Token, body)
	require.Equal(t, http.StatusUnauthorized, rec.Code)
	require.Equal(t, mute(want), mute(rec))
}

func TestDirectCallsOfAnotherForm(t *testing.T) {
	p := newPeer(t)
	h := handle(t, p, p.create(t, nil))
	call := h.LinkURL + wire.DirectCallPath
	for name, try := range map[string]struct {
		method, target, body string
		headers              []string
		status               int
	}{
		"another method":    {http.MethodGet, call, "", nil, http.StatusMethodNotAllowed},
		"a stream by POST":  {http.MethodPost, h.LinkURL + wire.DirectStreamPath, "", nil, http.StatusMethodNotAllowed},
		"another path":      {http.MethodPost, h.LinkURL + "/callTools", "{}", nil, http.StatusNotImplemented},
		"a path below":      {http.MethodPost, call + "/", "{}", nil, http.StatusNotImplemented},
		"no path":           {http.MethodPost, h.LinkURL, "{}", nil, http.StatusNotImplemented},
		"no JSON":           {http.MethodPost, call, "{", nil, http.StatusBadRequest},
		"an array":          {http.MethodPost, call, "[]", nil, http.StatusBadRequest},
		"a number as tool":  {http.MethodPost, call, `{"tool":7}`, nil, http.StatusBadRequest},
		"too deep":          {http.MethodPost, call, strings.Repeat(`{"a":`, 1000), nil, http.StatusBadRequest},
		"too long":          {http.MethodPost, call, `{"x":"` + strings.Repeat("x", wire.BodyLimit) + `"}`, nil, http.StatusRequestEntityTooLarge},
		"compressed":        {http.MethodPost, call, "{}", []string{"Content-Encoding", "gzip"}, http.StatusUnsupportedMediaType},
		"of a web page":     {http.MethodPost, call, "{}", []string{"Origin", "http://example.com"}, http.StatusForbidden},
		"of an opaque page": {http.MethodPost, call, "{}", []string{"Origin", "null"}, http.StatusForbidden},
	} {
		rec := directly(t, p, try.method, try.target, h.Token, try.body, try.headers...)
		require.Equal(t, try.status, rec.Code, "%s: %s", name, rec.Body)
		var env wire.Envelope
		require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &env), name)
		require.False(t, env.Success, name)
		require.NotEmpty(t, env.Message, name)
		require.NotContains(t, rec.Body.String(), h.Token, name)
	}
	// An empty body is an empty object, and names no tool.
	rec := directly(t, p, http.MethodPost, call, h.Token, "")
	require.Equal(t, http.StatusOK, rec.Code)
	require.Contains(t, rec.Body.String(), `"isError":true`)
	// An id that cannot go into logs is not taken.
	rec = directly(t, p, http.MethodPost, call, h.Token, `{"tool":"get_metrics","requestId":"a\nb"}`)
	require.Equal(t, http.StatusOK, rec.Code)
	require.NotContains(t, rec.Body.String(), `a\nb`)
}
