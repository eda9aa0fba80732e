package httpapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// line is a WebSocket of a session.
type line struct {
	*websocket.Conn
	t *testing.T
}

// said is what a session says over a WebSocket.
type said struct {
	wire.SocketFrame[wire.SocketAnswer]
	size int
}

// openSocket connects to a session's WebSocket, as AGB's own clients do, and
// returns the status of the answer too.
func openSocket(t *testing.T, p peer, h wire.SessionHandle, token string, headers ...string) (l line, status int) {
	t.Helper()
	srv := httptest.NewServer(p.handler)
	t.Cleanup(srv.Close)
	header := http.Header{wire.HeaderAccessToken: {token}}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	url := strings.Replace(h.WSURL, "ws://example.com", srv.URL, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header, CompressionMode: websocket.CompressionContextTakeover}) //nolint:bodyclose // Dial closes it
	require.NotNil(t, resp, err)
	if err != nil {
		return line{}, resp.StatusCode
	}
	require.Empty(t, resp.Header.Get("Sec-WebSocket-Extensions"))
	conn.SetReadLimit(1 << 20) // which is all that AGB's own clients take
	t.Cleanup(func() { _ = conn.CloseNow() })
	return line{conn, t}, resp.StatusCode
}

// newLine connects to a WebSocket of a new session.
func newLine(t *testing.T) (line, peer, wire.SessionHandle) {
	t.Helper()
	p := newPeer(t)
	h := handle(t, p, p.create(t, nil))
	l, _ := openSocket(t, p, h, h.Token)
	require.NotNil(t, l.Conn)
	return l, p, h
}

func (l line) send(text string) {
	l.t.Helper()
	require.NoError(l.t, l.Write(l.t.Context(), websocket.MessageText, []byte(text)))
}

// run asks to run code.
func (l line) run(id, language, code string) {
	l.t.Helper()
	b, err := json.Marshal(wire.SocketFrame[wire.SocketCall]{
		InvocationID: id, Source: wire.SocketClient, Target: wire.CodeServer, Data: &wire.JSONObject[wire.SocketCall]{V: wire.SocketCall{
			Method: "run_code", Mode: wire.SocketStream, Params: wire.SocketCallParams{Language: language, TimeoutS: 60, Code: code},
		}},
	})
	require.NoError(l.t, err)
	l.send(string(b))
}

func (l line) next() said {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer cancel()
	kind, p, err := l.Read(ctx)
	require.NoError(l.t, err)
	require.Equal(l.t, websocket.MessageText, kind)
	s := said{size: len(p)}
	require.NoError(l.t, json.Unmarshal(p, &s.SocketFrame))
	require.Equal(l.t, []string{wire.CodeServer, wire.SocketClient}, []string{s.Source, s.Target})
	return s
}

// ended reads to the end of the one invocation that runs. It returns the output
// and the events besides it.
func (l line) ended(id string) (stdout, stderr string, rest []wire.SocketAnswer) {
	l.t.Helper()
	for {
		s := l.next()
		require.Equal(l.t, id, s.InvocationID)
		a := s.Data.V
		switch a.EventType {
		case wire.EventStdout:
			stdout += a.Chunk
		case wire.EventStderr:
			stderr += a.Chunk
		default:
			rest = append(rest, a)
		}
		require.True(l.t, utf8.ValidString(a.Chunk))
		if a.Phase != wire.PhaseEvent {
			return stdout, stderr, rest
		}
	}
}

// TestServesTheFrameThatThePythonSDKSent replays the one frame of the recording.
func TestServesTheFrameThatThePythonSDKSent(t *testing.T) {
	l, _, _ := newLine(t)
	f, err := os.Open("../../../internal/wire/testdata/" + recordings["token"].file)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	lines, frames := bufio.NewScanner(f), 0
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		var r recorded
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		if r.WS == nil {
			continue
		}
		frames++
		l.send(string(r.WS))
		stdout, stderr, rest := l.ended("347ddd69b5e94ddaa750f27ce2e8a1a0")
		require.Equal(t, []string{"a\nb\n", ""}, []string{stdout, stderr})
		require.Len(t, rest, 2)
		require.JSONEq(t, `{"isMainResult":true,"is_main_result":true,"text/plain":"42","mime":{"text/plain":"42"}}`, string(rest[0].Result))
		require.Equal(t, wire.EventResult, rest[0].EventType)
		end := rest[1]
		require.Equal(t, []string{wire.PhaseEnd, wire.SocketFinished, ""}, []string{end.Phase, end.Status, end.ExecutionError})
		require.Equal(t, 1, int(*end.ExecutionCount))
		require.Greater(t, *end.ExecutionTime, 0.25)
	}
	require.NoError(t, lines.Err())
	require.Equal(t, 1, frames)
}

