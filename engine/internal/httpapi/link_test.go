package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// webServer answers with what it was asked, in a sandbox.
const webServer = `
from http.server import *
class H(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/next?q=1")
        else:
            self.send_response(200)
        self.send_header("Set-Cookie", "a=b; Domain=example.com; Path=/app")
        if self.path == "/large":
            self.send_header("X-Large", "x" * (80 << 10))
        body = (self.requestline + "\n" + str(self.headers)).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
ThreadingHTTPServer(("127.0.0.1", 8000), H).serve_forever()
`

// link returns the path of a link to a server in the session.
func link(t *testing.T, p peer, id string, port int) string {
	t.Helper()
	resp := must(t, p, wire.GetLink, wire.GetLinkRequest{SessionID: id, Port: &port})
	u, err := url.Parse(resp.URL)
	require.NoError(t, err)
	require.Equal(t, "http://example.com", u.Scheme+"://"+u.Host) // what requests of httptest say
	return u.Path
}

// follow requests a path without a key.
func follow(t *testing.T, p peer, target string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	rec := httptest.NewRecorder()
	p.handler.ServeHTTP(rec, r)
	return rec
}

// serveInside starts a server of HTTP on port 8000 in a session, waits until it
// listens, and returns the path of a link to it.
func serveInside(t *testing.T, p peer, id, server string) string {
	t.Helper()
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/s.py", Content: server})
	if r := shell(t, p, id, wire.ShellArgs{Command: "command -v python3"}); r.ExitCode != 0 {
		t.Skip("no python3 here")
	}
	shell(t, p, id, wire.ShellArgs{Command: "nohup python3 /tmp/s.py >/tmp/s.log 2>&1 &"})
	path := link(t, p, id, 8000)
	require.Eventually(t, func() bool { return follow(t, p, path).Code == http.StatusOK }, 20*time.Second, 50*time.Millisecond)
	return path
}

func TestLink(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	path := serveInside(t, p, id, webServer)
	require.Regexp(t, `^/link/[0-9a-f]{64}/$`, path)
	require.Equal(t, path, link(t, p, id, 8000), "the same port has the same link")

	token := strings.Split(path, "/")[2]
	rec := follow(t, p, path+"a%2Fb/c?x=1&y", "Authorization", "Bearer "+keyOne, "Proxy-Authorization", "Basic "+keyOne, "X-Api-Key", keyOne,
		"X-Access-Token", token, "Referer", "http://example.com"+path, "Cookie", "t="+token+"; a=host's", "X-Own", "kept")
	body := rec.Body.String()
	require.Equal(t, http.StatusOK, rec.Code)
	require.Contains(t, body, "GET /a%2Fb/c?x=1&y HTTP/1.1\n")
	require.Contains(t, body, "X-Own: kept")
	require.NotContains(t, body, keyOne)
	require.NotContains(t, body, token)
	require.NotContains(t, body, "host's", "a cookie of somebody else")
	name, attributes, _ := strings.Cut(rec.Header().Get("Set-Cookie"), "=")
	require.Regexp(t, `^agb-[0-9a-f]{16}-a$`, name)
	require.NotContains(t, path, name[4:20])
	require.Equal(t, "b; Path="+path+"app", attributes)
	rec = follow(t, p, path, "Cookie", "x=1; "+name+"=b; agb-0123456789abcdef-a=2; "+name+"2=\"q\"; "+name[:21]+"=3; a=4")
	require.Contains(t, rec.Body.String(), "Cookie: a=b; a2=\"q\"\n")

	rec = follow(t, p, path+"redirect")
	require.Equal(t, http.StatusFound, rec.Code)
	require.Equal(t, path+"next?q=1", rec.Header().Get("Location"))
	rec = follow(t, p, strings.TrimSuffix(path, "/"))
	require.Equal(t, http.StatusPermanentRedirect, rec.Code)
	require.Equal(t, path, rec.Header().Get("Location"))
	require.Equal(t, http.StatusServiceUnavailable, follow(t, p, path+"large").Code)
	require.Equal(t, http.StatusServiceUnavailable, follow(t, p, link(t, p, id, 8001)).Code)

	for _, target := range []string{"/link/", "/link//", "/link/x/", "/link/" + strings.Repeat("0", 64) + "/", strings.ToUpper(path)} {
		require.NotEqual(t, http.StatusOK, follow(t, p, target).Code, target)
	}
	must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: id})
	require.Equal(t, http.StatusNotFound, follow(t, p, path).Code)
}

// A server that listens on ::1 alone is reached too, and sees the same host.
func TestLinkOverIPv6(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	probe := shell(t, p, id, wire.ShellArgs{Command: `python3 -c 'import socket; socket.create_server(("::1", 8000), family=socket.AF_INET6)'`})
	if probe.ExitCode != 0 {
		t.Skip("nothing listens on ::1 in a session here: ", probe.Stderr)
	}
	six := strings.NewReplacer(`"127.0.0.1"`, `"::1"`, "ThreadingHTTPServer((", "ThreadingHTTPServer.address_family = 10\nThreadingHTTPServer((").Replace(webServer)
	path := serveInside(t, p, id, six)
	rec := follow(t, p, path+"a")
	require.Equal(t, http.StatusOK, rec.Code)
	require.Contains(t, rec.Body.String(), "Host: 127.0.0.1:8000\n")
}

func TestLinkBounds(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	try := func(query string) answer {
		return p.raw(t, http.MethodGet, "/internet/getLink?sessionId="+id+query, "")
	}
	require.True(t, try("").Success)
	require.True(t, try("&port=30100").Success)
	for _, bad := range []string{"&port=0", "&port=65536", "&port=-1", "&port=%2B+80", "&port=80.0", "&port=0x50", "&port=131152", "&port=80%20", "&port=%2080", "&port=80%0A", "&port=80%00", "&port=8_0", "&port=80,", "&port=80&protocolType=gopher"} {
		require.Equal(t, "InvalidParameter", try(bad).Code, bad)
	}
	for _, same := range []string{"30100", "030100", "%2B30100"} { // one number, however it is written
		require.Equal(t, try("&port=30100").Data, try("&port="+same).Data, same)
	}
	for protocol, scheme := range map[string]string{"http": "http", "https": "http", "ws": "ws", "wss": "ws"} {
		require.Contains(t, string(try("&protocolType="+protocol).Data), `"`+scheme+`://`, protocol)
	}
	for port := 1; port < 64; port++ { // one there is already
		link(t, p, id, port)
	}
	require.Equal(t, "Throttling", try("&port=64").Code)
	require.True(t, try("&port=63").Success)
}
