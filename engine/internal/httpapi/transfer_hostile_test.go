package httpapi_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// urls returns the URLs to upload and to download a file by.
func urls(t *testing.T, p peer, c wire.InternalContext, file string) (up, down string) {
	t.Helper()
	req := wire.FileURLRequest{ContextID: c.ID, Path: file}
	return must(t, p, wire.UploadURL, req).URL, must(t, p, wire.DownloadURL, req).URL
}

// alike returns an answer without what differs between answers to the same.
func alike(a answer) string { return strings.ReplaceAll(a.body, a.RequestID, "") }

// Nothing can be made of a URL but what it was handed out as, and no answer tells
// what is wrong with it.
func TestTransferURLsCannotBeForged(t *testing.T) {
	p := newPeer(t)
	two := peer{p.handler, keyTwo}
	id := p.create(t, nil)
	c, other, foreign := load(t, p, id), load(t, p, p.create(t, nil)), load(t, two, two.create(t, nil))
	require.Len(t, map[string]bool{c.ID: true, other.ID: true, foreign.ID: true}, 3)
	require.NotContains(t, c.ID, id[2:], "nothing of it follows from the session's id")
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/a", Content: "old"})
	up, down := urls(t, p, c, "/tmp/a")
	nobody := peer{handler: p.handler}
	want := nobody.raw(t, http.MethodGet, "/transfer/", "")
	require.Equal(t, http.StatusForbidden, want.status)

	with := func(target, key, value string) string {
		u, err := url.Parse(target)
		require.NoError(t, err)
		q := u.Query()
		q.Set(key, value)
		u.RawQuery = q.Encode()
		return u.String()
	}
	signature := func(target string) string {
		u, err := url.Parse(target)
		require.NoError(t, err)
		return u.Query().Get("signature")
	}
	type request struct{ method, target string }
	forged := []request{
		{http.MethodPut, down}, {http.MethodGet, up}, {http.MethodHead, up}, // the other direction
		{http.MethodPost, up}, {http.MethodDelete, up}, {http.MethodPatch, up}, {http.MethodOptions, down}, {"", "/transfer/x"},
		{http.MethodGet, with(down, "signature", signature(up))},
		{http.MethodPut, strings.Replace(up, c.ID, other.ID, 1)},
		{http.MethodPut, strings.Replace(up, c.ID, foreign.ID, 1)},
		{http.MethodPut, strings.Replace(up, c.ID, strings.ToUpper(c.ID), 1)},
		{http.MethodPut, strings.Replace(up, c.ID, c.ID+"/", 1)},
		{http.MethodPut, strings.Replace(up, c.ID, "%66"+c.ID[1:], 1)},
		{http.MethodPut, strings.Replace(up, c.ID, "x/../"+c.ID, 1)},
		{http.MethodPut, with(up, "path", "/tmp/b")}, {http.MethodPut, with(up, "path", "/tmp//a")}, {http.MethodPut, with(up, "path", "")},
		{http.MethodPut, with(up, "path", "/tmp/a\x00")},
		{http.MethodPut, with(up, "expires", "9999999999")}, {http.MethodPut, with(up, "expires", "-1")}, {http.MethodPut, with(up, "expires", "x")},
		{http.MethodPut, with(up, "expires", "99999999999999999999")},
		{http.MethodPut, with(up, "signature", "")}, {http.MethodPut, with(up, "signature", signature(up)[1:])},
		{http.MethodPut, with(up, "signature", signature(up)+"A")}, {http.MethodPut, with(up, "signature", signature(up)+"=")},
		{http.MethodPut, with(up, "signature", strings.Repeat("A", len(signature(up))))},
		{http.MethodPut, strings.SplitN(up, "?", 2)[0]}, {http.MethodPut, up + "%zz"}, {http.MethodPut, up + ";x"},
		{http.MethodPut, strings.Replace(up, "?", "?path=%2Ftmp%2Fb&", 1)}, {http.MethodPut, strings.Replace(up, "?", "?expires=9999999999&", 1)},
	}
	for _, f := range forged {
		for _, by := range []peer{nobody, p} { // a key is no help
			a := by.raw(t, f.method, f.target, "new")
			require.Equal(t, http.StatusForbidden, a.status, "%s %s: %s", f.method, f.target, a.body)
			require.Equal(t, alike(want), alike(a), "%s %s", f.method, f.target)
		}
	}
	require.Equal(t, "old", shell(t, p, id, wire.ShellArgs{Command: "cat /tmp/a; ls /tmp/b 2>/dev/null"}).Stdout)

	// A web page is refused, and a body that is compressed.
	s := p.serve(t)
	resp := s.object(t, http.MethodPut, up, strings.NewReader("new"), "Origin", "https://example.com")
	require.Equal(t, http.StatusForbidden, resp.status)
	resp = s.object(t, http.MethodPut, up, strings.NewReader("new"), "Content-Encoding", "gzip")
	require.Equal(t, http.StatusUnsupportedMediaType, resp.status)
	require.True(t, nobody.raw(t, http.MethodPut, up, "new").Success, "as it was handed out it is good, and twice")
	require.True(t, nobody.raw(t, http.MethodPut, up, "new").Success)
}

