package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// recordings are the program's runs, by the route that its tools took. The
// program wrote recordedText in three pieces.
var recordings = map[string]struct{ file, session, token string }{
	"key":   {file: "python-sdk-route-a.jsonl", session: "s-786663ffc64c44f7"},
	"token": {file: "python-sdk-route-b.jsonl", session: "s-ac870e9d48144cf7", token: "5dacdc39af5f413e8172ac85311015a6"},
}

// recordedContext is the transfer context of a recording, with the session's id
// behind it, and recordedDir where it is.
const (
	recordedContext = "SdkCtx-ft-"
	recordedDir     = "/tmp/file-transfer-"
)

// recordedKey is the API key of the recordings.
const recordedKey = "akm-test"

var (
	recordedText   = strings.Repeat("äöü", 40_000)
	recordedPieces = []struct {
		mode  string
		runes int
	}{{wire.WriteOverwrite, wire.ChunkSize}, {wire.WriteAppend, wire.ChunkSize}, {wire.WriteAppend, 120_000 - 2*wire.ChunkSize}}
)

// replay is a program of the official Python SDK on its way through our engine.
type replay struct {
	peer

	session string   // instead of the recorded
	token   string   // of the session
	link    string   // path of the session's direct calls
	context string   // instead of recordedContext
	url     string   // instead of one of the file store
	files   []string // what came from there
	written int      // pieces
	shells  int      // calls of each tool
	codes   int
	stats   int
	text    strings.Builder // what was read back
	binary  bytes.Buffer
	lists   int
	calls   int
	links   []string
}

// recorded is a request of a recording, or a WebSocket frame.
type recorded struct {
	Method, Path, RawQuery string
	Headers                map[string]string
	Body                   json.RawMessage
	WS                     json.RawMessage
}

// direct reports whether it is a call by the session's token. The program's
// server had these below another path.
func (r recorded) direct() bool { return strings.HasSuffix(r.Path, wire.DirectCallPath) }

// TestServesWhatThePythonSDKSent replays the program, request by request, and
// checks that each answer is what the program has to be told.
func TestServesWhatThePythonSDKSent(t *testing.T) {
	for name, recording := range recordings {
		t.Run(name, func(t *testing.T) {
			p := &replay{peer: newPeer(t), session: recording.session, token: recording.token}
			f, err := os.Open("../../../internal/wire/testdata/" + recording.file)
			require.NoError(t, err)
			defer func() { require.NoError(t, f.Close()) }()
			lines := bufio.NewScanner(f)
			lines.Buffer(nil, 8<<20)
			for n := 1; lines.Scan(); n++ {
				line := bytes.ReplaceAll(lines.Bytes(), []byte(recording.session), []byte(p.session))
				if recording.token != "" {
					line = bytes.ReplaceAll(line, []byte(recording.token), []byte(p.token))
				}
				if p.context != "" {
					line = bytes.ReplaceAll(line, []byte(recordedContext+p.session), []byte(p.context))
				}
				var r recorded
				require.NoError(t, json.Unmarshal(line, &r))
				switch {
				case r.WS != nil: // has tests of its own
				case strings.HasPrefix(r.Path, "/obj/"):
					p.store(t, r)
				default:
					p.step(t, n, r)
				}
			}
			require.NoError(t, lines.Err())
			require.Equal(t, "deleted", p.session)
			require.Len(t, recordedPieces, p.written)
			require.Equal(t, recordedText, p.text.String())
			require.Equal(t, recordedText, p.binary.String())
			require.Equal(t, []int{2, 2, 3, 3}, []int{p.shells, p.codes, p.stats, p.lists})
			require.Equal(t, 22, p.calls)
			require.Equal(t, []string{"hello"}, p.files)
			require.Len(t, p.links, 2)
			require.NotEqual(t, p.links[0], p.links[1], "two ports")
		})
	}
}

// store sends a request that was to a file store to the URL that we gave for it.
func (p *replay) store(t *testing.T, r recorded) {
	t.Helper()
	var content string
	if r.Method == http.MethodPut {
		require.NoError(t, json.Unmarshal(r.Body, &content))
	}
	req := httptest.NewRequestWithContext(t.Context(), r.Method, p.url, strings.NewReader(content))
	for k, v := range r.Headers {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, req)
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	require.NotEmpty(t, rec.Header().Get("ETag"))
	if r.Method == http.MethodGet {
		p.files = append(p.files, rec.Body.String())
	}
}

