package wire_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

func TestIntegersMayComeAsFloats(t *testing.T) {
	var sh wire.ShellArgs
	require.NoError(t, wire.Unmarshal([]byte(`{"command":"c","timeout_ms":1000.0,"cwd":"/","envs":{"a":"b"}}`), &sh))
	require.Equal(t, wire.ShellArgs{Command: "c", TimeoutMS: 1000, Dir: "/", Env: map[string]string{"a": "b"}}, sh)
	for text, ms := range map[string]int64{"0.2": 1, "1e3": 1000, "1000.5": 1001, "-0.5": -1, "null": 0, "9223372036854775807": 1<<63 - 1} {
		var sh wire.ShellArgs
		require.NoError(t, wire.Unmarshal([]byte(`{"timeout_ms":`+text+`}`), &sh), text)
		require.Equal(t, ms, sh.TimeoutMS, text)
	}
	var code wire.RunCodeArgs
	require.NoError(t, wire.Unmarshal([]byte(`{"code":"c","language":"l","timeout_s":1.5,"timeout_ms":2.0}`), &code))
	require.Equal(t, wire.RunCodeArgs{Code: "c", Language: "l", TimeoutS: 2, TimeoutMS: 2}, code)
	var read wire.ReadFileArgs
	require.NoError(t, wire.Unmarshal([]byte(`{"path":"p","offset":0.0,"length":51200.0,"format":"f"}`), &read))
	require.Equal(t, wire.ReadFileArgs{Path: "p", Length: 51200, Format: "f"}, read)
	var create wire.CreateSessionRequest
	require.NoError(t, wire.Unmarshal([]byte(`{"timeout":300.0,"mcpPolicyId":"p"}`), &create))
	require.Equal(t, wire.CreateSessionRequest{Timeout: 300, Policy: "p"}, create)
	require.NoError(t, wire.Unmarshal([]byte(`{"timeout":1e18}`), &create))
	require.Greater(t, create.Timeout, 1<<30)
}

// malformed reads JSON that is not a Req and returns what is said of that.
func malformed[Req any](t *testing.T, text string) string {
	t.Helper()
	var req Req
	err := wire.Unmarshal([]byte(text), &req)
	var format *wire.FormatError
	require.ErrorAs(t, err, &format, text)
	return format.Error()
}

func TestFormatErrorsSpeakOfTheProtocol(t *testing.T) {
	for text, want := range map[string]string{
		`{"timeout_ms":"1"}`:                 "timeout_ms: want an integer",
		`{"timeout_ms":1e30}`:                "timeout_ms: want an integer",
		`{"timeout_ms":1e999}`:               "timeout_ms: want an integer",
		`{"timeout_ms":9223372036854775808}`: "timeout_ms: want an integer",
		`{"command":1}`:                      "command: want a string",
		`{"envs":[]}`:                        "envs: want an object",
		`{"envs":{"a":1}}`:                   "envs: want a string",
		`[]`:                                 "want an object",
	} {
		require.Equal(t, want, malformed[wire.ShellArgs](t, text), text)
	}
	require.Equal(t, "offset: want an integer", malformed[wire.ReadFileArgs](t, `{"offset":0.5}`))
	require.Equal(t, "edits.oldText: want a string", malformed[wire.EditFileArgs](t, `{"edits":[{"oldText":1}]}`))
	require.Equal(t, "edits: want an array", malformed[wire.EditFileArgs](t, `{"edits":{}}`))
	require.Equal(t, "dryRun: want true or false", malformed[wire.EditFileArgs](t, `{"dryRun":1}`))
	require.Equal(t, "timeout: want an integer", malformed[wire.CreateSessionRequest](t, `{"timeout":"5m"}`))
	require.Equal(t, "labels: want an object", malformed[wire.CreateSessionRequest](t, `{"labels":"{"}`))
	require.Equal(t, "labels: want an object", malformed[wire.CreateSessionRequest](t, `{"labels":[]}`))
	require.Contains(t, malformed[wire.ShellArgs](t, `{`), "invalid JSON: ")
	require.Less(t, len(malformed[wire.CreateSessionRequest](t, `{"labels":{"`+strings.Repeat("é", 1000)+`":null}}`)), 200)
}

func TestQueryErrorsSpeakOfTheProtocol(t *testing.T) {
	try := func(query string) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+query, http.NoBody)
		_, err := wire.ListSessions.ReadRequest(httptest.NewRecorder(), r)
		var format *wire.FormatError
		require.ErrorAs(t, err, &format, query)
		return format.Error()
	}
	require.Equal(t, "maxResults: want an integer", try("maxResults=x"))
	require.Equal(t, "labels: want an object", try("labels="+url.QueryEscape(`[]`)))
	require.Equal(t, "labels.k: want a string", try("labels="+url.QueryEscape(`{"k":[]}`)))
	require.Equal(t, "query: malformed", try("a=%zz"))
}

func TestLabelsMayBeScalars(t *testing.T) {
	want := map[string]string{"i": "5", "f": "1.50", "b": "true", "s": "x"}
	const object = `{"i":5,"f":1.50,"b":true,"s":"x"}`
	asText, err := json.Marshal(object)
	require.NoError(t, err)
	for _, labels := range []string{object, string(asText)} {
		var req wire.CreateSessionRequest
		require.NoError(t, wire.Unmarshal([]byte(`{"labels":`+labels+`}`), &req), labels)
		require.Equal(t, want, req.Labels.V)
	}
	for _, bad := range []string{`{"k":null}`, `{"k":{}}`, `{"k":[1]}`} {
		require.Equal(t, "labels.k: want a string", malformed[wire.CreateSessionRequest](t, `{"labels":`+bad+`}`))
	}
}

func TestTextHasItsText(t *testing.T) {
	b, err := json.Marshal(wire.Content{Type: "text"})
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"text","text":""}`, string(b))
	b, err = json.Marshal(wire.Content{Type: "image", Data: "aQ==", MIMEType: "image/png"})
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"image","data":"aQ==","mimeType":"image/png"}`, string(b))
}
