package httpapi

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// TestPanicsAreAnswered asks an API without an engine, which panics.
func TestPanicsAreAnswered(t *testing.T) {
	var log bytes.Buffer
	api := New(Config{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	rec := httptest.NewRecorder()
	api.Handler(func(*http.Request) (string, bool) { return "t", true }).
		ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, wire.ListSessions.Pattern[len("GET "):], http.NoBody))
	require.Equal(t, http.StatusInternalServerError, rec.Code)
	var env wire.Envelope
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &env))
	require.Equal(t, "InternalError", env.Code)
	require.Equal(t, "internal error", env.Message)
	require.Contains(t, log.String(), env.RequestID)
	require.Contains(t, log.String(), "nil pointer")
}