// step sends a request and checks its answer.
func (p *replay) step(t *testing.T, n int, r recorded) {
	t.Helper()
	body := string(r.Body)
	if body == "null" {
		body = ""
	}
	if r.direct() {
		p.callDirectly(t, r)
		return
	}
	var call wire.CallToolRequest
	if r.Path == "/mcp" {
		require.NoError(t, json.Unmarshal(r.Body, &call))
		if call.Name == wire.WriteFile.Name {
			call.Args = p.restore(t)
			b, err := json.Marshal(call)
			require.NoError(t, err)
			body = string(b)
		}
	}
	req := httptest.NewRequestWithContext(t.Context(), r.Method, r.Path+"?"+r.RawQuery, strings.NewReader(body))
	for k, v := range r.Headers {
		req.Header.Set(k, strings.ReplaceAll(v, recordedKey, p.key))
	}
	a := p.send(t, req)
	if a.Code == "IsolationUnavailable" {
		t.Skip("no sandboxes here: ", a.Message)
	}
	switch {
	case r.Path == "/sdk/GetContext", r.Path == "/sdk/ListContexts":
		require.Equal(t, "Unsupported", a.Code, n)
	case req.Header.Get("Authorization") == "Bearer bad":
		require.Equal(t, http.StatusUnauthorized, a.status, n)
	case strings.Contains(r.RawQuery, "imageId=nope"):
		require.Equal(t, "InvalidParameter", a.Code, n)
	case p.session == "deleted":
		require.Equal(t, gone, a.Code, n)
	default:
		require.True(t, a.Success, "request %d: %s %s: %s", n, r.Method, r.Path, a.body)
		if r.Path == "/mcp" {
			resp, err := wire.Open[wire.CallToolResponse](&a.Envelope)
			require.NoError(t, err)
			p.called(t, call.Name, call.Args, &resp)
		} else {
			p.answered(t, r, a)
		}
	}
}

// callDirectly sends a direct call and checks its answer.
func (p *replay) callDirectly(t *testing.T, r recorded) {
	t.Helper()
	var call wire.DirectCallRequest
	require.NoError(t, json.Unmarshal(r.Body, &call))
	require.Equal(t, p.token, call.Token)
	if call.Tool == wire.WriteFile.Name {
		call.Args = json.RawMessage(p.restore(t))
	}
	body, err := json.Marshal(call)
	require.NoError(t, err)
	req := httptest.NewRequestWithContext(t.Context(), r.Method, p.link, bytes.NewReader(body))
	for k, v := range r.Headers {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, req)
	if p.session == "deleted" {
		require.Equal(t, http.StatusUnauthorized, rec.Code)
		return
	}
	require.Equal(t, http.StatusOK, rec.Code, rec.Body)
	resp, id, err := wire.DirectResult(rec.Body.Bytes())
	require.NoError(t, err)
	require.NotNil(t, resp, rec.Body)
	require.Equal(t, call.RequestID, id)
	require.Len(t, resp.Content, 1)
	p.called(t, call.Tool, string(call.Args), resp)
}

// restore returns the arguments of a call that writes. Of the text that was
// written the recordings have no more than the beginning.
func (p *replay) restore(t *testing.T) string {
	t.Helper()
	piece := recordedPieces[p.written]
	at := p.written * wire.ChunkSize
	p.written++
	args, err := json.Marshal(wire.WriteFileArgs{
		Path: "/tmp/agbbig.txt", Content: string([]rune(recordedText)[at : at+piece.runes]), Mode: piece.mode,
	})
	require.NoError(t, err)
	return string(args)
}

// called checks the answer of a tool.
func (p *replay) called(t *testing.T, tool, args string, resp *wire.CallToolResponse) {
	t.Helper()
	p.calls++
	text := resp.Text()
	exits3 := strings.Contains(args, "exit 3")
	require.Equal(t, exits3, resp.IsError, "%s: %s", tool, text)
	switch tool {
	case wire.Shell.Name:
		p.shells++
		var got map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &got))
		if exits3 {
			require.EqualValues(t, 3, got["exit_code"])
			return
		}
		require.Equal(t, "hi\n/tmp\n1\n", got["stdout"])
		require.Equal(t, "err\n", got["stderr"])
		require.EqualValues(t, 0, got["exit_code"])
	case wire.RunCode.Name:
		p.codes++
		p.ran(t, args, text)
	case wire.GetFileInfo.Name:
		p.stats++
		size := "size: 240000\n"
		if strings.Contains(args, recordedDir) {
			size = "size: 5\n"
		}
		require.Contains(t, text, size)
		require.Contains(t, text, "isDirectory: false\n")
	case wire.ReadFile.Name:
		if strings.Contains(args, recordedDir) {
			require.Equal(t, "hello", text)
			return
		}
		if !strings.Contains(args, wire.FormatBinary) {
			p.text.WriteString(text)
			return
		}
		b, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		p.binary.Write(b)
	case wire.GetMetrics.Name:
		var m wire.Metrics
		require.NoError(t, json.Unmarshal([]byte(text), &m))
		require.Positive(t, m.CPUCount)
		require.Positive(t, m.MemTotal)
	}
}