// A context is its tenant's, and its session's.
func TestTransferContextsKeepTenantsApart(t *testing.T) {
	p := newPeer(t)
	two := peer{p.handler, keyTwo}
	id := p.create(t, nil)
	c, unknown := load(t, p, id), "ft-"+strings.Repeat("0", 64)
	its := two.create(t, nil)
	load(t, two, its)
	mine := p.create(t, nil)
	for _, op := range []wire.Op[wire.FileURLRequest, wire.FileURLResponse]{wire.UploadURL, wire.DownloadURL} {
		_, foreign := ask(t, two, op, wire.FileURLRequest{ContextID: c.ID, Path: "/tmp/a"})
		_, none := ask(t, two, op, wire.FileURLRequest{ContextID: unknown, Path: "/tmp/a"})
		require.Equal(t, http.StatusNotFound, none.status)
		require.Equal(t, alike(none), strings.ReplaceAll(alike(foreign), c.ID, unknown))
	}
	for session, by := range map[string]peer{its: two, mine: p} {
		_, a := ask(t, by, wire.SyncContext, wire.SyncContextRequest{SessionID: session, ContextID: c.ID, Path: "/tmp", Mode: wire.SyncUpload})
		require.Equal(t, http.StatusNotFound, a.status, a.body)
		_, a = ask(t, by, wire.ContextInfo, wire.ContextInfoRequest{SessionID: session, ContextID: c.ID})
		require.Equal(t, http.StatusNotFound, a.status, a.body)
	}
}

// A URL is of no use once its session is gone.
func TestTransferOfASessionThatIsGone(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c, s := load(t, p, id), p.serve(t)
	up, down := urls(t, p, c, c.Path+"/a")
	require.True(t, peer{handler: p.handler}.raw(t, http.MethodPut, up, "new").Success)

	// One that is under way ends with it.
	w := s.put(t, up, "Content-Length: 1000000\r\n", "some of it")
	entries(t, p, id, c.Path, 2)
	must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: id})
	require.Equal(t, http.StatusNotFound, w.answer(t))
	for method, target := range map[string]string{http.MethodPut: up, http.MethodGet: down} {
		require.Equal(t, http.StatusNotFound, peer{handler: p.handler}.raw(t, method, target, "new").status)
	}
	_, a := ask(t, p, wire.UploadURL, wire.FileURLRequest{ContextID: c.ID, Path: "/tmp/a"})
	require.Equal(t, http.StatusNotFound, a.status)
}

// sender is a client that sends what it likes.
type sender struct{ net.Conn }

