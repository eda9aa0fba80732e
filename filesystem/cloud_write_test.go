package filesystem_test

import (
	"bytes"
	"context"
	"io/fs"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/filesystem"
	"github.com/agb-go/sdk/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWriteCalls(t *testing.T) {
	for name, tc := range map[string]struct {
		content string
		calls   []string
	}{
		"empty":                {"", []string{"write_file"}},
		"text":                 {"a\r\nb\x00€", []string{"write_file"}},
		"chunk":                {strings.Repeat("a", wire.ChunkSize), []string{"write_file"}},
		"chunk and one":        {strings.Repeat("a", wire.ChunkSize+1), []string{"write_file", "write_file", "get_file_info"}},
		"character on the cut": {strings.Repeat("a", wire.ChunkSize-1) + "€", []string{"write_file", "write_file", "get_file_info"}},
		"bytes":                {"\xff\x00", []string{"write_file", "shell", "get_file_info"}},
		"half a character":     {"abc\xe2\x82", []string{"write_file", "shell", "get_file_info"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, f := newCloud(t)
			c.put("/a", []byte("old"))
			res, err := f.WriteFile(t.Context(), "/a", []byte(tc.content), nil)
			require.NoError(t, err)
			require.Equal(t, tc.calls, c.called())
			require.Equal(t, tc.content, string(c.content(t, "/a")))
			require.Equal(t, int64(len(tc.content)), res.Written)
			require.Equal(t, "r-"+tc.calls[len(tc.calls)-1], res.RequestID)
		})
	}
}

func TestWritePiecesAreSmallAndWhole(t *testing.T) {
	c, f := newCloud(t)
	c.override("write_file", func(args map[string]any) answer {
		content := args["content"].(string)
		require.LessOrEqual(t, len(content), wire.ChunkSize)
		require.True(t, utf8.ValidString(content))
		require.NotContains(t, content, string(utf8.RuneError))
		return c.write(args["path"].(string), args["mode"].(string), content)
	})
	c.override("shell", func(args map[string]any) answer {
		require.Less(t, len(args["command"].(string)), 128<<10)
		return c.shell(args)
	})
	content := strings.Repeat("€", 40_000) + string(randomBytes(3*wire.ChunkSize)) + strings.Repeat("🏔", 30_000)
	_, err := f.WriteFile(t.Context(), "/a", []byte(content), nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal([]byte(content), c.content(t, "/a")))
}

func TestWriteFailsHalfWay(t *testing.T) {
	c, f := newCloud(t)
	left := 2
	c.override("write_file", func(args map[string]any) answer {
		if left--; left < 0 {
			return failed("No space left on device")
		}
		return c.write(args["path"].(string), args["mode"].(string), args["content"].(string))
	})
	res, err := f.WriteFile(t.Context(), "/a", make([]byte, 4*wire.ChunkSize), nil)
	requireFault(t, err, apierr.ResourceExhausted, "WriteFile")
	require.Equal(t, int64(2*wire.ChunkSize), res.Written)
	require.Equal(t, "r-write_file", res.RequestID)

	left = 2
	w, err := f.Create(t.Context(), "/b", nil)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 4*wire.ChunkSize))
	requireFault(t, err, apierr.ResourceExhausted, "Writer.Write")
	require.Equal(t, int64(wire.ChunkSize), w.Result().Written)
	_, again := w.Write([]byte("x"))
	require.Equal(t, err, again)
	require.Equal(t, err, w.Close())
	require.ErrorIs(t, w.Close(), fs.ErrClosed)
	_, err = w.Write(nil)
	require.ErrorIs(t, err, fs.ErrClosed)
}

