package filesystem_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/filesystem"
	"github.com/agb-go/sdk/internal/sessiontest"
)

func stream(t *testing.T, f *filesystem.Client, path string, content []byte, opts *filesystem.CreateStreamOptions) filesystem.StreamResult {
	t.Helper()
	w, err := f.CreateStream(t.Context(), path, opts)
	require.NoError(t, err)
	_, err = io.Copy(w, bytes.NewReader(content))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.EqualValues(t, len(content), w.Result().Written)
	require.NotEmpty(t, w.Result().RequestID)
	require.ErrorIs(t, w.Close(), fs.ErrClosed)
	return w.Result()
}

func streamed(t *testing.T, f *filesystem.Client, path string, opts *filesystem.OpenStreamOptions) []byte {
	t.Helper()
	r, err := f.OpenStream(t.Context(), path, opts)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return b
}

func TestStreams(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		f, ctx := s.FileSystem, t.Context()
		for _, n := range []int{0, 1, 64<<10 - 65, 64<<10 - 64, 64 << 10, 5<<20 + 7} {
			content := randomBytes(n)
			stream(t, f, "/tmp/d/f", content, nil)
			require.True(t, bytes.Equal(content, streamed(t, f, "/tmp/d/f", nil)), n)
			r, err := f.OpenStream(ctx, "/tmp/d/f", nil)
			require.NoError(t, err)
			require.EqualValues(t, n, r.Info().Size)
			require.NotEmpty(t, r.ETag())
			require.NotEmpty(t, r.RequestID())
			if n < 1<<16 {
				require.NoError(t, iotest.TestReader(r, content))
			}
			require.NoError(t, r.Close())
		}
		stream(t, f, "/tmp/f", []byte("0123456789"), &filesystem.CreateStreamOptions{Mode: filesystem.CreateNew, Perm: 0o600})
		require.Equal(t, "345", string(streamed(t, f, "/tmp/f", &filesystem.OpenStreamOptions{Offset: 3, Length: 3})))
		require.Empty(t, streamed(t, f, "/tmp/f", &filesystem.OpenStreamOptions{Offset: 1 << 62}))
		stream(t, f, "/tmp/f", []byte("xy"), &filesystem.CreateStreamOptions{Mode: filesystem.Update, Offset: 4})
		stream(t, f, "/tmp/f", []byte("!"), &filesystem.CreateStreamOptions{Mode: filesystem.Append})
		requireContent(t, f, "/tmp/f", []byte("0123xy6789!"))
		info, err := f.Stat(ctx, "/tmp/f", &filesystem.StatOptions{SHA256: true})
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Info.Mode)
		sum := sha256.Sum256([]byte("0123xy6789!"))
		require.Equal(t, hex.EncodeToString(sum[:]), info.SHA256)

		// What breaks is no success.
		w, err := f.CreateStream(ctx, "/tmp/f", &filesystem.CreateStreamOptions{Mode: filesystem.Replace})
		require.NoError(t, err)
		_, err = w.Write([]byte("half"))
		require.NoError(t, err)
		w.Abort()
		require.ErrorIs(t, w.Close(), fs.ErrClosed)
		requireContent(t, f, "/tmp/f", []byte("0123xy6789!"))

		// Conditions.
		after := stream(t, f, "/tmp/f", []byte("new"), &filesystem.CreateStreamOptions{Mode: filesystem.Replace, IfMatch: info.ETag})
		require.Equal(t, "new", string(streamed(t, f, "/tmp/f", &filesystem.OpenStreamOptions{IfMatch: after.ETag})))
		_, err = f.OpenStream(ctx, "/tmp/f", &filesystem.OpenStreamOptions{IfMatch: info.ETag})
		requireFault(t, err, apierr.FailedPrecondition, "OpenStream")
		w, err = f.CreateStream(ctx, "/tmp/f", &filesystem.CreateStreamOptions{Mode: filesystem.Replace, IfMatch: filesystem.SumPrefix + info.SHA256})
		require.NoError(t, err)
		_, err = io.Copy(w, bytes.NewReader(randomBytes(8<<20)))
		if err != nil { // all may have been on its way before it was refused
			requireFault(t, err, apierr.FailedPrecondition, "CreateStream")
		}
		requireFault(t, w.Close(), apierr.FailedPrecondition, "CreateStream")

		_, err = f.OpenStream(ctx, "/tmp/none", nil)
		require.ErrorIs(t, err, fs.ErrNotExist)
		w, err = f.CreateStream(ctx, "/usr/none", nil)
		require.NoError(t, err)
		require.ErrorIs(t, w.Close(), fs.ErrPermission)
	})
}