// put begins to send a file.
func (s service) put(t *testing.T, target, headers, body string) sender {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: x\r\n%s\r\n%s", u.RequestURI(), headers, body)
	require.NoError(t, err)
	return sender{conn}
}

// answer returns the status of the answer.
func (c sender) answer(t *testing.T) int {
	t.Helper()
	var status int
	_, err := fmt.Fscanf(c, "HTTP/1.1 %d", &status)
	require.NoError(t, err)
	return status
}

// entries waits until a directory of a session has so many entries: a file that is
// on its way is one.
func entries(t *testing.T, p peer, id, dir string, want int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		got := shell(t, p, id, wire.ShellArgs{Command: "ls -A " + dir}).Stdout
		if strings.Count(got, "\n") == want {
			return
		}
		require.True(t, time.Now().Before(deadline), got)
	}
}

// An upload that breaks off leaves everything as it was, and is activity until
// then.
func TestUploadBreaksOff(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c, s := load(t, p, id), p.serve(t)
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: c.Path + "/a", Content: "old"})
	up, _ := urls(t, p, c, c.Path+"/a")
	half := string(random(t, 300_000))
	for name, sent := range map[string][2]string{
		"of a known length": {"Content-Length: 600000\r\n", half},
		"in chunks":         {"Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s\r\n", len(half), half)},
		"within a chunk":    {"Transfer-Encoding: chunked\r\n", "fffff\r\n" + half},
		"no chunk":          {"Transfer-Encoding: chunked\r\n", "what?\r\n" + half},
	} {
		w := s.put(t, up, sent[0], sent[1])
		if name != "no chunk" {
			entries(t, p, id, c.Path, 2)
			_, a := ask(t, p, wire.PauseSession, wire.SessionRequest{SessionID: id})
			require.Equal(t, "FailedPrecondition", a.Code)
		} else {
			require.Equal(t, http.StatusBadRequest, w.answer(t))
		}
		require.NoError(t, w.Close())
		entries(t, p, id, c.Path, 1)
		require.Equal(t, "a\nold", shell(t, p, id, wire.ShellArgs{Command: "ls -A " + c.Path + "; cat " + c.Path + "/a"}).Stdout, name)
	}
}

func TestUploadBeyondTheDisk(t *testing.T) {
	p := newPeer(t)
	resp, a := ask(t, p, wire.CreateSession, wire.CreateSessionRequest{
		ImageID: "host", Limits: &wire.Limits{DiskBytes: 4 << 20, FileBytes: 64 << 20},
	})
	if a.Code == "IsolationUnavailable" {
		t.Skip("no sandboxes here: ", a.Message)
	}
	require.True(t, a.Success, a.body)
	id := resp.SessionID
	defer must(t, p, wire.DeleteSession, wire.SessionRequest{SessionID: id})
	c, s := load(t, p, id), p.serve(t)
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: c.Path + "/a", Content: "old"})
	up, _ := urls(t, p, c, c.Path+"/a")
	refused := peer{handler: p.handler}.raw(t, http.MethodPut, up, string(random(t, 8<<20)))
	require.Equal(t, http.StatusTooManyRequests, refused.status, refused.body)
	require.Contains(t, refused.Message, "no space left")
	require.Equal(t, "a\nold", shell(t, p, id, wire.ShellArgs{Command: "ls -A " + c.Path + "; cat " + c.Path + "/a"}).Stdout)
	fits := random(t, 1<<20)
	put := s.object(t, http.MethodPut, up, bytes.NewReader(fits))
	require.Equal(t, http.StatusOK, put.status, "%s", put.content)
	require.Equal(t, sumOf(fits), sum(t, p, id, c.Path+"/a"))
}

