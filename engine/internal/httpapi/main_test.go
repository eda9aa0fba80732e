package httpapi_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/internal/wire"
)

// Keys of the two tenants of the engine that most tests share.
const (
	keyOne = "akm-test-0123456789"
	keyTwo = "akm-other-tenant-0123"
)

// shared returns the engine that most tests share.
var shared = sync.OnceValues(func() (*engine.Engine, error) {
	return engine.New(engine.Config{APIKeys: []string{keyOne, keyTwo}})
})

// suite closes the shared engine before leaks are looked for.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	if eng, err := shared(); err == nil {
		if err := eng.Close(); err != nil {
			_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
			return 1
		}
	}
	return code
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

// usualPeer is where requests of httptest are from.
const usualPeer = "192.0.2.1:1234"

// peer is a client of an engine's handler.
type peer struct {
	handler http.Handler
	key     string
}

func newPeer(t *testing.T) peer {
	t.Helper()
	eng, err := shared()
	if err != nil {
		t.Skip("no default runtime here: ", err)
	}
	return peer{eng.Handler(), keyOne}
}

// answer is an answer with its envelope.
type answer struct {
	wire.Envelope
	status int
	header http.Header
	body   string
}

// peers counts requests, each of which is from an address of its own: wrong
// keys are counted by address.
var peers atomic.Uint32

func (p peer) send(t *testing.T, r *http.Request) answer {
	t.Helper()
	if r.RemoteAddr == usualPeer {
		addr := binary.BigEndian.AppendUint32(nil, 10<<24+peers.Add(1))
		r.RemoteAddr = netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr)), 1234).String()
	}
	if p.key != "" && r.Header.Get("Authorization") == "" {
		r.Header.Set("authorization", "Bearer "+p.key)
	}
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
	require.Equal(t, "application/json", rec.Header().Get("Content-Type"), a.body)
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &a.Envelope), a.body)
	require.Equal(t, rec.Code, a.HTTPStatusCode)
	require.NotEmpty(t, a.RequestID)
	require.Equal(t, a.RequestID, rec.Header().Get(wire.HeaderRequestID))
	if a.Success {
		require.Equal(t, http.StatusOK, a.status)
		require.Equal(t, wire.CodeOK, a.Code)
		require.Empty(t, a.Message)
	} else {
		require.NotEqual(t, http.StatusOK, a.status)
		require.NotEmpty(t, a.Message)
	}
	return a
}

func (p peer) raw(t *testing.T, method, target, body string) answer {
	t.Helper()
	return p.send(t, httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body)))
}

// ask performs an operation, which may fail.
func ask[Req, Resp any](t *testing.T, p peer, op wire.Op[Req, Resp], req Req) (Resp, answer) {
	t.Helper()
	return askCtx(t.Context(), t, p, op, req)
}

func askCtx[Req, Resp any](ctx context.Context, t *testing.T, p peer, op wire.Op[Req, Resp], req Req) (Resp, answer) {
	t.Helper()
	method, target, body, err := op.NewRequest(req)
	require.NoError(t, err)
	a := p.send(t, httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(string(body))))
	resp, err := wire.Open[Resp](&a.Envelope)
	require.NoError(t, err)
	return resp, a
}

// must performs an operation that has to succeed.
func must[Req, Resp any](t *testing.T, p peer, op wire.Op[Req, Resp], req Req) Resp {
	t.Helper()
	resp, a := ask(t, p, op, req)
	require.True(t, a.Success, a.body)
	return resp
}

// create makes a session that is deleted when the test ends. Where sandboxes
// cannot be made it skips the test.
func (p peer) create(t *testing.T, labels map[string]string) string {
	t.Helper()
	resp, a := ask(t, p, wire.CreateSession, wire.CreateSessionRequest{ImageID: "host", Labels: wire.TextOf(labels)})
	if a.Code == "IsolationUnavailable" {
		t.Skip("no sandboxes here: ", a.Message, a.Hint)
	}
	require.True(t, a.Success, a.body)
	t.Cleanup(func() {
		method, target, body, err := wire.DeleteSession.NewRequest(wire.SessionRequest{SessionID: resp.SessionID})
		require.NoError(t, err)
		r := httptest.NewRequestWithContext(context.WithoutCancel(t.Context()), method, target, strings.NewReader(string(body)))
		p.send(t, r) // it may be gone already
	})
	return resp.SessionID
}

// later performs an operation in a goroutine of its own and sends the code of
// its answer, or what went wrong, to codes.
func later[Req, Resp any](ctx context.Context, p peer, op wire.Op[Req, Resp], req Req, codes chan<- string) {
	go func() {
		method, target, body, err := op.NewRequest(req)
		if err != nil {
			codes <- err.Error()
			return
		}
		r := httptest.NewRequestWithContext(ctx, method, target, strings.NewReader(string(body)))
		r.Header.Set("Authorization", "Bearer "+p.key)
		rec := httptest.NewRecorder()
		p.handler.ServeHTTP(rec, r)
		var env wire.Envelope
		if err := json.Unmarshal(rec.Body.Bytes(), &env); err != nil {
			codes <- err.Error()
			return
		}
		codes <- env.Code
	}()
}

// use calls a tool and returns its answer.
func use[Args, Out any](t *testing.T, p peer, session string, tool wire.Tool[Args, Out], args Args) *wire.CallToolResponse {
	t.Helper()
	text, err := json.Marshal(args)
	require.NoError(t, err)
	resp := must(t, p, wire.CallTool, wire.CallToolRequest{SessionID: session, Name: tool.Name, Args: string(text)})
	return &resp
}

// get calls a tool that has to succeed and returns its result.
func get[Args, Out any](t *testing.T, p peer, session string, tool wire.Tool[Args, Out], args Args) Out {
	t.Helper()
	resp := use(t, p, session, tool, args)
	require.False(t, resp.IsError, resp.Text())
	out, err := tool.Decode(resp)
	require.NoError(t, err)
	return out
}

// refuse calls a tool that has to fail and returns its answer.
func refuse[Args, Out any](t *testing.T, p peer, session string, tool wire.Tool[Args, Out], args Args) *wire.CallToolResponse {
	t.Helper()
	resp := use(t, p, session, tool, args)
	require.True(t, resp.IsError, resp.Text())
	require.NotEmpty(t, resp.Text())
	return resp
}

// shell runs a command and returns how it ended, well or not.
func shell(t *testing.T, p peer, session string, args wire.ShellArgs) wire.ShellResult {
	t.Helper()
	resp := use(t, p, session, wire.Shell, args)
	out, err := wire.Shell.Decode(resp)
	require.NoError(t, err, resp.Text())
	require.Equal(t, out.ExitCode != 0 || out.TimedOut, resp.IsError)
	return out
}
