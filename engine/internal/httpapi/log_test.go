package httpapi_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/internal/wire"
)

// TestLogIsNotForged sends what looks like the log's own lines, what terminals
// obey and what is no text wherever a client may say something, and secrets in
// environments and headers: the log stays one JSON object a line, and tells no
// secret.
func TestLogIsNotForged(t *testing.T) {
	const canary, forged = "canary-hunter2hunter2", "forged by a client"
	var log bytes.Buffer // whose writers take turns
	eng, err := engine.New(engine.Config{
		APIKeys: []string{keyOne}, Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Skip("no default runtime here: ", err)
	}
	defer func() { require.NoError(t, eng.Close()) }()
	p := peer{eng.Handler(), keyOne}
	id := p.create(t, nil)
	calls := 0
	for _, said := range []string{
		"\r\n{\"level\":\"ERROR\",\"msg\":\"" + forged + "\"}\r\n", "\x1b[2J\x1b]0;title\a\x1b[31mred", "\xff\xfe\xc0\x80", "\u2028\u2029\u0085\u009b\u202e", "\x00\b\v\f\x7f",
	} {
		headers := func(r *http.Request) *http.Request {
			r.Header.Set("X-Secret", canary+said)
			r.Header.Set("Cookie", "a="+canary)
			r.Header.Set(wire.HeaderRequestID, said)
			r.Header.Set("User-Agent", said)
			return r
		}
		text, err := json.Marshal(map[string]string{"x": said, said: "x"})
		require.NoError(t, err)
		for _, route := range []string{
			wire.CreateSession.Pattern, wire.GetSession.Pattern, wire.ListSessions.Pattern, "POST /" + url.PathEscape(said),
		} {
			method, path, _ := strings.Cut(route, " ")
			query := url.Values{"imageId": {said}, "labels": {string(text)}, "sessionId": {said}, "nextToken": {said}, "sdkStats": {said}, said: {said}}
			body, err := json.Marshal(map[string]any{"labels": string(text), "sessionId": said, "name": said, "mcpPolicyId": said})
			require.NoError(t, err)
			p.send(t, headers(httptest.NewRequestWithContext(t.Context(), method, path+"?"+query.Encode(), bytes.NewReader(body))))
			calls++
		}
		for tool, args := range map[string]any{
			wire.Shell.Name: wire.ShellArgs{Command: said, Dir: said, Env: map[string]string{"SECRET": canary + said, said: canary}},
			"read_file":     map[string]any{"path": said, "content": said},
			"write_file":    map[string]any{"path": "/" + said + "/x", "content": canary},
			said:            map[string]any{said: said},
		} {
			args, err := json.Marshal(args)
			require.NoError(t, err)
			for _, args := range []string{string(args), string(args)[1:], `{"envs":["` + canary + `"]}`} { // and what cannot be understood
				body, err := json.Marshal(wire.CallToolRequest{SessionID: id, Name: tool, Args: args})
				require.NoError(t, err)
				method, path, _ := strings.Cut(wire.CallTool.Pattern, " ")
				p.send(t, headers(httptest.NewRequestWithContext(t.Context(), method, path, bytes.NewReader(body))))
				calls++
			}
		}
		stranger := peer{p.handler, canary + said}
		stranger.send(t, headers(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/sdk/ListSession", http.NoBody)))
	}
	require.NoError(t, eng.Close())

	require.NotContains(t, log.String(), canary)
	require.True(t, utf8.ValidString(log.String()))
	events := 0
	for line := range strings.Lines(log.String()) {
		var event map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &event), "%q", line)
		require.Contains(t, event, slog.MessageKey)
		require.NotEqual(t, forged, event[slog.MessageKey])
		require.Negative(t, strings.IndexFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' }), "%q", line)
		events++
	}
	t.Logf("%d events of %d calls", events, calls)
	require.GreaterOrEqual(t, events, calls/2, "those that reach an operation are told")
}
