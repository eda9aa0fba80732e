package filesystem_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/filesystem"
	"github.com/agb-go/sdk/internal/wire"
)

// These tests run in a real sandbox.

// write makes a file.
func write(tb testing.TB, f *filesystem.Client, path string, content []byte) {
	tb.Helper()
	res, err := f.WriteFile(tb.Context(), path, content, nil)
	require.NoError(tb, err)
	require.Equal(tb, int64(len(content)), res.Written)
	require.NotEmpty(tb, res.RequestID)
}

// requireContent checks what is in a file.
func requireContent(t *testing.T, f *filesystem.Client, path string, want []byte) {
	t.Helper()
	res, err := f.ReadFile(t.Context(), path, nil)
	require.NoError(t, err)
	require.NotEmpty(t, res.RequestID)
	require.NotNil(t, res.Content)
	require.Len(t, res.Content, len(want))
	require.True(t, bytes.Equal(want, res.Content))
}

func TestBytesAreExact(t *testing.T) {
	s := agbtest.NewSession(t)
	f := s.FileSystem
	const chunk = wire.ChunkSize
	contents := map[string][]byte{
		"empty":           {},
		"NUL":             []byte("a\x00b\x00"),
		"CRLF":            []byte("a\r\nb\rc\n\r\n"),
		"no line break":   []byte("a"),
		"40,000 €":        []byte(strings.Repeat("€", 40_000)),
		"4-byte":          []byte(strings.Repeat("🏔", 40_000)),
		"U+FFFD":          []byte("\uFFFD\uFEFF\u2028<>&'\"\\"),
		"broken UTF-8":    []byte("a\xffb\xc3"),
		"surrogate":       []byte("\xed\xa0\x80"),
		"one bad in text": append(bytes.Repeat([]byte("€"), 40_000), 0xff),
		"every byte":      everyByte(),
	}
	for _, n := range []int{1, 2, chunk - 1, chunk, chunk + 1, 2*chunk - 1, 2 * chunk, 2*chunk + 1, 5*chunk + 3} {
		contents[fmt.Sprint("text of ", n)] = bytes.Repeat([]byte("x"), n)
		contents[fmt.Sprint("bytes of ", n)] = randomBytes(n)
	}
	for name, content := range contents {
		t.Run(name, func(t *testing.T) {
			path := "/tmp/" + name
			write(t, f, path, content)
			requireContent(t, f, path, content)
			info, err := f.Stat(t.Context(), path, nil)
			require.NoError(t, err)
			require.Equal(t, int64(len(content)), info.Info.Size)

			w, err := f.Create(t.Context(), path, nil)
			require.NoError(t, err)
			_, err = io.Copy(w, iotest.HalfReader(bytes.NewReader(content)))
			require.NoError(t, err)
			require.NoError(t, w.Close())
			requireContent(t, f, path, content)
		})
	}
}

func everyByte() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestTenMegabytes(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	s := agbtest.NewSession(t)
	want := randomBytes(10 << 20)
	write(t, s.FileSystem, "/tmp/big", want)
	requireContent(t, s.FileSystem, "/tmp/big", want)

	file, err := s.FileSystem.Open(t.Context(), "/tmp/big", nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	got, err := io.ReadAll(file)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, got))

	sum, err := s.Command.Run(t.Context(), "wc -c < /tmp/big", nil)
	require.NoError(t, err)
	require.Equal(t, "10485760", strings.TrimSpace(sum.Stdout))
}

func TestNames(t *testing.T) {
	f := agbtest.NewSession(t).FileSystem
	dir := "/tmp/names"
	names := []string{
		"a b", " lead", "trail ", "-rf", "--help", "a\nb", "a\r\nb", "ünï 日本 🏔", `a"b`, "a'b", "a`id`", "$(id)", "$HOME", "~",
		`a\b`, "a:b", "a*?[x]", "...", "---", "%s%n", ";id", "a|b>c", "\x01\x7f", strings.Repeat("n", 255),
	}
	for _, name := range names {
		write(t, f, dir+"/"+name, []byte(name))
		write(t, f, dir+"/"+name, append([]byte(name), 0xff)) // through the shell
		requireContent(t, f, dir+"/"+name, append([]byte(name), 0xff))
	}
	list, err := f.List(t.Context(), dir, nil)
	require.NoError(t, err)
	var got []string
	for _, e := range list.Entries {
		require.Equal(t, dir+"/"+e.Name(), e.Path)
		got = append(got, e.Name())
	}
	require.ElementsMatch(t, names, got)
	for _, name := range names {
		_, err := f.Move(t.Context(), dir+"/"+name, dir+"/moved", nil)
		require.NoError(t, err)
		_, err = f.Remove(t.Context(), dir+"/moved", nil)
		require.NoError(t, err)
	}
	list, err = f.List(t.Context(), dir, nil)
	require.NoError(t, err)
	require.Empty(t, list.Entries)
}

