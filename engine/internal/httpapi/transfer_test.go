package httpapi_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// service is an engine behind a port, as clients of other makes see it.
type service struct {
	*httptest.Server
	key string
}

func (p peer) serve(t *testing.T) service {
	t.Helper()
	srv := httptest.NewServer(p.handler)
	t.Cleanup(srv.Close)
	return service{srv, p.key}
}

// call performs an operation of the control plane and returns its data.
func (s service) call(t *testing.T, method, target string, q url.Values) json.RawMessage {
	t.Helper()
	body := io.Reader(http.NoBody)
	if method == http.MethodPost {
		body = strings.NewReader("{}")
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+target+"?"+q.Encode(), body)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.key)
	r.Header.Set("Content-Type", "application/json")
	resp, err := s.Client().Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	var env struct {
		Success bool
		Message string
		Data    json.RawMessage
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&env))
	require.True(t, env.Success, env.Message)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return env.Data
}

// object is the answer to a request without an envelope.
type object struct {
	status  int
	header  http.Header
	length  int64 // as announced; -1 if not
	content []byte
}

// object requests a URL without a key.
func (s service) object(t *testing.T, method, target string, body io.Reader, headers ...string) object {
	t.Helper()
	if u, err := url.Parse(target); err == nil && u.Host == "example.com" { // what requests of httptest say
		target = s.URL + u.RequestURI()
	}
	r, err := http.NewRequestWithContext(t.Context(), method, target, body)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := s.Client().Do(r)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	content, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return object{resp.StatusCode, resp.Header, resp.ContentLength, content}
}

// synced syncs the directory of a file, as the Python SDK does, and asks until it
// is told that this is done.
func (s service) synced(t *testing.T, session, context, file, mode string) {
	t.Helper()
	dir := path.Dir(file)
	s.call(t, http.MethodPost, "/sdk/SyncContext", url.Values{"sessionId": {session}, "contextId": {context}, "path": {dir}, "mode": {mode}})
	for _, q := range []url.Values{
		{"sessionId": {session}, "contextId": {context}, "path": {dir}},
		{"sessionId": {session}, "contextId": {context}, "path": {dir}, "taskType": {mode}},
	} {
		data := s.call(t, http.MethodGet, "/sdk/GetContextInfo", q)
		var status struct{ ContextStatus string }
		require.NoError(t, json.Unmarshal(data, &status))
		var items []struct{ Type, Data string }
		require.NoError(t, json.Unmarshal([]byte(status.ContextStatus), &items))
		require.Len(t, items, 1)
		require.Equal(t, "data", items[0].Type)
		var tasks []map[string]any
		require.NoError(t, json.Unmarshal([]byte(items[0].Data), &tasks))
		last := tasks[len(tasks)-1]
		require.Equal(t, []any{context, dir, mode, "Success", ""},
			[]any{last["contextId"], last["path"], last["taskType"], last["status"], last["errorMessage"]})
		require.Positive(t, last["startTime"])
		require.GreaterOrEqual(t, last["finishTime"], last["startTime"])
	}
}

func (s service) fileURL(t *testing.T, operation, context, file string) string {
	t.Helper()
	var data struct {
		URL        string
		ExpireTime int64
	}
	got := s.call(t, http.MethodPost, "/sdk/"+operation, url.Values{"contextId": {context}, "filePath": {file}})
	require.NoError(t, json.Unmarshal(got, &data))
	require.True(t, strings.HasPrefix(data.URL, s.URL+"/transfer/"), data.URL)
	require.Positive(t, data.ExpireTime)
	return data.URL
}

// load returns the transfer context of a session.
func load(t *testing.T, p peer, id string) wire.InternalContext {
	t.Helper()
	resp := must(t, p, wire.LoadContext, wire.LoadContextRequest{SessionID: id, Types: wire.TextOf([]string{wire.ContextFileTransfer})})
	require.Len(t, resp.Contexts, 1)
	return resp.Contexts[0]
}

// random returns content that is no text.
func random(t *testing.T, n int) []byte {
	t.Helper()
	content := make([]byte, n)
	_, err := rand.Read(content)
	require.NoError(t, err)
	return content
}

// sum returns the SHA-256 of a file as the session sees it.
func sum(t *testing.T, p peer, id, file string) string {
	t.Helper()
	r := shell(t, p, id, wire.ShellArgs{Command: "sha256sum <'" + file + "'"})
	require.Zero(t, r.ExitCode, r.Stderr)
	digits, _, _ := strings.Cut(r.Stdout, " ")
	return digits
}