// Somebody else writes too, or the server did not do what it said.
func TestWriteVerifies(t *testing.T) {
	big := make([]byte, 2*wire.ChunkSize)
	lie := func(size int) func(map[string]any) answer {
		return func(map[string]any) answer { return said("size: %d\n", size) }
	}
	for name, tc := range map[string]struct {
		mode   filesystem.WriteMode
		before int // what Append hears first
		after  int
		ok     bool
	}{
		"overwrite right": {filesystem.Overwrite, 0, len(big), true},
		"overwrite less":  {filesystem.Overwrite, 0, len(big) - 1, false},
		"overwrite more":  {filesystem.Overwrite, 0, len(big) + 1, false},
		"append right":    {filesystem.Append, 10, len(big) + 10, true},
		"append less":     {filesystem.Append, 10, len(big) + 9, false},
		"append more":     {filesystem.Append, 10, len(big) + 11, true},
	} {
		t.Run(name, func(t *testing.T) {
			c, f := newCloud(t)
			c.override("get_file_info", lie(tc.before))
			c.override("write_file", func(map[string]any) answer {
				c.tools["get_file_info"] = lie(tc.after)
				return said("ok")
			})
			res, err := f.WriteFile(t.Context(), "/a", big, &filesystem.WriteOptions{Mode: tc.mode})
			if tc.ok {
				require.NoError(t, err)
			} else {
				requireFault(t, err, apierr.UnknownOutcome, "WriteFile")
			}
			require.Equal(t, int64(len(big)), res.Written)
		})
	}
}

func TestShellFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		answer answer
		code   apierr.Code
	}{
		"permission":  {failed(`{"stderr":"sh: 1: cannot create /a: Permission denied","exit_code":2}`), apierr.PermissionDenied},
		"no space":    {said(`{"stderr":"base64: write error: No space left on device","exit_code":1}`), apierr.ResourceExhausted},
		"no base64":   {failed(`{"stderr":"sh: 1: base64: not found","exit_code":127}`), apierr.Unsupported},
		"other code":  {failed(`{"stderr":"sh: /a: Read-only file system","errorCode":1}`), apierr.PermissionDenied},
		"silent":      {said(`{"exit_code":3}`), apierr.Unknown},
		"timed out":   {failed(`{"timed_out":true}`), apierr.DeadlineExceeded},
		"long":        {said(`{"stderr":"%s","exit_code":1}`, strings.Repeat("ü", 100_000)), apierr.Unknown},
		"not a shell": {said("hello"), apierr.MalformedResponse},
	} {
		t.Run(name, func(t *testing.T) {
			c, f := newCloud(t)
			c.override("shell", func(map[string]any) answer { return tc.answer })
			_, err := f.WriteFile(t.Context(), "/a", []byte{0xff}, nil)
			requireFault(t, err, tc.code, "WriteFile")
			e := fault(t, err)
			require.Equal(t, "r-shell", e.RequestID)
			require.Less(t, len(e.Error()), 4096)
		})
	}
}

func TestContextEndsWriting(t *testing.T) {
	_, f := newCloud(t)
	ctx, cancel := context.WithCancel(t.Context())
	w, err := f.Create(ctx, "/a", nil)
	require.NoError(t, err)
	_, err = w.Write([]byte("held"))
	require.NoError(t, err)
	cancel()
	require.ErrorIs(t, w.Close(), context.Canceled)
	require.Zero(t, w.Result().Written)
}

// A character may come in pieces.
func TestWriterBytes(t *testing.T) {
	content := strings.Repeat("a€🏔\xff", 30_000) + strings.Repeat("€", 40_000)
	for _, size := range []int{1, 7, wire.ChunkSize - 1, wire.ChunkSize, wire.ChunkSize + 1, len(content)} {
		c, f := newCloud(t)
		w, err := f.Create(t.Context(), "/a", nil)
		require.NoError(t, err)
		for rest := content; len(rest) > 0; {
			n, err := w.Write([]byte(rest[:min(size, len(rest))]))
			require.NoError(t, err)
			rest = rest[n:]
		}
		require.NoError(t, w.Close())
		require.True(t, bytes.Equal([]byte(content), c.content(t, "/a")), "pieces of %d", size)
		require.Equal(t, int64(len(content)), w.Result().Written)
	}
}

