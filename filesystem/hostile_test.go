package filesystem_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/filesystem"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/transport/fakestream"
	"github.com/agb-go/sdk/internal/wire"
)

// talking returns a client of a server that hands each stream to serve.
func talking(t *testing.T, serve func(*wire.FrameWriter, net.Conn)) *filesystem.Client {
	t.Helper()
	c, stop := fakestream.Service{
		Operations: []string{"PackTree", "ReadContent", "WriteContent", "WatchTree", "WalkTree"},
		Data:       `{"entries":[{"path":"../x"}]}`,
		Serve:      serve,
	}.Start()
	t.Cleanup(stop)
	return filesystem.New(c, sessionID)
}

// sparse is what an archive says of a sparse file, in front of it. Package tar
// writes no such thing: extended makes it out of a file called extension.
const (
	sparse    = "22 GNU.sparse.map=0,1\n26 GNU.sparse.numblocks=1\n21 GNU.sparse.size=1\n"
	extension = "PaxHeaders.0/f"
)

func extended(archive []byte) []byte {
	if !bytes.HasPrefix(archive, []byte(extension)) {
		return archive
	}
	const flag, sum, block = 156, 148, 512
	archive[flag] = tar.TypeXHeader
	copy(archive[sum:], "        ")
	total := 0
	for _, b := range archive[:block] {
		total += int(b)
	}
	copy(archive[sum:], fmt.Sprintf("%06o\x00 ", total))
	return archive
}

// Archives that a session may send, and what must not come of them.
func TestHostileDownloads(t *testing.T) {
	file := func(name string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: 1}
	}
	for name, headers := range map[string][]tar.Header{
		"dots":            {file("../x")},
		"dots inside":     {file("a/../../x")},
		"absolute":        {file("/tmp/x")},
		"itself":          {file(".")},
		"device":          {{Name: "d", Typeflag: tar.TypeChar}},
		"pipe":            {{Name: "d", Typeflag: tar.TypeFifo}},
		"hard link":       {file("f"), {Name: "h", Typeflag: tar.TypeLink, Linkname: "f"}},
		"twice":           {file("f"), file("f")},
		"file in a link":  {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d"}, {Name: "l", Typeflag: tar.TypeDir}},
		"sparse":          {{Name: extension, Typeflag: tar.TypeReg, Size: int64(len(sparse))}, file("f"), file("g")},
		"wrong tally":     {file("f"), file("g"), file("h")},
		"more than it is": {{Name: "f", Typeflag: tar.TypeReg, Size: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, h := range headers {
				require.NoError(t, w.WriteHeader(&h))
				content := "x"[:min(h.Size, 1)]
				if h.Name == extension {
					content = sparse
				}
				_, err := io.WriteString(w, content)
				require.NoError(t, err)
			}
			_ = w.Flush() // which fails where a size is a lie
			f := talking(t, func(to *wire.FrameWriter, _ net.Conn) {
				_, _ = to.Write(append(extended(b.Bytes()), make([]byte, 1024)...))
				end, _ := json.Marshal(wire.ContentEnd{Bytes: 2, Entries: 2})
				_ = to.WriteFrame(wire.FrameEnd, end)
			})
			top := t.TempDir()
			dir := filepath.Join(top, "in")
			_, err := f.Download(t.Context(), "d", dir, nil)
			requireFault(t, err, apierr.MalformedResponse, "Download")
			list, err := os.ReadDir(top)
			require.NoError(t, err)
			require.Len(t, list, 1)
			parts, err := filepath.Glob(filepath.Join(dir, ".agb-*"))
			require.NoError(t, err)
			require.Empty(t, parts, "parts are removed")
		})
	}
}

