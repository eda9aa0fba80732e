package code_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/wire"
)

const key = "akm-0123456789abcdef"

// asAGB hides what is ours, as AGB's own service does not have it.
func asAGB(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/") {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// sessionOf returns a session of the service at a URL.
func sessionOf(t *testing.T, url string) (*agb.Client, *agb.Session) {
	t.Helper()
	c, err := agb.New(agb.WithAPIKey(key), agb.WithEndpoint(url))
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	created, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "agb-code-space-1"})
	require.NoError(t, err)
	return c, created.Session
}

// TestRunStreamsOverSockets runs code in a real session of a server that has
// AGB's protocol alone.
func TestRunStreamsOverSockets(t *testing.T) {
	eng, err := engine.New(engine.Config{APIKeys: []string{key}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	srv := httptest.NewServer(asAGB(eng.Handler()))
	t.Cleanup(srv.Close)
	c, created := sessionOf(t, srv.URL)
	found, err := c.Get(t.Context(), created.ID)
	require.NoError(t, err)
	for _, s := range []*agb.Session{created, found.Session} {
		var out, errOut bytes.Buffer
		first := make(chan time.Time, 100)
		res, err := s.Code.Run(t.Context(), code.Python, `
import sys, time
print("first", flush=True)
time.sleep(0.5)
print("err ä€😀", file=sys.stderr)
40 + 2
`, &code.RunOptions{
			Stdout: writer(func(p []byte) (int, error) {
				first <- time.Now()
				return out.Write(p)
			}),
			Stderr: &errOut,
		})
		require.NoError(t, err)
		require.Greater(t, time.Since(<-first), 250*time.Millisecond, "it comes before the end")
		require.Equal(t, []string{"first\n", "err ä€😀\n", ""}, []string{out.String(), errOut.String(), res.Stdout + res.Stderr})
		require.Len(t, res.Results, 1)
		require.Equal(t, "42", res.Results[0].Text)
		require.True(t, res.Results[0].Main)
		require.Nil(t, res.Error)
		require.Positive(t, res.ExecutionCount)
		require.Greater(t, res.Duration, 400*time.Millisecond)
		require.Regexp(t, "^[0-9a-f]{32}$", res.RequestID)
	}
	s := created
	requireResultsAsTheyCome(t, s)
	res, err := s.Code.Run(t.Context(), code.Python, "1/0", &code.RunOptions{Stdout: io.Discard})
	require.NoError(t, err)
	require.Equal(t, "ZeroDivisionError", res.Error.Name)
	require.Contains(t, res.Error.Value, "division by zero")

	// What else an end tells comes, too.
	run := func(source string) *code.Result {
		t.Helper()
		return ran(t, s, code.Bash, source, code.RunOptions{Stdout: io.Discard})
	}
	require.True(t, run("exit 3").Ended)
	require.Contains(t, run("(sleep 0.1; head -c 40000 /dev/zero; echo late >&2; touch /tmp/late) &").Restarted, "exit status 3")
	_, err = s.Command.Run(t.Context(), "until [ -e /tmp/late ]; do sleep 0.05; done; sleep 0.2", nil)
	require.NoError(t, err)
	res = run("true")
	require.Equal(t, "late\n", res.LateStderr)
	require.Len(t, res.LateStdout, 32<<10)
	require.EqualValues(t, 40000-(32<<10), res.LateDropped)
	require.False(t, res.Ended || res.Truncated)
	res = ran(t, s, code.Python, "for i in range(1001): display(i)", code.RunOptions{Stdout: io.Discard})
	require.Equal(t, 1, res.ResultsDropped)
	require.True(t, res.Truncated)

	n := 0
	_, err = s.Code.Run(t.Context(), code.Bash, "head -c 3000000 /dev/zero", &code.RunOptions{
		Stdout: writer(func(p []byte) (int, error) { n += len(p); return len(p), nil }),
	})
	require.NoError(t, err)
	require.Equal(t, 3_000_000, n)

	// What is given up ends.
	broken := errors.New("broken")
	_, err = s.Code.Run(t.Context(), code.Bash, "echo x; sleep 100", &code.RunOptions{Stdout: writer(func([]byte) (int, error) { return 0, broken })})
	require.ErrorIs(t, err, broken)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = s.Code.Run(ctx, code.Bash, "sleep 100", &code.RunOptions{Stdout: io.Discard})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Eventually(t, func() bool {
		r, err := s.Command.Run(t.Context(), `for p in /proc/[0-9]*; do tr "\0" " " <$p/cmdline; echo; done 2>/dev/null | grep -c "^sleep 100 "`, nil)
		return err == nil && r.Stdout == "0\n"
	}, 20*time.Second, 20*time.Millisecond)

	// What AGB does not have is not asked for in vain.
	_, err = s.Code.Run(t.Context(), code.Bash, "true", &code.RunOptions{Stdout: io.Discard, CPUTimeout: time.Second})
	require.ErrorIs(t, err, apierr.Unsupported.Err())
	_, err = s.Code.Run(t.Context(), code.Bash, strings.Repeat("x", wire.SocketLimit), &code.RunOptions{Stdout: io.Discard})
	require.ErrorIs(t, err, wire.ErrTooLong)
	_, err = s.Delete(t.Context())
	require.NoError(t, err)
	_, err = s.Code.Run(t.Context(), code.Bash, "true", &code.RunOptions{Stdout: io.Discard})
	require.ErrorIs(t, err, apierr.SessionNotFound.Err())
}

// script is a service as AGB's, whose WebSocket says what it is told to. {id}
// stands for the invocation.
type script struct {
	*httptest.Server
	asked  chan string      // what the client sent
	header chan http.Header // and with which headers
}

// newScript returns a service that offers a WebSocket if say is not nil.
func newScript(t *testing.T, say func(say func(string), conn *websocket.Conn)) *script {
	t.Helper()
	s := &script{asked: make(chan string, 1), header: make(chan http.Header, 1)}
	s.Server = httptest.NewServer(asAGB(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		offered := ""
		if say != nil {
			offered = `,"wsUrl":"ws` + strings.TrimPrefix(s.URL, "http") + `/ws?x=1","token":"secret-token","toolList":[{"name":"run_code","server":"coder"}]`
		}
		switch r.URL.Path {
		case "/mcp/createSession":
			_, _ = io.WriteString(w, `{"requestId":"r","success":true,"code":"ok","data":{"sessionId":"s-1","success":true`+offered+`}}`)
		case "/ws":
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				return
			}
			s.header <- r.Header
			_, asked, err := conn.Read(r.Context())
			if err != nil {
				return
			}
			s.asked <- string(asked)
			var frame wire.SocketFrame[json.RawMessage]
			_ = json.Unmarshal(asked, &frame)
			say(func(text string) {
				_ = conn.Write(r.Context(), websocket.MessageText, []byte(strings.ReplaceAll(text, "{id}", frame.InvocationID)))
			}, conn)
			_ = conn.Close(websocket.StatusNormalClosure, "")
		default:
			w.WriteHeader(http.StatusTeapot)
		}
	})))
	t.Cleanup(s.Close)
	return s
}

