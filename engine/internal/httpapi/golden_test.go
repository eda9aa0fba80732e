package httpapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServesWhatThePythonSDKSent replays a program of the official Python SDK,
// request by request, with the id of a session of ours in the place of its own.
func TestServesWhatThePythonSDKSent(t *testing.T) {
	p := newPeer(t)
	f, err := os.Open("../../../internal/wire/testdata/python-sdk-route-a.jsonl")
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	const recordedID = "s-786663ffc64c44f7"
	session := recordedID
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 8<<20)
	for n := 1; lines.Scan(); n++ {
		var r struct {
			Method, Path, RawQuery string
			Headers                map[string]string
			Body                   json.RawMessage
		}
		require.NoError(t, json.Unmarshal(bytes.ReplaceAll(lines.Bytes(), []byte(recordedID), []byte(session)), &r))
		if strings.HasPrefix(r.Path, "/obj/") {
			continue // to a file store, not to the service
		}
		body := string(r.Body)
		if body == "null" {
			body = ""
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
		case session == "deleted":
			require.Equal(t, gone, a.Code, n)
		default:
			require.True(t, a.Success, "request %d: %s %s: %s", n, r.Method, r.Path, a.body)
		}
		switch {
		case r.Path == "/mcp/createSession" && a.Success:
			var data struct{ SessionID string }
			require.NoError(t, json.Unmarshal(a.Data, &data))
			session = data.SessionID
		case r.Path == "/mcp/releaseSessionAsync":
			session = "deleted"
		}
	}
	require.NoError(t, lines.Err())
	require.Equal(t, "deleted", session)
}
