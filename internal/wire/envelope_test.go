package wire_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

func TestListTravelsBesideItsData(t *testing.T) {
	none := 0
	for _, list := range []wire.ListSessionsResponse{
		{Page: wire.Page{MaxResults: 10, Count: &none}, Sessions: []wire.SessionEntry{}},
		{Page: wire.Page{NextToken: "t", Selector: "a"}, Sessions: []wire.SessionEntry{{SessionID: "s", Status: wire.StatusRunning}}},
	} {
		env := &wire.Envelope{}
		require.NoError(t, wire.Seal(env, &list))
		b, err := json.Marshal(env)
		require.NoError(t, err)
		var arrived wire.Envelope
		require.NoError(t, json.Unmarshal(b, &arrived))
		got, err := wire.Open[wire.ListSessionsResponse](&arrived)
		require.NoError(t, err)
		require.Equal(t, list, got)
	}
}

func TestOpen(t *testing.T) {
	for _, data := range []string{"", "null", " null ", "{}"} {
		got, err := wire.Open[wire.GetSessionResponse](&wire.Envelope{Data: json.RawMessage(data)})
		require.NoError(t, err, data)
		require.Zero(t, got)
	}
	_, err := wire.Open[wire.GetSessionResponse](&wire.Envelope{Data: json.RawMessage(`"x"`)})
	require.Error(t, err)

	asText, err := wire.Open[wire.CallToolResponse](&wire.Envelope{Data: json.RawMessage(`"{\"isError\":true}"`)})
	require.NoError(t, err)
	require.True(t, asText.IsError)
	tools, err := wire.Open[wire.ListToolsResponse](&wire.Envelope{Data: json.RawMessage(`"[{\"name\":\"shell\"}]"`)})
	require.NoError(t, err)
	require.Equal(t, "shell", tools.Tools[0].Name)
}

func TestFaultsRoundTrip(t *testing.T) {
	for _, code := range []apierr.Code{
		apierr.SessionNotFound, apierr.InvalidArgument, apierr.Unauthenticated, apierr.PermissionDenied, apierr.NotFound,
		apierr.AlreadyExists, apierr.FailedPrecondition, apierr.InterpreterMissing, apierr.ResourceExhausted, apierr.Internal,
		apierr.Unsupported, apierr.Unavailable, apierr.IsolationUnavailable, apierr.DeadlineExceeded, apierr.Canceled,
	} {
		name, status := wire.Fault(code)
		require.Equal(t, code, wire.FaultCode(name, status, ""), code)
	}
	name, status := wire.Fault(apierr.Unknown)
	require.Equal(t, "InternalError", name)
	require.Equal(t, http.StatusInternalServerError, status)
	require.Equal(t, apierr.SessionNotFound, wire.FaultCode("", http.StatusBadRequest, "Session x not found"))
	require.Equal(t, apierr.SessionNotFound, wire.FaultCode("", http.StatusOK, "InvalidMcpSession.NotFound"))
	require.Equal(t, apierr.InvalidArgument, wire.FaultCode("", http.StatusBadRequest, "Image x not found"))
	require.Equal(t, apierr.InvalidArgument, wire.FaultCode("InvalidAction.NotFound", http.StatusBadRequest, "no such api"))
	require.Equal(t, apierr.Unknown, wire.FaultCode("", http.StatusOK, "/mcp/getSessionInfo not found"))
	require.Equal(t, apierr.Unauthenticated, wire.FaultCode("?", http.StatusUnauthorized, "no"))
}