// What a reader that fails has given does not take the place of a file, also
// when the writer is closed. In other modes it is there.
func TestWritingFromWhatFails(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		f, broken := s.FileSystem, errors.New("broken")
		for mode, want := range map[filesystem.WriteMode]string{
			filesystem.Replace: "good", filesystem.Overwrite: "half", filesystem.Append: "goodhalf",
		} {
			write(t, f, "/tmp/f", []byte("good"))
			w, err := f.CreateStream(t.Context(), "/tmp/f", &filesystem.CreateStreamOptions{Mode: mode})
			require.NoError(t, err)
			n, err := io.Copy(w, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)))
			require.ErrorIs(t, err, broken)
			require.EqualValues(t, 4, n)
			if mode == filesystem.Replace {
				_, err = w.ReadFrom(strings.NewReader("more")) // what was lost is not made good
				require.NoError(t, err)
				require.ErrorIs(t, w.Close(), broken)
				require.Zero(t, w.Result().Written)
			} else {
				require.NoError(t, w.Close())
			}
			require.ErrorIs(t, w.Close(), fs.ErrClosed)
			requireContent(t, f, "/tmp/f", []byte(want))
		}

		// So it is with a file of a session that is read.
		write(t, f, "/tmp/f", []byte("good"))
		write(t, f, "/tmp/g", randomBytes(1<<20))
		r, err := f.OpenStream(t.Context(), "/tmp/g", nil)
		require.NoError(t, err)
		w, err := f.CreateStream(t.Context(), "/tmp/f", &filesystem.CreateStreamOptions{Mode: filesystem.Replace})
		require.NoError(t, err)
		require.NoError(t, r.Close())
		_, err = io.Copy(w, r)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, w.Close(), context.Canceled)
		requireContent(t, f, "/tmp/f", []byte("good"))
	})
}

// ctx bounds every read: what is on its way is less than the file.
func TestReadingIsCanceled(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		f := s.FileSystem
		stream(t, f, "/tmp/f", nil, nil)
		_, err := f.Truncate(t.Context(), "/tmp/f", 64<<20, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		r, err := f.OpenStream(ctx, "/dev/../tmp/f", nil)
		require.NoError(t, err)
		_, err = r.Read(make([]byte, 1))
		require.NoError(t, err)
		cancel()
		_, err = io.Copy(io.Discard, r)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, r.Close())
	})
}

// A stream of a session that ends is an error, never an end.
func TestStreamOfASessionThatEnds(t *testing.T) {
	s := agbtest.NewSession(t)
	stream(t, s.FileSystem, "/tmp/f", randomBytes(16<<20), nil)
	r, err := s.FileSystem.OpenStream(t.Context(), "/tmp/f", nil)
	require.NoError(t, err)
	_, err = s.Delete(t.Context())
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, r)
	require.Error(t, err)
	require.NotErrorIs(t, err, io.EOF)
	require.NotErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, r.Close())
}

