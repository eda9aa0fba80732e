package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/internal/wire"
)

// alive checks that a WebSocket still serves.
func (l line) alive() {
	l.t.Helper()
	l.run("alive", "bash", "echo alive")
	stdout, _, _ := l.ended("alive")
	require.Equal(l.t, "alive\n", stdout)
}

func TestSocketIgnoresWhatHasNoID(t *testing.T) {
	l, _, _ := newLine(t)
	for _, text := range []string{
		"", "x", "{", "[]", "null", "7", `"text"`, "{}", `{"invocationId":""}`, `{"invocationId":7}`, `{"invocationId":null,"data":{}}`,
		`{"data":{"method":"run_code"}}`, `{"invocationId":"` + strings.Repeat("x", 129) + `"}`, strings.Repeat(`{"a":`, 10_000),
		`{"invocationId":"a","data":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "}", "\xff\xfe", "\x00",
	} {
		l.send(text)
	}
	require.NoError(t, l.Write(t.Context(), websocket.MessageBinary, []byte(`{"invocationId":"b","target":"wuying_codespace","data":{"method":"run_code"}}`)))
	l.alive()
}

func TestSocketTellsWhatItDoesNotKnow(t *testing.T) {
	l, _, _ := newLine(t)
	for text, code := range map[string]string{
		`{"invocationId":"1","target":"wuying_codespace"}`:                                                                         "InvalidParameter",
		`{"invocationId":"1","target":"wuying_codespace","data":7}`:                                                                "InvalidParameter",
		`{"invocationId":"1","target":"wuying_codespace","data":"{"}`:                                                              "InvalidParameter",
		`{"invocationId":"1","target":"wuying_codespace","data":{"method":7}}`:                                                     "InvalidParameter",
		`{"invocationId":"1","target":"wuying_codespace","data":{"method":"run_code","params":{"timeoutS":"x"}}}`:                  "InvalidParameter",
		`{"invocationId":"1","target":"wuying_codespace","data":{"method":"run_code","params":{"language":"bash","timeoutS":-1}}}`: "InvalidParameter",
		`{"invocationId":"1","target":"wuying_codespace","data":{"method":"run_code"}}`:                                            "InvalidParameter",
		`{"invocationId":"1","target":"wuying_codespace","data":{"method":"subscribe_file_change","params":{"path":"/"}}}`:         "Unsupported",
		`{"invocationId":"1","target":"wuying_codespace","data":{}}`:                                                               "Unsupported",
		`{"invocationId":"1","target":"wuying_filesystem","data":{"method":"run_code"}}`:                                           "Unsupported",
		`{"invocationId":"1","data":{"method":"run_code"}}`:                                                                        "Unsupported",
	} {
		l.send(text)
		s := l.next()
		require.Equal(t, "1", s.InvocationID, text)
		require.Equal(t, wire.PhaseError, s.Data.V.Phase, text)
		require.Equal(t, code, s.Data.V.ErrorCode, text)
	}
	// What AGB's servers send as text is taken as text.
	l.send(`{"invocationId":"2","target":"wuying_codespace","data":"{\"method\":\"run_code\",\"params\":{\"language\":\"bash\",\"code\":\"echo text\"}}"}`)
	stdout, _, _ := l.ended("2")
	require.Equal(t, "text\n", stdout)
}

func TestSocketMessagesAreBounded(t *testing.T) {
	l, p, h := newLine(t)
	frame := `{"invocationId":"1","target":"none","data":{"x":"%s"}}`
	room := wire.SocketLimit - len(frame) + len("%s")
	l.send(fmt.Sprintf(frame, strings.Repeat("x", room)))
	require.Equal(t, wire.PhaseError, l.next().Data.V.Phase, "as long as may be")
	_ = l.Write(t.Context(), websocket.MessageText, []byte(fmt.Sprintf(frame, strings.Repeat("x", room+1)))) // the connection may break amid it
	_, _, err := l.Read(t.Context())
	require.Error(t, err)
	next, _ := openSocket(t, p, h, h.Token)
	next.alive()
}

func TestSocketAnswersPings(t *testing.T) {
	l, _, _ := newLine(t)
	l.run("1", "bash", "sleep 1; echo done")
	pinged := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		pinged <- l.Ping(ctx)
	}()
	stdout, _, _ := l.ended("1") // which reads the pong
	require.Equal(t, "done\n", stdout)
	require.NoError(t, <-pinged)
}

func TestSocketWantsTheToken(t *testing.T) {
	p := newPeer(t)
	h := handle(t, p, p.create(t, nil))
	for token, headers := range map[string][]string{
		"": nil, strings.Repeat("0", 64): nil, h.Token[1:]: nil, keyOne: {"Authorization", "Bearer " + keyOne},
	} {
		l, status := openSocket(t, p, h, token, headers...)
		require.Nil(t, l.Conn)
		require.Equal(t, http.StatusUnauthorized, status)
	}
	for _, origin := range []string{"http://example.com", "null", "https://evil.example"} {
		l, status := openSocket(t, p, h, h.Token, "Origin", origin)
		require.Nil(t, l.Conn)
		require.Equal(t, http.StatusForbidden, status, origin)
	}
	rec := directly(t, p, http.MethodGet, h.LinkURL+wire.DirectStreamPath, h.Token, "")
	require.Equal(t, http.StatusUpgradeRequired, rec.Code)
	rec = directly(t, p, http.MethodGet, h.LinkURL+wire.DirectStreamPath, h.Token, "", "Connection", "Upgrade", "Upgrade", wire.StreamProtocol)
	require.Equal(t, http.StatusUpgradeRequired, rec.Code)
}

func TestSocketRunsAreBounded(t *testing.T) {
	l, p, h := newLine(t)
	const most = 16
	code := "until [ -e /tmp/go ]; do sleep 0.05; done; echo went"
	for i := range most {
		l.run(fmt.Sprint(i), "bash", code)
		l.run(fmt.Sprint(i), "bash", "echo twice") // of one that runs
	}
	l.run("more", "bash", code)
	s := l.next()
	require.Equal(t, "more", s.InvocationID)
	require.Equal(t, []string{wire.PhaseError, "Throttling"}, []string{s.Data.V.Phase, s.Data.V.ErrorCode})
	get(t, p, h.SessionID, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/go"})
	out, ended := map[string]string{}, 0
	for ended < most {
		s := l.next()
		out[s.InvocationID] += s.Data.V.Chunk
		if s.Data.V.Phase == wire.PhaseEnd {
			ended++
		}
	}
	for i := range most {
		require.Equal(t, "went\n", out[fmt.Sprint(i)])
	}
	l.alive()
}

func TestSocketsAreBounded(t *testing.T) {
	first, p, h := newLine(t)
	for range 7 {
		l, _ := openSocket(t, p, h, h.Token)
		require.NotNil(t, l.Conn)
	}
	l, status := openSocket(t, p, h, h.Token)
	require.Nil(t, l.Conn)
	require.Equal(t, http.StatusTooManyRequests, status)
	require.NoError(t, first.Close(websocket.StatusNormalClosure, ""))
	require.Eventually(t, func() bool {
		l, _ := openSocket(t, p, h, h.Token)
		return l.Conn != nil
	}, 10*time.Second, 20*time.Millisecond)
}

// A client that goes ends what it runs, and nothing else.
func TestSocketThatBreaks(t *testing.T) {
	l, p, h := newLine(t)
	other, _ := openSocket(t, p, h, h.Token)
	sleeping := func() string {
		return shell(t, p, h.SessionID, wire.ShellArgs{Command: `for p in /proc/[0-9]*; do tr "\0" " " <$p/cmdline; echo; done 2>/dev/null | grep "^sleep 10" | sort | tr -d "\n"`}).Stdout
	}
	if shell(t, p, h.SessionID, wire.ShellArgs{Command: "command -v python3"}).ExitCode != 0 {
		t.Skip("no python3 here: runs of one language take turns")
	}
	l.run("1", "bash", "sleep 101")
	require.Eventually(t, func() bool { return sleeping() == "sleep 101 " }, 10*time.Second, 20*time.Millisecond)
	l.run("2", "bash", "sleep 102") // which waits for its turn
	other.run("3", "python", "import subprocess; subprocess.run(['sleep', '103'])")
	require.Eventually(t, func() bool { return sleeping() == "sleep 101 sleep 103 " }, 10*time.Second, 20*time.Millisecond)
	require.NoError(t, l.CloseNow())
	require.Eventually(t, func() bool { return sleeping() == "sleep 103 " }, 10*time.Second, 20*time.Millisecond)
}

// While nothing runs a WebSocket does not keep a session from being paused.
func TestSocketIsNoActivity(t *testing.T) {
	l, p, h := newLine(t)
	_, a := ask(t, p, wire.PauseSession, wire.SessionRequest{SessionID: h.SessionID})
	if a.Code == "Unsupported" {
		t.Skip("this machine cannot pause")
	}
	require.True(t, a.Success, a.body)
	l.run("1", "bash", "true")
	_, _, rest := l.ended("1")
	require.Equal(t, "FailedPrecondition", rest[0].ErrorCode)
	must(t, p, wire.ResumeSession, wire.SessionRequest{SessionID: h.SessionID})
	l.alive()
}

// A WebSocket ends with its session, and says so.
func TestSocketOfASessionThatEnds(t *testing.T) {
	l, p, h := newLine(t)
	idle, _ := openSocket(t, p, h, h.Token)
	l.run("1", "bash", "echo begun; sleep 100")
	require.Equal(t, "begun\n", l.next().Data.V.Chunk)
	must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: h.SessionID})
	_, _, rest := l.ended("1")
	require.Equal(t, gone, rest[0].ErrorCode)
	for _, l := range []line{l, idle} {
		_, _, err := l.Read(t.Context())
		require.Equal(t, websocket.StatusGoingAway, websocket.CloseStatus(err))
	}
	again, status := openSocket(t, p, h, h.Token)
	require.Nil(t, again.Conn)
	require.Equal(t, http.StatusUnauthorized, status)
}

// An engine that is closed closes its WebSockets, whatever they run.
func TestSocketOfAnEngineThatCloses(t *testing.T) {
	newPeer(t) // skips
	eng, err := engine.New(engine.Config{APIKeys: []string{keyOne}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	p := peer{eng.Handler(), keyOne}
	resp, a := ask(t, p, wire.CreateSession, wire.CreateSessionRequest{ImageID: "host"})
	require.True(t, a.Success, a.body)
	l, _ := openSocket(t, p, resp.SessionHandle, resp.Token)
	require.NotNil(t, l.Conn)
	l.run("1", "bash", "echo begun; sleep 100")
	require.Equal(t, "begun\n", l.next().Data.V.Chunk)
	start := time.Now()
	require.NoError(t, eng.Close()) // which reads nothing of what is said to it
	require.Less(t, time.Since(start), 5*time.Second)
}