func TestBareListing(t *testing.T) {
	c, f := newCloud(t)
	c.dirs["/d"], c.dirs["/d/sub"] = true, true
	c.put("/d/b", []byte("12345"))
	c.put("/d/a", nil)

	res, err := f.List(t.Context(), "/d", nil)
	require.NoError(t, err)
	require.Equal(t, []filesystem.FileInfo{
		{Path: "/d/a", Mode: 0o640},
		{Path: "/d/b", Mode: 0o640, Size: 5},
		{Path: "/d/sub", Mode: fs.ModeDir | 0o644, Size: 4096},
	}, withoutTime(res.Entries))
	require.Len(t, c.called(), 4)

	res, err = f.List(t.Context(), "/d", &filesystem.ListOptions{NamesOnly: true})
	require.NoError(t, err)
	require.Len(t, res.Entries, 3)
	require.True(t, res.Entries[2].IsDir())
	require.Equal(t, []string{"list_directory"}, c.called())

	entries, err := fs.ReadDir(f.FS(t.Context(), "/d"), ".")
	require.NoError(t, err)
	require.Equal(t, []string{"list_directory"}, c.called())
	info, err := entries[1].Info()
	require.NoError(t, err)
	require.Equal(t, "b", info.Name())
	require.Equal(t, int64(5), info.Size())
	require.Equal(t, []string{"get_file_info"}, c.called())

	c.override("get_file_info", func(map[string]any) answer { return failed("File not found") })
	_, err = entries[1].Info()
	require.ErrorIs(t, err, fs.ErrNotExist)
	res, err = f.List(t.Context(), "/d", nil)
	require.NoError(t, err)
	require.Len(t, res.Entries, 3, "an entry that vanishes keeps its name")

	c.override("get_file_info", func(map[string]any) answer { return failed("Permission denied") })
	_, err = f.List(t.Context(), "/d", nil)
	requireFault(t, err, apierr.PermissionDenied, "List")
}

func withoutTime(infos []filesystem.FileInfo) []filesystem.FileInfo {
	for i := range infos {
		infos[i].Modified = time.Time{}
	}
	return infos
}

func TestHostileListing(t *testing.T) {
	for _, name := range []string{"..", ".", "a/b", "/etc/passwd", "a\x00b", " "} {
		c, f := newCloud(t)
		c.override("list_directory", func(map[string]any) answer { return said("[FILE] %s\n", name) })
		_, err := f.List(t.Context(), "/d", &filesystem.ListOptions{NamesOnly: true})
		if name == " " {
			require.NoError(t, err)
			continue
		}
		requireFault(t, err, apierr.MalformedResponse, "List")
	}
}

// The hosted service's answer for several files is not exact, so they are read
// one by one.
func TestReadFilesExactly(t *testing.T) {
	c, f := newCloud(t)
	c.put("/a:b", []byte(" \n---\nx:\n"))
	c.put("/empty", nil)
	c.dirs["/d"] = true
	res, err := f.ReadFiles(t.Context(), []string{"/a:b", "/none", "/d", "/empty", "/a:b"}, nil)
	require.NoError(t, err)
	require.Len(t, res.Files, 5)
	require.Equal(t, filesystem.FileContent{Path: "/a:b", Content: []byte(" \n---\nx:\n")}, res.Files[0])
	require.ErrorIs(t, res.Files[1].Err, fs.ErrNotExist)
	require.Nil(t, res.Files[1].Content)
	requireFault(t, res.Files[2].Err, apierr.FailedPrecondition, "ReadFiles")
	require.NotNil(t, res.Files[3].Content)
	require.Equal(t, res.Files[0], res.Files[4])

	res, err = f.ReadFiles(t.Context(), []string{"/a:b"}, &filesystem.ReadFilesOptions{MaxBytes: 3})
	require.NoError(t, err)
	requireFault(t, res.Files[0].Err, apierr.ResponseTooLarge, "ReadFiles")

	ctx, cancel := context.WithCancel(t.Context())
	c.override("get_file_info", func(map[string]any) answer { cancel(); return said("size: 1\n") })
	_, err = f.ReadFiles(ctx, []string{"/a:b", "/empty"}, nil)
	require.ErrorIs(t, err, context.Canceled)
	requireFault(t, err, apierr.Canceled, "ReadFiles")
}
