package wire_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

func TestReadsTheTransferThatThePythonSDKSent(t *testing.T) {
	const id, context = "s-786663ffc64c44f7", "SdkCtx-ft-s-786663ffc64c44f7"
	const dir = "/tmp/file-transfer-" + id
	read := map[string]any{}
	ops := readers()
	for _, r := range recordings(t)[:50] { // one program's
		if pattern := r.Method + " " + r.Path; !beyond(r.Path) && ops[pattern] != nil {
			req, err := ops[pattern](r.request(t))
			require.NoError(t, err)
			read[pattern] = req
		}
	}
	require.Equal(t, wire.LoadContextRequest{SessionID: id, Types: wire.TextOf([]string{wire.ContextFileTransfer})}, read[wire.LoadContext.Pattern])
	require.Equal(t, wire.FileURLRequest{ContextID: context, Path: dir + "/u.txt"}, read[wire.UploadURL.Pattern])
	require.Equal(t, wire.FileURLRequest{ContextID: context, Path: dir + "/u.txt"}, read[wire.DownloadURL.Pattern])
	require.Equal(t, wire.SyncContextRequest{SessionID: id, ContextID: context, Path: dir, Mode: wire.SyncUpload}, read[wire.SyncContext.Pattern])
	require.Equal(t, wire.ContextInfoRequest{SessionID: id, ContextID: context, Path: dir, TaskType: wire.SyncUpload}, read[wire.ContextInfo.Pattern])
}

// The tasks are three layers of JSON, as the official SDKs take them apart.
func TestContextInfoIsTextInTextInText(t *testing.T) {
	task := wire.ContextTask{ContextID: "c", Path: "/tmp/<é>\"", Status: wire.TaskSuccess, Started: 1, Finished: 2, Type: wire.SyncDownload}
	resp := wire.ContextInfoResponse{}
	resp.Status.V = []wire.ContextStatus{{Type: wire.StatusData, Data: wire.JSONText[[]wire.ContextTask]{V: []wire.ContextTask{task}}}}
	var env wire.Envelope
	require.NoError(t, wire.Seal(&env, &resp))
	var data struct{ ContextStatus string }
	require.NoError(t, json.Unmarshal(env.Data, &data))
	var items []struct{ Type, Data string }
	require.NoError(t, json.Unmarshal([]byte(data.ContextStatus), &items))
	require.Len(t, items, 1)
	require.Equal(t, "data", items[0].Type)
	require.JSONEq(t, `[{"contextId":"c","path":"/tmp/<é>\"","errorMessage":"","status":"Success","startTime":1,"finishTime":2,"taskType":"download"}]`, items[0].Data)
	again, err := wire.Open[wire.ContextInfoResponse](&env)
	require.NoError(t, err)
	require.Equal(t, resp, again)

	for _, none := range []string{`{"contextStatus":""}`, `{}`, `{"contextStatus":"[]"}`} {
		resp, err := wire.Open[wire.ContextInfoResponse](&wire.Envelope{Data: []byte(none)})
		require.NoError(t, err)
		require.Empty(t, resp.Status.V)
	}
}

func TestContextTypesAreJSONText(t *testing.T) {
	for _, bad := range []string{"file_transfer", "{}", "[1]", `"file_transfer"`} {
		r := httptest.NewRequestWithContext(t.Context(), wire.LoadContext.Method(), "/", nil)
		r.URL.RawQuery = "sessionId=s&contextTypes=" + bad
		_, err := wire.LoadContext.ReadRequest(httptest.NewRecorder(), r)
		var malformed *wire.FormatError
		require.ErrorAs(t, err, &malformed, bad)
	}
}