func TestOurs(t *testing.T) {
	f, ctx := agbtest.NewSession(t).FileSystem, t.Context()
	write(t, f, "/tmp/t/a/f", []byte("x"))
	_, err := f.Chmod(ctx, "/tmp/t/a/f", 0o711, nil)
	require.NoError(t, err)
	_, err = f.Chmod(ctx, "/tmp/t/a/f", fs.ModeSetuid, nil)
	requireFault(t, err, apierr.InvalidArgument, "Chmod")
	_, err = f.Symlink(ctx, "a/f", "/tmp/t/link", nil)
	require.NoError(t, err)
	_, err = f.Symlink(ctx, "a/f", "/tmp/t/link", nil)
	require.ErrorIs(t, err, fs.ErrExist)
	link, err := f.Readlink(ctx, "/tmp/t/link", nil)
	require.NoError(t, err)
	require.Equal(t, "a/f", link.Target)
	_, err = f.Readlink(ctx, "/tmp/t/a", nil)
	requireFault(t, err, apierr.InvalidArgument, "Readlink")
	_, err = f.Copy(ctx, "/tmp/t", "/tmp/u", nil)
	require.NoError(t, err)
	_, err = f.Truncate(ctx, "/tmp/u/a/f", 3, nil)
	require.NoError(t, err)
	requireContent(t, f, "/tmp/u/a/f", []byte("x\x00\x00"))
	requireContent(t, f, "/tmp/t/a/f", []byte("x"))
	for i := range 1001 {
		_, err := f.Mkdir(ctx, "/tmp/u/z"+strings.Repeat("z", i%7)+string(rune('a'+i%26))+"/"+string(rune('a'+i/26)), nil)
		require.NoError(t, err)
	}
	var paths []string
	for info, err := range f.Walk(ctx, "/tmp/u", nil) {
		require.NoError(t, err)
		paths = append(paths, info.Path)
	}
	require.Greater(t, len(paths), 1000, "more than a page")
	require.Equal(t, []string{"/tmp/u/a", "/tmp/u/a/f", "/tmp/u/link"}, paths[:3])
	for _, err := range f.Walk(ctx, "/tmp/none", nil) {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	info, err := f.Stat(ctx, "/tmp/t/link", &filesystem.StatOptions{NoFollow: true})
	require.NoError(t, err)
	require.Equal(t, "a/f", info.Info.Target)
}

func TestUploadAndDownload(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		f, ctx := s.FileSystem, t.Context()
		tree := fstest.MapFS{
			"a/big":    {Data: randomBytes(3 << 20), Mode: 0o755, ModTime: time.Unix(1e9, 0)},
			"a/skip":   {Data: []byte("x")},
			"ü \n":     {Data: []byte("odd"), Mode: 0o444},
			"e":        {Mode: fs.ModeDir | 0o555},
			"link":     {Data: []byte("a/big"), Mode: fs.ModeSymlink},
			"leads":    {Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink},
			"a/leads2": {Data: []byte("../../x"), Mode: fs.ModeSymlink},
		}
		var told []filesystem.Progress
		progress := func(p filesystem.Progress) { told = append(told, p) }
		up, err := f.Upload(ctx, "tree", tree, &filesystem.UploadOptions{Exclude: []string{"a/skip"}, Progress: progress})
		require.NoError(t, err)
		require.EqualValues(t, 7, up.Entries)
		require.EqualValues(t, 3<<20+3, up.Bytes)
		requireProgress(t, tree, told)
		requireContent(t, f, "tree/link", tree["a/big"].Data)

		dir := filepath.Join(t.TempDir(), "new", "tree")
		for range 2 {
			told = nil
			down, err := f.Download(ctx, "tree", dir, &filesystem.DownloadOptions{Sync: true, Progress: progress})
			require.NoError(t, err)
			requireProgress(t, tree, told)
			require.Equal(t, [3]int64{7, 3<<20 + 3, 2}, [3]int64{down.Entries, down.Bytes, down.Skipped})
		}
		got, err := os.ReadFile(filepath.Join(dir, "link"))
		require.NoError(t, err)
		require.True(t, bytes.Equal(tree["a/big"].Data, got))
		info, err := os.Stat(filepath.Join(dir, "a/big"))
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o755), info.Mode())
		require.Equal(t, int64(1e9), info.ModTime().Unix())
		list, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, list, 4, "no parts are left")

		again, err := f.UploadDir(ctx, "again", dir, nil)
		require.NoError(t, err)
		require.EqualValues(t, 5, again.Entries)

		some := t.TempDir()
		down, err := f.Download(ctx, "tree", some, &filesystem.DownloadOptions{Exclude: []string{"a/big", "l*"}})
		require.NoError(t, err)
		require.EqualValues(t, 3, down.Entries)
		require.NoFileExists(t, filepath.Join(some, "a/big"))
		require.FileExists(t, filepath.Join(some, "ü \n"))
		_, err = f.Download(ctx, "tree", t.TempDir(), &filesystem.DownloadOptions{Exclude: []string{"["}})
		requireFault(t, err, apierr.InvalidArgument, "Download")

		_, err = f.Download(ctx, "tree", t.TempDir(), &filesystem.DownloadOptions{MaxBytes: 3<<20 + 2})
		requireFault(t, err, apierr.ResponseTooLarge, "Download")
		_, err = f.Download(ctx, "tree", t.TempDir(), &filesystem.DownloadOptions{MaxEntries: 6})
		requireFault(t, err, apierr.ResponseTooLarge, "Download")
		_, err = f.Download(ctx, "none", t.TempDir(), nil)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = f.UploadDir(ctx, "x", filepath.Join(dir, "none"), nil)
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, err = f.Upload(ctx, "/usr/x", tree, nil)
		require.ErrorIs(t, err, fs.ErrPermission)
		broken := errors.New("broken")
		_, err = f.Upload(ctx, "x", brokenFS{tree, broken}, nil)
		require.ErrorIs(t, err, broken)

		// A link that was there before leads nothing out.
		outside, trap := t.TempDir(), t.TempDir()
		require.NoError(t, os.Symlink(outside, filepath.Join(trap, "a")))
		_, err = f.Download(ctx, "tree", trap, nil)
		require.Error(t, err)
		left, err := os.ReadDir(outside)
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