// Links that lead out, each by another way, of which none is there in the end.
func TestHostileLinks(t *testing.T) {
	dir := func(name string) tar.Header { return tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755} }
	link := func(name, to string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to, Mode: 0o777}
	}
	for name, c := range map[string]struct {
		headers []tar.Header
		refused bool
	}{
		"absolute":          {[]tar.Header{link("l", "/etc")}, false},
		"up":                {[]tar.Header{dir("a"), link("a/l", "../../x")}, false},
		"through a link":    {[]tar.Header{dir("a"), dir("a/b"), link("a/b/c", "../.."), link("a/b/c/l", "../../../x")}, true},
		"up behind a link":  {[]tar.Header{dir("a"), dir("b"), dir("b/d"), link("b/d/up", "../../a"), link("b/l", "d/up/../../x")}, false},
		"directory in link": {[]tar.Header{dir("a"), link("l", "a"), dir("l/d")}, true},
		"file in a link":    {[]tar.Header{dir("a"), link("l", "a"), {Name: "l/f", Typeflag: tar.TypeReg, Mode: 0o644}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, h := range c.headers {
				require.NoError(t, w.WriteHeader(&h))
			}
			require.NoError(t, w.Close())
			f := talking(t, func(to *wire.FrameWriter, _ net.Conn) {
				_, _ = to.Write(b.Bytes())
				end, _ := json.Marshal(wire.ContentEnd{Entries: int64(len(c.headers))})
				_ = to.WriteFrame(wire.FrameEnd, end)
			})
			top := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(top, "x"), nil, 0o600))
			local := filepath.Join(top, "in")
			res, err := f.Download(t.Context(), "d", local, nil)
			if c.refused {
				requireFault(t, err, apierr.MalformedResponse, "Download")
			} else {
				require.NoError(t, err)
				require.EqualValues(t, 1, res.Skipped)
			}
			require.NoError(t, filepath.WalkDir(local, func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type() == fs.ModeSymlink {
					var whole string
					whole, err = filepath.EvalSymlinks(path)
					require.True(t, err != nil || whole == local || strings.HasPrefix(whole, local+"/"), "%s leads to %s", path, whole)
					err = nil
				}
				return err
			}))
		})
	}
}

// Streams that end too early, or say what is not so.
func TestCutStreams(t *testing.T) {
	state := []byte(`{"path":"p","size":3,"etag":"e"}`)
	for name, c := range map[string]struct {
		serve func(*wire.FrameWriter)
		code  apierr.Code
	}{
		"nothing": {func(*wire.FrameWriter) {}, apierr.Unavailable},
		"no end":  {func(w *wire.FrameWriter) { _ = w.WriteFrame(wire.FrameState, state); _, _ = w.Write([]byte("abc")) }, apierr.Unavailable},
		"wrong count": {func(w *wire.FrameWriter) {
			_ = w.WriteFrame(wire.FrameState, state)
			_ = w.WriteFrame(wire.FrameEnd, []byte(`{"bytes":3}`))
		}, apierr.MalformedResponse},
		"no state": {func(w *wire.FrameWriter) { _, _ = w.Write([]byte("abc")) }, apierr.MalformedResponse},
		"negative": {func(w *wire.FrameWriter) { _ = w.WriteFrame(wire.FrameState, []byte(`{"size":-1}`)) }, apierr.MalformedResponse},
		"strange end": {func(w *wire.FrameWriter) {
			_ = w.WriteFrame(wire.FrameState, state)
			_ = w.WriteFrame(wire.FrameEnd, nil)
		}, apierr.MalformedResponse},
		"too much": {func(w *wire.FrameWriter) {
			_ = w.WriteFrame(wire.FrameState, state)
			_, _ = w.Write([]byte("abcdef"))
			_ = w.WriteFrame(wire.FrameEnd, []byte(`{"bytes":6}`))
		}, apierr.MalformedResponse},
		"fault": {func(w *wire.FrameWriter) {
			_ = w.WriteFrame(wire.FrameState, state)
			_ = w.WriteFrame(wire.FrameFault, []byte(`{"code":"Throttling","message":"no"}`))
		}, apierr.ResourceExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			f := talking(t, func(w *wire.FrameWriter, _ net.Conn) { c.serve(w) })
			r, err := f.OpenStream(t.Context(), "p", &filesystem.OpenStreamOptions{Length: 3})
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				require.NoError(t, r.Close())
			}
			requireFault(t, err, c.code, "OpenStream")
		})
	}
	for name, sent := range map[string]string{"nothing": "", "early": `{"bytes":0}`} {
		f := talking(t, func(w *wire.FrameWriter, conn net.Conn) {
			if sent != "" {
				_ = w.WriteFrame(wire.FrameEnd, []byte(sent))
				_, _ = io.CopyN(io.Discard, conn, 1)
			}
		})
		w, err := f.CreateStream(t.Context(), "p", nil)
		require.NoError(t, err)
		_, _ = w.Write([]byte("x"))
		require.Error(t, w.Close(), name)
	}
	f := talking(t, func(w *wire.FrameWriter, _ net.Conn) {
		_ = w.WriteFrame(wire.FrameWatching, nil)
		_ = w.WriteFrame(wire.FrameEvents, []byte(`[{"type":"overflow","path":"/d"},{"type":"odd","path":"/d/x"}]`))
	})
	var told []filesystem.Event
	for e, err := range f.Watch(t.Context(), "d", nil) {
		if err != nil {
			requireFault(t, err, apierr.MalformedResponse, "Watch")
			break
		}
		told = append(told, e)
	}
	require.Equal(t, []filesystem.Event{{Kind: filesystem.EventOverflow, Path: "/d"}}, told)
	for _, err := range f.Walk(t.Context(), "d", nil) {
		requireFault(t, err, apierr.MalformedResponse, "Walk")
	}
}

