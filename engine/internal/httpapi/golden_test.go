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

// recordedID is the session of the recording, whose program wrote recordedText
// in three pieces.
const recordedID = "s-786663ffc64c44f7"

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

	session string // instead of recordedID
	written int    // pieces
	shells  int    // calls of each tool
	codes   int
	stats   int
	text    strings.Builder // what was read back
	binary  bytes.Buffer
	lists   int
	calls   int
	links   []string
}

// recorded is a request of the recording.
type recorded struct {
	Method, Path, RawQuery string
	Headers                map[string]string
	Body                   json.RawMessage
}

// TestServesWhatThePythonSDKSent replays the program, request by request, and
// checks that each answer is what the program has to be told.
func TestServesWhatThePythonSDKSent(t *testing.T) {
	p := &replay{peer: newPeer(t), session: recordedID}
	f, err := os.Open("../../../internal/wire/testdata/python-sdk-route-a.jsonl")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8<<20)
	for n := 1; lines.Scan(); n++ {
		var r recorded
		require.NoError(t, json.Unmarshal(bytes.ReplaceAll(lines.Bytes(), []byte(recordedID), []byte(p.session)), &r))
		if strings.HasPrefix(r.Path, "/obj/") {
			continue // to a file store, not to the service
		}
		p.step(t, n, r)
	}
	require.NoError(t, lines.Err())
	require.Equal(t, "deleted", p.session)
	require.Len(t, recordedPieces, p.written)
	require.Equal(t, recordedText, p.text.String())
	require.Equal(t, recordedText, p.binary.String())
	require.Equal(t, []int{2, 2, 2, 3}, []int{p.shells, p.codes, p.stats, p.lists})
	require.Equal(t, 22, p.calls)
	require.Len(t, p.links, 2)
	require.NotEqual(t, p.links[0], p.links[1], "two ports")
}

// step sends a request and checks its answer.
func (p *replay) step(t *testing.T, n int, r recorded) {
	t.Helper()
	body := string(r.Body)
	if body == "null" {
		body = ""
	}
	var call wire.CallToolRequest
	if r.Path == "/mcp" {
		require.NoError(t, json.Unmarshal(r.Body, &call))
		body = p.restore(t, call, body)
	}
	req := httptest.NewRequestWithContext(t.Context(), r.Method, r.Path+"?"+r.RawQuery, strings.NewReader(body))
	for k, v := range r.Headers {
		req.Header.Set(k, v)
	}
	a := p.send(t, req)
	if a.Code == "IsolationUnavailable" {
		t.Skip("no sandboxes here: ", a.Message)
	}
	switch {
	case strings.Contains(r.Path, "Context"):
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
			p.called(t, call, a)
		} else {
			p.answered(t, r, a)
		}
	}
}

// restore returns the body of a call. Of the text that was written the
// recording has no more than the beginning.
func (p *replay) restore(t *testing.T, call wire.CallToolRequest, body string) string {
	t.Helper()
	if call.Name != wire.WriteFile.Name {
		return body
	}
	piece := recordedPieces[p.written]
	at := p.written * wire.ChunkSize
	p.written++
	args, err := json.Marshal(wire.WriteFileArgs{
		Path: "/tmp/agbbig.txt", Content: string([]rune(recordedText)[at : at+piece.runes]), Mode: piece.mode,
	})
	require.NoError(t, err)
	call.Args = string(args)
	b, err := json.Marshal(call)
	require.NoError(t, err)
	return string(b)
}

// called checks the answer of a tool.
func (p *replay) called(t *testing.T, call wire.CallToolRequest, a answer) {
	t.Helper()
	p.calls++
	resp, err := wire.Open[wire.CallToolResponse](&a.Envelope)
	require.NoError(t, err)
	text := resp.Text()
	if strings.Contains(call.Args, "file-transfer") {
		// The file came by a file store, which there is none of.
		require.True(t, resp.IsError, text)
		require.Contains(t, text, "not found")
		return
	}
	exits3 := strings.Contains(call.Args, "exit 3")
	require.Equal(t, exits3, resp.IsError, "%s: %s", call.Name, text)
	switch call.Name {
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
		p.ran(t, call, text)
	case wire.GetFileInfo.Name:
		p.stats++
		require.Contains(t, text, "size: 240000\n")
		require.Contains(t, text, "isDirectory: false\n")
	case wire.ReadFile.Name:
		if !strings.Contains(call.Args, wire.FormatBinary) {
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
func (p *replay) ran(t *testing.T, call wire.CallToolRequest, text string) {
	t.Helper()
	var got struct {
		Result         []string
		Stdout, Stderr []string
		ExecutionCount int
		ExecutionError string
	}
	require.NoError(t, json.Unmarshal([]byte(text), &got))
	require.Equal(t, p.codes, got.ExecutionCount)
	if strings.Contains(call.Args, "1/0") {
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
	default:
		require.Contains(t, []string{"/sdk/SetLabel", "/mcp/refreshSessionIdleTime"}, r.Path)
	}
}