func TestWriteModes(t *testing.T) {
	f := agbtest.NewSession(t).FileSystem
	ctx := t.Context()
	for name, content := range map[string][]byte{"text": []byte("text"), "bytes": {0xff, 0xfe}, "large": randomBytes(2*wire.ChunkSize + 1)} {
		t.Run(name, func(t *testing.T) {
			path := "/tmp/modes/deep/" + name
			_, err := f.WriteFile(ctx, path, content, &filesystem.WriteOptions{Mode: filesystem.CreateNew})
			require.NoError(t, err)
			_, err = f.WriteFile(ctx, path, content, &filesystem.WriteOptions{Mode: filesystem.CreateNew})
			require.ErrorIs(t, err, fs.ErrExist)
			requireFault(t, err, apierr.AlreadyExists, "WriteFile")
			requireContent(t, f, path, content)
			_, err = f.Create(ctx, path, &filesystem.WriteOptions{Mode: filesystem.CreateNew})
			require.ErrorIs(t, err, fs.ErrExist)
			requireFault(t, err, apierr.AlreadyExists, "Create")

			_, err = f.WriteFile(ctx, path, content, &filesystem.WriteOptions{Mode: filesystem.Append})
			require.NoError(t, err)
			requireContent(t, f, path, append(bytes.Clone(content), content...))

			w, err := f.Create(ctx, path, &filesystem.WriteOptions{Mode: filesystem.Append})
			require.NoError(t, err)
			_, err = w.Write(content)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			requireContent(t, f, path, bytes.Repeat(content, 3))

			write(t, f, path, content)
			requireContent(t, f, path, content)
		})
	}
	_, err := f.WriteFile(ctx, "/tmp/modes/new", randomBytes(3*wire.ChunkSize), &filesystem.WriteOptions{Mode: filesystem.Append})
	require.NoError(t, err, "appending makes a file")
}

func TestRelativePaths(t *testing.T) {
	s := agbtest.NewSession(t)
	write(t, s.FileSystem, "here/a", []byte{'a', 0xff})
	requireContent(t, s.FileSystem, "here/a", []byte{'a', 0xff})
	res, err := s.Command.Run(t.Context(), "wc -c < here/a", nil)
	require.NoError(t, err)
	require.Equal(t, "2", strings.TrimSpace(res.Stdout))
}

func TestRanges(t *testing.T) {
	f := agbtest.NewSession(t).FileSystem
	content := randomBytes(3*wire.ChunkSize + 7)
	size := int64(len(content))
	write(t, f, "/tmp/a", content)
	for _, r := range []filesystem.ReadOptions{
		{Offset: 0, Length: 1}, {Offset: 5, Length: wire.ChunkSize}, {Offset: wire.ChunkSize - 1, Length: wire.ChunkSize + 2},
		{Offset: size - 1}, {Offset: size}, {Offset: size + 1}, {Offset: 1 << 62}, {Offset: 3, Length: 1 << 62}, {Length: size, MaxBytes: size},
	} {
		res, err := f.ReadFile(t.Context(), "/tmp/a", &r)
		require.NoError(t, err)
		from := min(r.Offset, size)
		to := size
		if r.Length > 0 {
			to = min(from+r.Length, size)
		}
		require.True(t, bytes.Equal(content[from:to], res.Content), "%+v", r)
	}
}

func TestFile(t *testing.T) {
	f := agbtest.NewSession(t).FileSystem
	write(t, f, "/tmp/small", randomBytes(300))
	small, err := f.Open(t.Context(), "/tmp/small", nil)
	require.NoError(t, err)
	require.NoError(t, iotest.TestReader(small, randomBytes(300)))
	require.NoError(t, small.Close())

	content := randomBytes(2*wire.ChunkSize + 7)
	write(t, f, "/tmp/a", content)
	file, err := f.Open(t.Context(), "/tmp/a", nil)
	require.NoError(t, err)
	at := make([]byte, wire.ChunkSize+2)
	_, err = file.ReadAt(at, wire.ChunkSize-1)
	require.NoError(t, err)
	require.True(t, bytes.Equal(content[wire.ChunkSize-1:2*wire.ChunkSize+1], at))
	n, err := file.ReadAt(at, int64(len(content)-3))
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, 3, n)
	info, err := file.Stat()
	require.NoError(t, err)
	require.Equal(t, "a", info.Name())
	require.Equal(t, int64(len(content)), info.Size())
	require.Equal(t, file.Info(), info.Sys())
	require.NotEmpty(t, file.RequestID())

	_, err = file.Seek(-10, io.SeekEnd)
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = io.Copy(&b, file)
	require.NoError(t, err)
	require.Equal(t, content[len(content)-10:], b.Bytes())
	_, err = file.Seek(-1, io.SeekStart)
	requireFault(t, err, apierr.InvalidArgument, "File.Read")
	_, err = file.Seek(0, 3)
	requireFault(t, err, apierr.InvalidArgument, "File.Read")
	require.NoError(t, file.Close())
}