func sumOf(content []byte) string {
	digest := sha256.Sum256(content)
	return hex.EncodeToString(digest[:])
}

// TestTransferAsThePythonSDKDoes goes through the steps of its session.file.upload
// and session.file.download.
func TestTransferAsThePythonSDKDoes(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	s := p.serve(t)
	var contexts []struct{ ContextID, ContextType, ContextPath string }
	q := url.Values{"sessionId": {id}, "contextTypes": {`["file_transfer"]`}}
	require.NoError(t, json.Unmarshal(s.call(t, http.MethodPost, "/sdk/GetAndLoadInternalContext", q), &contexts))
	require.Len(t, contexts, 1)
	context, dir := contexts[0].ContextID, contexts[0].ContextPath
	require.Equal(t, "file_transfer", contexts[0].ContextType)
	require.Equal(t, "700\n", shell(t, p, id, wire.ShellArgs{Command: "stat -c %a " + dir}).Stdout)

	for file, content := range map[string][]byte{
		dir + "/large.bin":    random(t, 5<<20),
		dir + "/empty":        {},
		dir + "/sub/ä b?#%41": random(t, 100),
		"/tmp/outside.bin":    random(t, 70_000),
	} {
		for _, chunked := range []bool{false, true} {
			var body io.Reader = bytes.NewReader(content)
			if chunked { // of a reader whose length is not known
				body = io.MultiReader(bytes.NewReader(content))
			}
			resp := s.object(t, http.MethodPut, s.fileURL(t, "GetContextFileUploadUrl", context, file), body)
			require.Equal(t, http.StatusOK, resp.status, "%s", resp.content)
			require.Regexp(t, `^"[!-~]+"$`, resp.header.Get("ETag"))
			s.synced(t, id, context, file, "download")
			require.Equal(t, sumOf(content), sum(t, p, id, file), file)
			put := resp.header.Get("ETag")

			s.synced(t, id, context, file, "upload")
			resp = s.object(t, http.MethodGet, s.fileURL(t, "GetContextFileDownloadUrl", context, file), http.NoBody)
			require.Equal(t, http.StatusOK, resp.status)
			require.EqualValues(t, len(content), resp.length)
			require.Equal(t, put, resp.header.Get("ETag"))
			require.Equal(t, sumOf(content), sumOf(resp.content), file)
		}
	}
	require.Equal(t, "644\n", shell(t, p, id, wire.ShellArgs{Command: "stat -c %a /tmp/outside.bin"}).Stdout)
	resp := s.object(t, http.MethodGet, s.fileURL(t, "GetContextFileDownloadUrl", context, "empty"), http.NoBody)
	require.Equal(t, http.StatusOK, resp.status, "a relative path is below the context's")
}

// A file that is not as the client believes is not replaced.
func TestUploadOnACondition(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	s, c := p.serve(t), load(t, p, id)
	up := s.fileURL(t, "GetContextFileUploadUrl", c.ID, "new/f")
	content := func() string { return shell(t, p, id, wire.ShellArgs{Command: "cat " + c.Path + "/new/*"}).Stdout }
	put := func(status int, body string, headers ...string) string {
		t.Helper()
		resp := s.object(t, http.MethodPut, up, strings.NewReader(body), headers...)
		require.Equal(t, status, resp.status, "%s", resp.content)
		return resp.header.Get("ETag")
	}
	put(http.StatusPreconditionFailed, "0", "If-Match", `"none"`)
	first := put(http.StatusOK, "1", "If-None-Match", "*")
	put(http.StatusPreconditionFailed, "2", "If-None-Match", "*")
	require.Equal(t, "1", content())
	second := put(http.StatusOK, "3", "If-Match", first)
	put(http.StatusPreconditionFailed, "4", "If-Match", first)
	for _, headers := range [][]string{
		{"If-Match", "*"}, {"If-Match", second[1:]}, {"If-Match", `""`}, {"If-Match", "W/" + second}, {"If-Match", second + ", " + first},
		{"If-Match", ""}, {"If-None-Match", first}, {"If-None-Match", `"*"`}, {"If-Match", second, "If-None-Match", "*"},
	} {
		put(http.StatusNotImplemented, "5", headers...)
	}
	require.Equal(t, "3", content())

	// What happens while the body comes counts, too.
	for i, header := range []string{"If-None-Match: *", "If-Match: " + second} {
		dir := c.Path + []string{"/other", "/new"}[i]
		w := s.put(t, s.fileURL(t, "GetContextFileUploadUrl", c.ID, dir+"/f"), header+"\r\nContent-Length: 4\r\n", "la")
		entries(t, p, id, dir, 1+i)
		get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: dir + "/f", Content: "first"})
		_, err := io.WriteString(w, "te")
		require.NoError(t, err)
		require.Equal(t, http.StatusPreconditionFailed, w.answer(t))
		require.Equal(t, "f\nfirst", shell(t, p, id, wire.ShellArgs{Command: "ls -A " + dir + "; cat " + dir + "/f"}).Stdout)
	}
}