// Where there are no streams files move in pieces, as far as that is the same.
func TestStreamsOfTheHostedService(t *testing.T) {
	mock := httpmock.NewMockTransport()
	c, _ := newCloud(t)
	mock.RegisterResponder(http.MethodPost, `=~/mcp$`, c.respond)
	mock.RegisterResponder(http.MethodGet, `=~/v1/capabilities$`, httpmock.NewStringResponder(http.StatusNotFound, "no"))
	f := filesystem.New(transport.New(transport.Config{
		BaseURL: "http://cloud.invalid", APIKey: "key", Transport: mock, Logger: slog.New(slog.DiscardHandler),
		UserAgent: "test", Timeout: time.Minute, Attempts: 1,
	}), sessionID)
	content := bytes.Repeat([]byte("0123456789"), 20_000)
	res := stream(t, f, "/tmp/f", content, nil)
	require.Empty(t, res.ETag)
	require.Equal(t, content[5:], streamed(t, f, "/tmp/f", &filesystem.OpenStreamOptions{Offset: 5}))
	require.Equal(t, content[5:105], streamed(t, f, "/tmp/f", &filesystem.OpenStreamOptions{Offset: 5, Length: 100}))
	for _, opts := range []*filesystem.CreateStreamOptions{{Mode: filesystem.Replace}, {Perm: 0o600}, {IfMatch: "x"}, {Mode: filesystem.Update}} {
		_, err := f.CreateStream(t.Context(), "/tmp/f", opts)
		requireFault(t, err, apierr.Unsupported, "CreateStream")
	}
	_, err := f.OpenStream(t.Context(), "/tmp/f", &filesystem.OpenStreamOptions{IfMatch: "x"})
	requireFault(t, err, apierr.Unsupported, "OpenStream")
	_, err = f.Copy(t.Context(), "/tmp/f", "/tmp/g", nil)
	requireFault(t, err, apierr.Unsupported, "Copy")
	_, err = f.Stat(t.Context(), "/tmp/f", &filesystem.StatOptions{ETag: true})
	requireFault(t, err, apierr.Unsupported, "Stat")
	for _, err := range f.Watch(t.Context(), "/tmp", nil) {
		requireFault(t, err, apierr.Unsupported, "Watch")
	}
	require.Equal(t, 1, mock.GetCallCountInfo()[http.MethodGet+" =~/v1/capabilities$"], "asked once")
}