// ran checks the answer of code: print('x') and 1+1, then 1/0.
func (p *replay) ran(t *testing.T, args, text string) {
	t.Helper()
	var got struct {
		Result         []string
		Stdout, Stderr []string
		ExecutionCount int
		ExecutionError string
	}
	require.NoError(t, json.Unmarshal([]byte(text), &got))
	require.Equal(t, p.codes, got.ExecutionCount)
	if strings.Contains(args, "1/0") {
		require.Contains(t, got.ExecutionError, "ZeroDivisionError")
		require.Contains(t, strings.Join(got.Stderr, ""), "ZeroDivisionError")
		return
	}
	require.Empty(t, got.ExecutionError)
	require.Equal(t, []string{"x\n"}, got.Stdout)
	require.Len(t, got.Result, 1)
	var item map[string]any
	require.NoError(t, json.Unmarshal([]byte(got.Result[0]), &item))
	require.Equal(t, "2", item["text/plain"])
	require.Equal(t, true, item[wire.ItemMain])
}

// answered checks the answer of an operation other than a tool.
func (p *replay) answered(t *testing.T, r recorded, a answer) {
	t.Helper()
	var data map[string]any
	if len(a.Data) > 0 && a.Data[0] == '{' {
		require.NoError(t, json.Unmarshal(a.Data, &data))
	}
	switch r.Path {
	case "/mcp/createSession":
		require.Equal(t, true, data["success"])
		require.Empty(t, data["errMsg"])
		require.NotEmpty(t, data["resourceUrl"])
		require.Regexp(t, "^s-", data["sessionId"])
		p.session = data["sessionId"].(string)
		p.token = data["token"].(string)
		p.link = strings.TrimPrefix(data["linkUrl"].(string), "http://example.com") + wire.DirectCallPath // what requests of httptest say
	case "/mcp/releaseSessionAsync":
		p.session = "deleted"
	case "/mcp/getSession":
		require.Equal(t, p.session, data["sessionId"])
		require.NotEmpty(t, data["appInstanceId"])
	case "/mcp/getSessionInfo":
		require.Equal(t, wire.StatusRunning, data["status"])
	case "/mcp/getMcpResource":
		require.Equal(t, p.session, data["sessionId"])
		require.Contains(t, data["resourceUrl"], "http")
	case "/sdk/ListSession":
		p.lists++
		require.Contains(t, string(a.Data), p.session)
		require.Equal(t, 10, a.MaxResults)
		require.Positive(t, *a.Count)
	case "/sdk/GetLabel":
		require.JSONEq(t, `{"labels":"{\"k\":\"v\"}"}`, string(a.Data))
	case "/mcp/listTools":
		var text string
		require.NoError(t, json.Unmarshal(a.Data, &text))
		require.Contains(t, text, `"name":"run_code"`)
	case "/internet/getLink":
		require.Regexp(t, "^http://.+/link/", data["url"])
		p.links = append(p.links, data["url"].(string))
	case "/sdk/GetAndLoadInternalContext":
		var contexts []map[string]string
		require.NoError(t, json.Unmarshal(a.Data, &contexts))
		require.Len(t, contexts, 1)
		require.Equal(t, wire.ContextFileTransfer, contexts[0]["contextType"])
		require.NotEmpty(t, contexts[0]["contextPath"])
		p.context = contexts[0]["contextId"]
	case "/sdk/GetContextFileUploadUrl", "/sdk/GetContextFileDownloadUrl":
		require.NotEqual(t, p.url, data["url"])
		require.Positive(t, data["expireTime"])
		p.url = data["url"].(string)
	case "/sdk/GetContextInfo":
		require.Contains(t, string(a.Data), p.context)
		require.Contains(t, string(a.Data), recordedDir+p.session)
		require.Contains(t, string(a.Data), wire.TaskSuccess)
	default:
		require.Contains(t, []string{"/sdk/SetLabel", "/mcp/refreshSessionIdleTime", "/sdk/SyncContext"}, r.Path)
	}
}