func frame(data string) string {
	return `{"invocationId":"{id}","source":"coder","target":"SDK","data":` + data + `}`
}

const endFrame = `{"phase":"end","status":"finished","executionCount":7,"executionTime":0.25,"executionError":null}`

func TestRunOverASocketOfAGBs(t *testing.T) {
	srv := newScript(t, func(say func(string), conn *websocket.Conn) {
		say("no JSON")
		say("[]")
		say(`{"invocationId":"another","data":{"phase":"end"}}`)
		say(`{"target":"coder","data":{"eventType":"file_change"}}`)
		_ = conn.Write(t.Context(), websocket.MessageBinary, []byte("x"))
		say(frame(`{"phase":"event","eventType":"stdout","chunk":"a\n","seq":1,"method":"run_code","mode":"stream"}`))
		say(`{"requestId":"{id}","data":"{\"phase\":\"event\",\"eventType\":\"stderr\",\"chunk\":\"b\"}"}`)
		say(frame(`{"phase":"event","eventType":"other","chunk":"c"}`))
		say(frame(`{"phase":"event","eventType":"result","result":{"isMainResult":false,"mime":{"text/html":"<b>"}}}`))
		say(frame(`{"phase":"event","eventType":"result","result":{"is_main_result":true,"text/plain":"2","image/png":"iVBORw=="}}`))
		if conn.Ping(conn.CloseRead(t.Context())) == nil { // which the client answers
			say(frame(endFrame))
		}
	})
	_, s := sessionOf(t, srv.URL)
	var out, errOut bytes.Buffer
	res, err := s.Code.Run(t.Context(), code.Python, "x", &code.RunOptions{Stdout: &out, Stderr: &errOut, Timeout: 1500 * time.Millisecond})
	require.NoError(t, err)
	require.Equal(t, []string{"a\n", "b"}, []string{out.String(), errOut.String()})
	require.Len(t, res.Results, 2)
	require.Equal(t, []any{"<b>", false}, []any{res.Results[0].HTML, res.Results[0].Main})
	require.Equal(t, []any{"2", true, "\x89PNG"}, []any{res.Results[1].Text, res.Results[1].Main, string(res.Results[1].PNG)})
	require.Equal(t, []any{7, 250 * time.Millisecond}, []any{res.ExecutionCount, res.Duration})
	require.Nil(t, res.Error)
	h := <-srv.header
	require.Equal(t, []string{"secret-token"}, h[wire.HeaderAccessToken])
	require.NotContains(t, h, "Authorization")
	require.NotContains(t, h, "Origin")
	require.JSONEq(t, `{"invocationId":"`+res.RequestID+`","source":"SDK","target":"coder","data":{"method":"run_code","mode":"stream",
		"params":{"language":"python","timeoutS":2,"code":"x"}}}`, <-srv.asked)
}