// What is at a path is the session's to say, and leads nowhere else.
func TestUploadOverWhatIsNoFile(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c := load(t, p, id)
	r := shell(t, p, id, wire.ShellArgs{Command: `cd /tmp && mkdir -p dir/sub && echo -n old >file && ln -s file link && ln -s none/way dangling &&
ln -s /etc/passwd out && ln -s loop loop && mkfifo pipe && ln -s /proc/self/mem mem`})
	require.Zero(t, r.ExitCode, r.Stderr)
	before := sum(t, p, id, "/etc/passwd")
	put := func(file string) answer {
		up, _ := urls(t, p, c, file)
		return peer{handler: p.handler}.raw(t, http.MethodPut, up, "new")
	}
	require.True(t, put("/tmp/link").Success)
	require.Equal(t, "file\nnew", shell(t, p, id, wire.ShellArgs{Command: "readlink /tmp/link; cat /tmp/file"}).Stdout)
	for _, file := range []string{"/tmp/dir", "/tmp/dir/", "/tmp/loop", "/tmp/pipe", "/tmp/out", "/etc/passwd", "/tmp/file/x", "/", "..", "/proc/version", "/tmp/mem"} {
		a := put(file)
		require.False(t, a.Success, file)
		require.NotEqual(t, http.StatusInternalServerError, a.status, "%s: %s", file, a.body)
	}
	require.True(t, put("/tmp/dangling").Success)
	require.True(t, put("/tmp/dir/../../../../../../tmp/up").Success, "above the root is the root")
	require.Equal(t, "sub\nnew", shell(t, p, id, wire.ShellArgs{Command: "ls -A /tmp/dir; cat /tmp/up"}).Stdout)
	require.Equal(t, before, sum(t, p, id, "/etc/passwd"))
}

func TestTransferPaths(t *testing.T) {
	p := newPeer(t)
	c := load(t, p, p.create(t, nil))
	long := "/tmp/" + strings.Repeat("x/", 2100)
	for _, bad := range []string{"", "/tmp/a\x00b", "\x00", "/tmp/\xff", long} {
		for _, op := range []wire.Op[wire.FileURLRequest, wire.FileURLResponse]{wire.UploadURL, wire.DownloadURL} {
			_, a := ask(t, p, op, wire.FileURLRequest{ContextID: c.ID, Path: bad})
			require.Equal(t, "InvalidParameter", a.Code, "%.20q", bad)
		}
	}
	crlf := "/tmp/a\r\nSet-Cookie: x=y\r\n\"b\""
	up, down := urls(t, p, c, crlf)
	nobody := peer{handler: p.handler}
	require.True(t, nobody.raw(t, http.MethodPut, up, "x").Success)
	s := p.serve(t)
	resp := s.object(t, http.MethodGet, down, http.NoBody)
	require.Equal(t, "x", string(resp.content))
	require.Empty(t, resp.header.Get("Set-Cookie"))
	most := "/tmp/" + strings.Repeat("x/", 2045) + "y"
	require.Len(t, most, 4096)
	_, a := ask(t, p, wire.UploadURL, wire.FileURLRequest{ContextID: c.ID, Path: most})
	require.True(t, a.Success)
	_, a = ask(t, p, wire.UploadURL, wire.FileURLRequest{ContextID: c.ID, Path: most + "y"})
	require.Equal(t, "InvalidParameter", a.Code)
}

// A session has 16 transfers under way, and no more.
func TestTransfersAtOnce(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	c, s := load(t, p, id), p.serve(t)
	up, down := urls(t, p, c, c.Path+"/a")
	nobody := peer{handler: p.handler}
	var under []sender
	for range 16 {
		under = append(under, s.put(t, up, "Content-Length: 3\r\n", "n"))
	}
	entries(t, p, id, c.Path, 16)
	a := nobody.raw(t, http.MethodPut, up, "new")
	require.Equal(t, "Throttling", a.Code)
	require.NotEmpty(t, a.header.Get("Retry-After"))
	_, err := io.WriteString(under[0], "ew")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, under[0].answer(t))
	require.Equal(t, http.StatusOK, follow(t, p, down).Code)
	for _, w := range under[1:] {
		require.NoError(t, w.Close())
	}
	entries(t, p, id, c.Path, 1)
}