// requireProgress checks what was told of a transfer of a tree but for one file.
func requireProgress(t *testing.T, tree fstest.MapFS, told []filesystem.Progress) {
	t.Helper()
	left := map[string]bool{"a": true}
	for name := range tree {
		left[name] = name != "a/skip"
	}
	var bytes int64
	for i, p := range told {
		require.True(t, left[p.Path], "%q", p.Path)
		left[p.Path] = false
		if file := tree[p.Path]; file != nil && file.Mode.IsRegular() {
			bytes += int64(len(file.Data))
		}
		require.Equal(t, [2]int64{int64(i + 1), bytes}, [2]int64{p.Entries, p.Bytes}, p.Path)
	}
	require.NotContains(t, slices.Collect(maps.Values(left)), true)
}

// brokenFS fails to open files.
type brokenFS struct {
	fstest.MapFS
	err error
}

func (b brokenFS) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, "a/") {
		return nil, b.err
	}
	return b.MapFS.Open(name)
}

func TestWatch(t *testing.T) {
	sessiontest.Each(t, func(t *testing.T, s *agb.Session) {
		t.Helper()
		f, ctx := s.FileSystem, t.Context()
		write(t, f, "/tmp/w/a", []byte("x"))
		ready := make(chan struct{})
		go func() {
			<-ready
			_, _ = s.Command.Run(ctx, "cd /tmp/w && mkdir -p new/deep && echo x > new/deep/f && mv a b && rm b", nil)
		}()
		want := map[filesystem.Event]bool{
			{Kind: filesystem.EventCreate, Path: "/tmp/w/new", IsDir: true}:       true,
			{Kind: filesystem.EventCreate, Path: "/tmp/w/new/deep/f"}:             true,
			{Kind: filesystem.EventRename, Path: "/tmp/w/b", OldPath: "/tmp/w/a"}: true,
			{Kind: filesystem.EventRemove, Path: "/tmp/w/b"}:                      true,
		}
		bounded, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		for e, err := range f.Watch(bounded, "/tmp/w", &filesystem.WatchOptions{Ready: func() { close(ready) }}) {
			require.NoError(t, err)
			if delete(want, e); len(want) == 0 {
				break
			}
		}
		require.Empty(t, want)
		for _, err := range f.Watch(ctx, "/tmp/none", nil) {
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
		for _, end := range []string{"mv /tmp/gone /tmp/moved", "rm -r /tmp/gone"} {
			write(t, f, "/tmp/gone/a", nil)
			var last error
			ready := make(chan struct{})
			go func() {
				<-ready
				_, _ = s.Command.Run(ctx, end, nil)
			}()
			for _, err := range f.Watch(bounded, "/tmp/gone", &filesystem.WatchOptions{Ready: func() { close(ready) }}) {
				last = err
			}
			require.ErrorIs(t, last, fs.ErrNotExist, end)
		}
		canceled, cancel := context.WithCancel(ctx)
		for _, err := range f.Watch(canceled, "/tmp/w", &filesystem.WatchOptions{Ready: cancel}) {
			require.ErrorIs(t, err, context.Canceled)
		}
	})
}