func TestSocketErrors(t *testing.T) {
	l, _, _ := newLine(t)
	l.run("1", "python", "import sys\nprint('out')\nsys.stderr.write('err')\n1/0")
	stdout, stderr, rest := l.ended("1")
	require.Equal(t, "out\n", stdout)
	require.Contains(t, stderr, "err")
	require.Contains(t, stderr, "ZeroDivisionError")
	require.Len(t, rest, 2)
	var detail wire.SocketErrorDetail
	require.NoError(t, json.Unmarshal(rest[0].Error, &detail), "an object")
	require.Equal(t, wire.EventError, rest[0].EventType)
	require.Equal(t, "ZeroDivisionError", detail.Code)
	require.Contains(t, detail.Message, "Traceback")
	require.Equal(t, []string{wire.PhaseEnd, wire.SocketFailed, detail.Message}, []string{rest[1].Phase, rest[1].Status, rest[1].ExecutionError})

	// An error as long as a message may be, of characters that take six bytes.
	l.run("2", "python", `raise Exception("\x01" * 2_000_000)`)
	_, _, rest = l.ended("2")
	require.Equal(t, wire.SocketFailed, rest[len(rest)-1].Status)

	l.send(`{"invocationId":"3","target":"wuying_codespace","data":{"method":"run_code","params":{"language":"bash","timeoutS":0.2,"code":"sleep 100"}}}`)
	_, _, rest = l.ended("3")
	require.Equal(t, wire.SocketFailed, rest[1].Status)
	require.Contains(t, rest[1].ExecutionError, "ended after 1s", "rounded up")

	l.run("4", "cobol", "x")
	_, _, rest = l.ended("4")
	require.Equal(t, []string{wire.PhaseError, "InvalidParameter"}, []string{rest[0].Phase, rest[0].ErrorCode})
	require.Equal(t, byte('"'), rest[0].Error[0], "a text")
}

// Output comes in whole characters, and in messages that clients take.
func TestSocketOutput(t *testing.T) {
	l, _, _ := newLine(t)
	l.run("1", "python", `
import os, time
text = ("a" + "äö€😀" * 40_000).encode()
for i in range(0, len(text), 7919): os.write(1, text[i:i+7919])
for b in "é€😀".encode():
    os.write(2, bytes([b])); time.sleep(0.01)
os.write(1, b"\xf0\x9f")
`)
	stdout, stderr, rest := l.ended("1")
	require.Equal(t, "a"+strings.Repeat("äö€😀", 40_000)+"\uFFFD\uFFFD", stdout)
	require.Equal(t, "é€😀", stderr)
	require.Equal(t, wire.SocketFinished, rest[len(rest)-1].Status)

	l.run("2", "bash", `head -c 3000000 /dev/zero`)
	n := 0
	for {
		s := l.next()
		require.Less(t, s.size, 512<<10)
		n += len(s.Data.V.Chunk)
		if s.Data.V.Phase == wire.PhaseEnd {
			break
		}
	}
	require.Equal(t, 3_000_000, n)
}

// A result is sent in two places, in one, or not at all, so that messages are
// not longer than clients take.
func TestSocketResults(t *testing.T) {
	l, _, _ := newLine(t)
	for _, try := range []struct {
		size         int
		twice, whole bool
	}{{1000, true, true}, {700_000, false, true}, {2_000_000, false, false}} {
		l.run("1", "python", fmt.Sprintf("'x' * %d", try.size))
		_, _, rest := l.ended("1")
		require.Len(t, rest, 2)
		var item struct {
			Main  bool              `json:"isMainResult"`
			Snake bool              `json:"is_main_result"`
			MIME  map[string]string `json:"mime"`
			Text  *string           `json:"text/plain"`
		}
		require.NoError(t, json.Unmarshal(rest[0].Result, &item))
		require.True(t, item.Main && item.Snake)
		require.Equal(t, try.whole, len(item.MIME["text/plain"]) >= try.size)
		require.Equal(t, try.twice || !try.whole, item.Text != nil)
		if item.Text != nil {
			require.Equal(t, item.MIME["text/plain"], *item.Text)
		}
		if !try.whole {
			require.Contains(t, *item.Text, "left out")
		}
	}
}

// Runs that are sent one after another, without waiting, run in this order;
// those of another language do not wait for them.
func TestSocketKeepsTheOrder(t *testing.T) {
	l, _, _ := newLine(t)
	l.run("first", "bash", "until [ -e /tmp/go ]; do sleep 0.05; done; all=")
	const runs = 12
	for i := range runs {
		l.run(fmt.Sprint(i), "bash", fmt.Sprintf("all+=' %d'; echo $all", i))
	}
	l.run("other", "python", "open('/tmp/go', 'w').close()")
	var ended []string
	said := map[string]string{}
	for len(ended) < runs+2 {
		s := l.next()
		said[s.InvocationID] += s.Data.V.Chunk
		if s.Data.V.Phase != wire.PhaseEvent {
			require.Equal(t, wire.SocketFinished, s.Data.V.Status, s.InvocationID)
			ended = append(ended, s.InvocationID)
		}
	}
	require.Equal(t, []string{"other", "first"}, ended[:2])
	want := ""
	for i := range runs {
		want = strings.TrimSpace(fmt.Sprint(want, " ", i))
		require.Equal(t, want+"\n", said[fmt.Sprint(i)])
	}
}
