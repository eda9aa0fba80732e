package wire_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// recorded is a request as the official Python SDK sent it.
type recorded struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Query   string            `json:"rawquery"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// request returns it as a server sees it.
func (r recorded) request(t *testing.T) *http.Request {
	t.Helper()
	body := r.Body
	if bytes.Equal(body, []byte("null")) {
		body = nil
	}
	req := httptest.NewRequestWithContext(t.Context(), r.Method, r.Path+"?"+r.Query, bytes.NewReader(body))
	for k, v := range r.Headers {
		if k != "Content-Length" {
			req.Header.Set(k, v)
		}
	}
	return req
}

// recordings returns every recorded HTTP request.
func recordings(t *testing.T) []recorded {
	t.Helper()
	files, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(t, err)
	require.Len(t, files, 2)
	var all []recorded
	for _, name := range files {
		f, err := os.Open(name)
		require.NoError(t, err)
		defer func() { require.NoError(t, f.Close()) }()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 8<<20)
		for lines.Scan() {
			var r recorded
			require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
			if r.Method != "" { // a WebSocket frame has none
				all = append(all, r)
			}
		}
		require.NoError(t, lines.Err())
	}
	return all
}

// reader reads a request as one operation.
type reader func(*http.Request) (any, error)

func readerOf[Req, Resp any](op wire.Op[Req, Resp]) (string, reader) {
	return op.Pattern, func(r *http.Request) (any, error) { return op.ReadRequest(httptest.NewRecorder(), r) }
}

// readers returns the readers of all operations, by pattern.
func readers() map[string]reader {
	m := map[string]reader{}
	add := func(pattern string, read reader) { m[pattern] = read }
	add(readerOf(wire.CreateSession))
	add(readerOf(wire.GetSession))
	add(readerOf(wire.SessionStatus))
	add(readerOf(wire.ListSessions))
	add(readerOf(wire.DeleteSession))
	add(readerOf(wire.ReleaseSession))
	add(readerOf(wire.KeepAlive))
	add(readerOf(wire.SetLabels))
	add(readerOf(wire.GetLabels))
	add(readerOf(wire.SessionInfo))
	add(readerOf(wire.GetLink))
	add(readerOf(wire.GetLinkAsync))
	add(readerOf(wire.CallTool))
	add(readerOf(wire.ListTools))
	add(readerOf(wire.LoadContext))
	add(readerOf(wire.UploadURL))
	add(readerOf(wire.DownloadURL))
	add(readerOf(wire.SyncContext))
	add(readerOf(wire.ContextInfo))
	add(readerOf(wire.DirectCall))
	return m
}

// beyond reports whether a path is of a part of AGB that package wire does not
// declare: persistent contexts and the store of files.
func beyond(path string) bool {
	return path == "/sdk/GetContext" || path == "/sdk/ListContexts" || strings.HasPrefix(path, "/obj/")
}

func TestReadsWhatThePythonSDKSent(t *testing.T) {
	ops, seen := readers(), map[string]bool{}
	for _, r := range recordings(t) {
		if beyond(r.Path) {
			continue
		}
		pattern := r.Method + " " + r.Path
		if strings.HasSuffix(pattern, wire.DirectCallPath) {
			pattern = wire.DirectCall.Pattern // below a URL of the session's
		}
		require.Contains(t, ops, pattern)
		req, err := ops[pattern](r.request(t))
		require.NoError(t, err, pattern)
		require.NotZero(t, req, pattern)
		seen[pattern] = true
	}
	for pattern := range ops {
		if pattern != wire.ReleaseSession.Pattern && pattern != wire.GetLinkAsync.Pattern { // which it does not use
			require.True(t, seen[pattern], "%s was not recorded", pattern)
		}
	}
}

func TestReadsTheFieldsThatThePythonSDKSent(t *testing.T) {
	all := recordings(t)
	created, err := wire.CreateSession.ReadRequest(httptest.NewRecorder(), all[0].request(t))
	require.NoError(t, err)
	require.Equal(t, wire.CreateSessionRequest{
		ImageID: "agb-code-space-1", Policy: "pol-1", Timeout: 300, Labels: wire.TextOf(map[string]string{"a": "b"}),
		Stats: wire.TextOf(wire.Stats{Source: "sdk", Language: "python", Version: "0.12.0"}),
	}, created)

	called, err := wire.CallTool.ReadRequest(httptest.NewRecorder(), all[1].request(t))
	require.NoError(t, err)
	require.Equal(t, wire.Shell.Name, called.Name)
	var args wire.ShellArgs
	require.NoError(t, json.Unmarshal([]byte(called.Args), &args))
	require.Equal(t, wire.ShellArgs{
		Command: "echo hi; echo err >&2; pwd; echo $X", TimeoutMS: 1000, Dir: "/tmp", Env: map[string]string{"X": "1"},
	}, args)
}
