package wire_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// rereads checks that a request which was understood can be sent again and is
// understood as the same.
func rereads[Req, Resp any](t *testing.T, op wire.Op[Req, Resp], query, body string) {
	t.Helper()
	r := &http.Request{Method: op.Method(), URL: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody).URL, Body: http.NoBody}
	r.URL.RawQuery = query
	if body != "" {
		r = httptest.NewRequestWithContext(t.Context(), op.Method(), "/", strings.NewReader(body))
		r.URL.RawQuery = query
	}
	req, err := op.ReadRequest(httptest.NewRecorder(), r)
	if err != nil {
		return
	}
	method, target, again, err := op.NewRequest(req)
	require.NoError(t, err)
	second, err := op.ReadRequest(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(string(again))))
	require.NoError(t, err)
	a, err := json.Marshal(req)
	require.NoError(t, err)
	b, err := json.Marshal(second)
	require.NoError(t, err)
	require.JSONEq(t, string(a), string(b))
}

func FuzzReadRequest(f *testing.F) {
	f.Add("imageId=host&sdkStats=%7B%7D", `{"labels":"{\"a\":\"b\"}","timeout":300}`)
	f.Add("autoGenSession=false", `{"sessionId":"s","name":"shell","args":"{}"}`)
	f.Add("sessionId=s&Labels=%7B%22k%22%3A+%22v%22%7D", "")
	f.Add("", `{"args":{"a":[1]},"server":"s","requestId":"r","tool":"shell","token":"t"}`)
	f.Add("maxResults=10&labels=%7B%7D&nextToken=t", "")
	f.Add("sessionId=s&port=30100&protocolType=https", "{}")
	f.Add("imageId=host", `{"lifetimeMs":1.5,"limits":{"memoryBytes":1e6,"milliCpu":500}}`)
	f.Add("labels=%7B%7D&labelSelector=a&maxResults=1", `{"sessionId":"s","lifetimeMs":60000}`)
	f.Add("sessionId=s&contextTypes=%5B%22file_transfer%22%5D", "{}")
	f.Add("sessionId=s&contextId=c&path=%2Ftmp&mode=download", "{}")
	f.Fuzz(func(t *testing.T, query, body string) {
		rereads(t, wire.CreateSession, query, body)
		rereads(t, wire.CallTool, query, body)
		rereads(t, wire.DirectCall, query, body)
		rereads(t, wire.SetLabels, query, body)
		rereads(t, wire.ListSessions, query, body)
		rereads(t, wire.GetLink, query, body)
		rereads(t, wire.ExtendSession, query, body)
		rereads(t, wire.ListRecords, query, body)
		rereads(t, wire.LoadContext, query, body)
		rereads(t, wire.SyncContext, query, body)
	})
}

func FuzzOpen(f *testing.F) {
	f.Add(`{"success":true,"data":{"sessionId":"s","toolList":"[{\"name\":\"x\"}]"}}`)
	f.Add(`{"success":true,"data":[{"sessionId":"s"}],"count":1,"nextToken":"t"}`)
	f.Add(`{"success":true,"data":[{"sessionId":"s","createdAt":"2030-01-02T03:04:05Z","usage":{"cpuUs":1}}]}`)
	f.Add(`{"data":"{\"content\":[{\"type\":\"text\",\"text\":\"x\"}]}"}`)
	f.Fuzz(func(_ *testing.T, text string) {
		var env wire.Envelope
		if json.Unmarshal([]byte(text), &env) != nil {
			return
		}
		_, _ = wire.Open[wire.GetSessionResponse](&env)
		_, _ = wire.Open[wire.ListSessionsResponse](&env)
		_, _ = wire.Open[wire.ListRecordsResponse](&env)
		_, _ = wire.Open[wire.SessionInfoResponse](&env)
		_, _ = wire.Open[wire.CapabilitiesResponse](&env)
		_, _ = wire.Open[wire.ListToolsResponse](&env)
		_, _ = wire.Open[wire.GetLabelsResponse](&env)
		if call, err := wire.Open[wire.CallToolResponse](&env); err == nil {
			_ = call.Text()
		}
	})
}

func FuzzToolText(f *testing.F) {
	f.Add("path: /a\nsize: 7\nisDirectory: false\npermissions: 640\n")
	f.Add("[DIR] d\n[FILE] f\n")
	f.Add("/a:\nx\n---\n/b:\ny")
	f.Add("/a\n/b")
	f.Add(`{"stdout":"","exit_code":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		resp := &wire.CallToolResponse{Content: []wire.Content{{Type: "text", Text: text}}}
		stable(t, wire.GetFileInfo, resp)
		stable(t, wire.ListDirectory, resp)
		stable(t, wire.SearchFiles, resp)
		stable(t, wire.ReadMultipleFiles, resp)
		stable(t, wire.Shell, resp)
		stable(t, wire.RunCode, resp)
		stable(t, wire.GetFileChange, resp)
	})
}

// stable checks that what was understood can be told again.
func stable[Args, Out any](t *testing.T, tool wire.Tool[Args, Out], resp *wire.CallToolResponse) {
	t.Helper()
	out, err := tool.Decode(resp)
	if err != nil {
		return
	}
	again, err := tool.Encode(out)
	require.NoError(t, err)
	_, err = tool.Decode(&again)
	require.NoError(t, err)
}

func FuzzJSONText(f *testing.F) {
	f.Add(`{"a":"b"}`)
	f.Add(`"{\"a\":\"b\"}"`)
	f.Add(`""`)
	f.Fuzz(func(t *testing.T, text string) {
		var v wire.JSONText[map[string]string]
		if !utf8.ValidString(text) || json.Unmarshal([]byte(text), &v) != nil {
			return
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		var again wire.JSONText[map[string]string]
		require.NoError(t, json.Unmarshal(b, &again))
		require.Equal(t, v, again)
	})
}

func FuzzCheckDepth(f *testing.F) {
	f.Add(`{"a":[[]]}`, 2)
	f.Add(`"[[[\"[["`, 0)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil || limit < 0 {
			return
		}
		// The other way round does not hold: of equal keys the last one stays.
		if wire.CheckDepth([]byte(text), limit) == nil {
			require.LessOrEqual(t, depth(v), limit)
		}
	})
}

func depth(v any) int {
	deepest := -1
	switch v := v.(type) {
	case []any:
		deepest = 0
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	case map[string]any:
		deepest = 0
		for _, e := range v {
			deepest = max(deepest, depth(e))
		}
	}
	return deepest + 1
}

func FuzzDirectResult(f *testing.F) {
	f.Add(`{"code":200,"data":{"requestId":"r","result":{"isError":false,"content":[{"type":"text","text":"a"}]}}}`)
	f.Add(`{"data":"{\"result\":{\"content\":[\"a\",{\"blob\":\"YQ==\"}]}}"}`)
	f.Fuzz(func(t *testing.T, body string) {
		resp, _, err := wire.DirectResult([]byte(body))
		if resp == nil {
			return
		}
		require.NoError(t, err)
		for _, c := range resp.Content {
			require.NotEmpty(t, c.Type)
		}
		// Told again it is the same.
		again, err := json.Marshal(wire.DirectCallResponse{Data: wire.DirectCallData{Result: resp}})
		require.NoError(t, err)
		second, _, err := wire.DirectResult(again)
		require.NoError(t, err)
		require.Equal(t, resp.Text(), second.Text())
		require.Equal(t, resp.IsError, second.IsError)
	})
}