func TestRunOverASocketFails(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	for name, try := range map[string]struct {
		said    []string
		error   *code.ExecError // in the code
		code    apierr.Code     // else of the run
		message string
	}{
		"an error":                  {[]string{`{"phase":"event","eventType":"error","error":{"code":"NameError","message":"x","traceId":"t"}}`, endFrame}, &code.ExecError{Name: "NameError", Value: "x"}, "", ""},
		"a nameless error":          {[]string{`{"phase":"event","eventType":"error","error":{"message":"x"}}`, endFrame}, &code.ExecError{Name: "ExecutionError", Value: "x"}, "", ""},
		"an odd error":              {[]string{`{"phase":"event","eventType":"error","error":7}`, endFrame}, &code.ExecError{Name: "ExecutionError", Value: "7"}, "", ""},
		"an end that tells":         {[]string{`{"phase":"end","status":"failed","executionError":"boom"}`}, &code.ExecError{Name: "ExecutionError", Value: "boom"}, "", ""},
		"an end that does not tell": {[]string{`{"phase":"end","status":"failed"}`}, &code.ExecError{Name: "ExecutionError", Value: "the code failed and the service did not say why"}, "", ""},
		"a failure":                 {[]string{`{"phase":"event","error":"permission denied: token=secret-token"}`}, nil, apierr.PermissionDenied, "permission denied: token=[redacted]"},
		"a coded failure":           {[]string{`{"phase":"error","error":"none","errorCode":"InterpreterMissing","errorHint":"install it"}`}, nil, apierr.InterpreterMissing, "none"},
		"a failed object":           {[]string{`{"phase":"error","error":{"code":"C","message":"m secret-token"}}`}, nil, apierr.Unknown, "C m [redacted]"},
		"a mute failure":            {[]string{`{"phase":"error"}`}, nil, apierr.Unknown, "did not say why"},
		"an odd phase":              {[]string{`{"phase":"later"}`}, nil, apierr.MalformedResponse, "phase"},
		"no phase":                  {[]string{`{}`}, nil, apierr.MalformedResponse, "phase"},
		"odd data":                  {[]string{`[]`}, nil, apierr.MalformedResponse, "not understood"},
		"no data":                   {[]string{`null`}, nil, apierr.MalformedResponse, "not understood"},
		"an odd chunk":              {[]string{`{"phase":"event","eventType":"stdout","chunk":7}`}, nil, apierr.MalformedResponse, "not understood"},
		"no end":                    {[]string{`{"phase":"event","eventType":"stdout","chunk":"x"}`}, nil, apierr.UnknownOutcome, "broke"},
		"a long message":            {[]string{`{"phase":"event","eventType":"stdout","chunk":"` + strings.Repeat("x", 16<<20) + `"}`}, nil, apierr.ResponseTooLarge, "longer"},
		"long results": {[]string{
			`{"phase":"event","eventType":"result","result":{"text/plain":"` + strings.Repeat("x", 9<<20) + `"}}`,
			`{"phase":"event","eventType":"result","result":{"text/plain":"` + strings.Repeat("x", 9<<20) + `"}}`,
		}, nil, apierr.MalformedResponse, "too long"},
	} {
		srv := newScript(t, func(say func(string), _ *websocket.Conn) {
			for _, data := range try.said {
				say(frame(data))
			}
		})
		_, s := sessionOf(t, srv.URL)
		res, err := s.Code.Run(t.Context(), code.Python, "x", &code.RunOptions{Stdout: io.Discard})
		if try.code == "" {
			require.NoError(t, err, name)
			require.Equal(t, try.error, res.Error, name)
			continue
		}
		require.Nil(t, res, name)
		var e *apierr.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, try.code, e.Code, "%s: %v", name, err)
		require.Contains(t, e.Message, try.message, name)
		require.Equal(t, []string{"code.Run", "s-1"}, []string{e.Op, e.SessionID}, name)
		require.NotEmpty(t, e.RequestID, name)
		require.NotContains(t, err.Error(), "secret-token", name)
	}
}