func TestKernelFiles(t *testing.T) {
	f := agbtest.NewSession(t).FileSystem
	res, err := f.ReadFile(t.Context(), "/proc/meminfo", nil)
	require.NoError(t, err)
	require.Contains(t, string(res.Content), "MemTotal:")
}

func TestErrors(t *testing.T) {
	s := agbtest.NewSession(t)
	f, ctx := s.FileSystem, t.Context()
	write(t, f, "/tmp/file", []byte("x"))
	_, err := f.Mkdir(ctx, "/tmp/dir", nil)
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		err  error
		is   error
		code apierr.Code
	}{
		"ReadFile of none":      {second(f.ReadFile(ctx, "/tmp/none", nil)), fs.ErrNotExist, apierr.NotFound},
		"ReadFile below a file": {second(f.ReadFile(ctx, "/tmp/file/x", nil)), nil, apierr.FailedPrecondition},
		"ReadFile of a dir":     {second(f.ReadFile(ctx, "/tmp/dir", nil)), syscall.EISDIR, apierr.FailedPrecondition},
		"Open of none":          {second(f.Open(ctx, "/tmp/none", nil)), fs.ErrNotExist, apierr.NotFound},
		"Stat of none":          {second(f.Stat(ctx, "/tmp/none", nil)), fs.ErrNotExist, apierr.NotFound},
		"List of none":          {second(f.List(ctx, "/tmp/none", nil)), fs.ErrNotExist, apierr.NotFound},
		"Move of none":          {second(f.Move(ctx, "/tmp/none", "/tmp/b", nil)), fs.ErrNotExist, apierr.NotFound},
		"Remove of none":        {second(f.Remove(ctx, "/tmp/none", nil)), fs.ErrNotExist, apierr.NotFound},
		"Edit of none":          {second(f.Edit(ctx, "/tmp/none", []filesystem.Edit{{Old: "a"}}, nil)), fs.ErrNotExist, apierr.NotFound},
		"WriteFile to /":        {second(f.WriteFile(ctx, "/usr/x", []byte("x"), nil)), fs.ErrPermission, apierr.PermissionDenied},
		"Create in /":           {second(f.Create(ctx, "/usr/x", nil)), fs.ErrPermission, apierr.PermissionDenied},
		"WriteFile to a dir":    {second(f.WriteFile(ctx, "/tmp/dir", []byte("x"), nil)), nil, apierr.FailedPrecondition},
	} {
		t.Run(name, func(t *testing.T) {
			method, _, _ := strings.Cut(name, " ")
			requireFault(t, tc.err, tc.code, method)
			e := fault(t, tc.err)
			require.Equal(t, s.ID, e.SessionID)
			require.NotEmpty(t, e.RequestID)
			if tc.is != nil {
				require.ErrorIs(t, tc.err, tc.is)
			}
		})
	}
}

func TestSessionGone(t *testing.T) {
	s := agbtest.NewSession(t)
	write(t, s.FileSystem, "/tmp/a", nil)
	_, err := s.Delete(t.Context())
	require.NoError(t, err)
	_, err = s.FileSystem.ReadFile(t.Context(), "/tmp/a", nil)
	requireFault(t, err, apierr.SessionNotFound, "ReadFile")
	require.NotErrorIs(t, err, fs.ErrNotExist)
	_, err = s.FileSystem.ReadFiles(t.Context(), []string{"/tmp/a"}, nil)
	requireFault(t, err, apierr.SessionNotFound, "ReadFiles")
}

func TestStandardFS(t *testing.T) {
	s := agbtest.NewSession(t)
	f, ctx := s.FileSystem, t.Context()
	write(t, f, "/tmp/tree/hello", []byte("hello"))
	write(t, f, "/tmp/tree/empty", nil)
	write(t, f, "/tmp/tree/a/b/c/deep", randomBytes(500))
	write(t, f, "/tmp/tree/a b/ü", []byte("ü"))
	_, err := f.Mkdir(ctx, "/tmp/tree/emptydir", nil)
	require.NoError(t, err)
	res, err := s.Command.Run(ctx, "cd /tmp/tree && ln -s hello link && chmod 600 empty && chmod +x hello", nil)
	require.NoError(t, err)
	require.Zero(t, res.ExitCode, res.Stderr)

	tree := f.FS(ctx, "/tmp/tree")
	require.NoError(t, fstest.TestFS(tree, "hello", "empty", "a/b/c/deep", "a b/ü", "emptydir", "link"))

	list, err := f.List(ctx, "/tmp/tree", nil)
	require.NoError(t, err)
	link := list.Entries[len(list.Entries)-1]
	require.Equal(t, "/tmp/tree/link", link.Path)
	require.Equal(t, "hello", link.Target)
	require.Equal(t, fs.ModeSymlink, link.Mode.Type())

	_, err = tree.Open("none")
	var e *fs.PathError
	require.ErrorAs(t, err, &e)
	require.Equal(t, "none", e.Path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	requireFault(t, err, apierr.NotFound, "FS.Open")
	b, err := fs.ReadFile(tree, "link")
	require.NoError(t, err)
	require.Equal(t, "hello", string(b))
}