func TestDownloadTellsOfTheFile(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	s, c := p.serve(t), load(t, p, id)
	get(t, p, id, wire.WriteFile, wire.WriteFileArgs{Path: "/tmp/a.html", Content: "0123456789"})
	target := must(t, p, wire.DownloadURL, wire.FileURLRequest{ContextID: c.ID, Path: "/tmp/a.html"}).URL

	resp := s.object(t, http.MethodHead, target, http.NoBody)
	require.Equal(t, http.StatusOK, resp.status)
	require.Empty(t, resp.content)
	want := resp.header
	require.Equal(t, []string{"application/octet-stream", "attachment", "nosniff", "no-store", "bytes", "10"}, []string{
		want.Get("Content-Type"), want.Get("Content-Disposition"), want.Get("X-Content-Type-Options"),
		want.Get("Cache-Control"), want.Get("Accept-Ranges"), want.Get("Content-Length"),
	})
	resp = s.object(t, http.MethodGet, target, http.NoBody)
	require.Equal(t, "0123456789", string(resp.content))
	for _, h := range []http.Header{want, resp.header} {
		h.Del("Date")
		h.Del(wire.HeaderRequestID)
	}
	require.Equal(t, want, resp.header)

	for header, part := range map[string]string{
		"bytes=0-0": "0", "bytes=3-6": "3456", "bytes=3-": "3456789", "bytes=9-99": "9", "bytes=0-999999999999999999": "0123456789",
	} {
		resp := s.object(t, http.MethodGet, target, http.NoBody, "Range", header)
		require.Equal(t, http.StatusPartialContent, resp.status, header)
		require.Equal(t, part, string(resp.content), header)
		require.EqualValues(t, len(part), resp.length)
		require.Contains(t, resp.header.Get("Content-Range"), "/10")
	}
	for _, header := range []string{"bytes=-3", "bytes=0-1,3-4", "bytes=5-4", "lines=1-2", "bytes=", "bytes=0-9999999999999999999"} {
		resp := s.object(t, http.MethodGet, target, http.NoBody, "Range", header)
		require.Equal(t, http.StatusOK, resp.status, header)
		require.Equal(t, "0123456789", string(resp.content), header)
	}
	resp = s.object(t, http.MethodGet, target, http.NoBody, "Range", "bytes=2-3", "If-Range", `"other"`)
	require.Equal(t, http.StatusOK, resp.status)
	resp = s.object(t, http.MethodGet, target, http.NoBody, "Range", "bytes=10-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, resp.status)
	require.Equal(t, "bytes */10", resp.header.Get("Content-Range"))

	// Of a file of /proc nobody knows the size before.
	target = must(t, p, wire.DownloadURL, wire.FileURLRequest{ContextID: c.ID, Path: "/proc/meminfo"}).URL
	resp = s.object(t, http.MethodGet, target, http.NoBody)
	require.Equal(t, http.StatusOK, resp.status, "%s", resp.content)
	require.Contains(t, string(resp.content), "MemTotal:")

	for file, status := range map[string]int{
		"/tmp/none": http.StatusNotFound, "/tmp": http.StatusPreconditionFailed, "/tmp/a.html/b": http.StatusPreconditionFailed, "none": http.StatusNotFound,
	} {
		target := must(t, p, wire.DownloadURL, wire.FileURLRequest{ContextID: c.ID, Path: file}).URL
		a := peer{p.handler, ""}.raw(t, http.MethodGet, target, "")
		require.Equal(t, status, a.status, "%s: %s", file, a.body)
		require.Empty(t, a.header.Get("Content-Disposition"))
	}
}