// A service that offers nothing to stream with cannot.
func TestRunStreamsNowhere(t *testing.T) {
	_, s := sessionOf(t, newScript(t, nil).URL)
	_, err := s.Code.Run(t.Context(), code.Python, "x", &code.RunOptions{Stdout: io.Discard})
	require.ErrorIs(t, err, apierr.Unsupported.Err())
}

// A WebSocket on which nothing comes is given up once the code's time is over,
// and one that is not to be had is told of.
func TestRunOverASocketThatIsMute(t *testing.T) {
	left := make(chan struct{})
	srv := newScript(t, func(_ func(string), conn *websocket.Conn) {
		_, _, _ = conn.Read(t.Context()) // until the client leaves
		close(left)
	})
	c, err := agb.New(agb.WithAPIKey(key), agb.WithEndpoint(srv.URL), agb.WithTimeout(500*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	created, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "i"})
	require.NoError(t, err)
	start := time.Now()
	_, err = created.Session.Code.Run(t.Context(), code.Python, "x", &code.RunOptions{Stdout: io.Discard, Timeout: time.Second})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
	require.GreaterOrEqual(t, time.Since(start), 1500*time.Millisecond)
	<-left

	for status, want := range map[int]apierr.Code{
		http.StatusUnauthorized: apierr.Unauthenticated, http.StatusOK: apierr.MalformedResponse, http.StatusFound: apierr.MalformedResponse,
		http.StatusInternalServerError: apierr.Internal,
	} {
		var followed atomic.Bool
		inner := newScript(t, func(func(string), *websocket.Conn) {})
		handler := inner.Config.Handler
		inner.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/elsewhere":
				followed.Store(true)
			case "/ws":
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(status)
			default:
				handler.ServeHTTP(w, r)
			}
		})
		_, s := sessionOf(t, inner.URL)
		_, err := s.Code.Run(t.Context(), code.Python, "x", &code.RunOptions{Stdout: io.Discard})
		require.Equal(t, want, apierr.CodeOf(err), "%d: %v", status, err)
		require.NotErrorIs(t, err, apierr.UnknownOutcome.Err(), "nothing has run")
		require.False(t, followed.Load())
	}
}
