package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

func TestDirectResult(t *testing.T) {
	for body, want := range map[string]wire.CallToolResponse{
		`{"code":200,"data":{"requestId":"r","result":{"isError":false,"content":[{"type":"text","text":"a"}]}}}`:     {Content: []wire.Content{{Type: "text", Text: "a"}}},
		`{"requestId":"r","data":"{\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}}"}`: {IsError: true, Content: []wire.Content{{Type: "text", Text: "a"}}},
		`{"requestId":"r","data":{"result":{"content":["a","b"]}}}`:                                                   {Content: []wire.Content{{Type: "text", Text: "a"}, {Type: "text", Text: "b"}}},
		`{"requestId":"r","data":{"result":{"content":[{"text":"a"}]}}}`:                                              {Content: []wire.Content{{Type: "text", Text: "a"}}},
		`{"requestId":"r","data":{"result":{"content":[{"blob":"YQ=="}]}}}`:                                           {Content: []wire.Content{{Type: "image", Blob: "YQ=="}}},
		`{"requestId":"r","data":{"result":{"content":[{"type":"image","data":"YQ=="}]}}}`:                            {Content: []wire.Content{{Type: "image", Data: "YQ=="}}},
		`{"requestId":"r","data":{"result":{"isError":true,"errorCode":"NotFound","errorHint":"h","content":[""]}}}`:  {IsError: true, ErrorCode: "NotFound", ErrorHint: "h", Content: []wire.Content{{Type: "text"}}},
		`{"requestId":"r","data":{"result":{"structuredContent":{"a":1},"content":null}}}`:                            {Structured: json.RawMessage(`{"a":1}`)},
		`{"requestId":"r","data":{"result":{}},"code":"200"}`:                                                         {},
	} {
		resp, id, err := wire.DirectResult([]byte(body))
		require.NoError(t, err, body)
		require.Equal(t, "r", id, body)
		require.NotNil(t, resp, body)
		require.Equal(t, want, *resp, body)
	}
	for _, body := range []string{`{"code":200}`, `{"data":null}`, `{"data":{}}`, `{"data":{"result":null}}`, `{"data":{"result":"x"}}`, `{"data":""}`, `{"data":{"result":[]}}`} {
		resp, _, err := wire.DirectResult([]byte(body))
		require.NoError(t, err, body)
		require.Nil(t, resp, body)
	}
	for _, body := range []string{``, `[]`, `x`, `{"data":"x"}`, `{"data":7}`, `{"data":{"result":{"content":7}}}`, `{"data":{"result":{"content":[7]}}}`} {
		_, _, err := wire.DirectResult([]byte(body))
		require.Error(t, err, body)
	}
}

func TestToolList(t *testing.T) {
	for text, want := range map[string]wire.ToolList{
		`"[{\"name\":\"shell\",\"server\":\"s\"}]"`:                     {{Name: "shell", Server: "s"}},
		`[{"name":"shell","server":"s"},{"Name":"a","serverName":"b"}]`: {{Name: "shell", Server: "s"}, {Name: "a", Server: "b"}},
		`""`: nil, `null`: nil, `"[]"`: nil, `"x"`: nil, `7`: nil, `{"shell":"s"}`: nil, `[7]`: nil,
	} {
		var h wire.SessionHandle
		require.NoError(t, json.Unmarshal([]byte(`{"sessionId":"s-1","toolList":`+text+`}`), &h), text)
		require.Equal(t, "s-1", h.SessionID)
		require.Equal(t, want, h.ToolList, text)
	}
	b, err := json.Marshal(wire.SessionHandle{ToolList: wire.ToolList{{Name: "shell", Server: "s"}}})
	require.NoError(t, err)
	require.JSONEq(t, `{"toolList":"[{\"name\":\"shell\",\"server\":\"s\"}]"}`, string(b))
	b, err = json.Marshal(wire.SessionHandle{})
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(b))
}
