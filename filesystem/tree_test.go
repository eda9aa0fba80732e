package filesystem_test

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/filesystem"
	"github.com/agb-go/sdk/internal/wire"
)

func TestMkdirMoveRemove(t *testing.T) {
	f, ctx := agbtest.NewSession(t).FileSystem, t.Context()
	for range 2 {
		res, err := f.Mkdir(ctx, "/tmp/a/b/", nil)
		require.NoError(t, err)
		require.NotEmpty(t, res.RequestID)
	}
	write(t, f, "/tmp/a/b/c", []byte("c"))
	_, err := f.Mkdir(ctx, "/tmp/a/b/c", nil)
	require.Error(t, err)

	moved, err := f.Move(ctx, "/tmp/a", "/tmp/z", nil)
	require.NoError(t, err)
	require.NotEmpty(t, moved.RequestID)
	requireContent(t, f, "/tmp/z/b/c", []byte("c"))
	_, err = f.Stat(ctx, "/tmp/a", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)

	write(t, f, "/tmp/one", []byte("1"))
	write(t, f, "/tmp/two", []byte("2"))
	_, err = f.Move(ctx, "/tmp/one", "/tmp/two", nil)
	require.NoError(t, err)
	requireContent(t, f, "/tmp/two", []byte("1"))

	removed, err := f.Remove(ctx, "/tmp/z", nil)
	require.NoError(t, err)
	require.NotEmpty(t, removed.RequestID)
	_, err = f.Stat(ctx, "/tmp/z/b", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestStat(t *testing.T) {
	s := agbtest.NewSession(t)
	f, ctx := s.FileSystem, t.Context()
	write(t, f, "/tmp/a", []byte("12345"))
	_, err := s.Command.Run(ctx, "chmod 640 /tmp/a && touch -d 2001-02-03T04:05:06Z /tmp/a && ln -s a /tmp/l", nil)
	require.NoError(t, err)
	res, err := f.Stat(ctx, "/tmp/l", nil)
	require.NoError(t, err)
	require.NotEmpty(t, res.RequestID)
	require.Equal(t, "/tmp/l", res.Info.Path)
	require.Equal(t, "l", res.Info.Name())
	require.Equal(t, int64(5), res.Info.Size)
	require.Equal(t, fs.FileMode(0o640), res.Info.Mode)
	require.Equal(t, "2001-02-03 04:05:06 +0000 UTC", res.Info.Modified.String())
	require.False(t, res.Info.IsDir())

	res, err = f.Stat(ctx, "/tmp", nil)
	require.NoError(t, err)
	require.True(t, res.Info.IsDir())
}

func TestSearch(t *testing.T) {
	f, ctx := agbtest.NewSession(t).FileSystem, t.Context()
	for _, p := range []string{"a.go", "b.txt", "sub/c.go", "sub/deep/d.go", "vendor/e.go"} {
		write(t, f, "/tmp/s/"+p, nil)
	}
	res, err := f.Search(ctx, "/tmp/s", "*.go", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"/tmp/s/a.go", "/tmp/s/sub/c.go", "/tmp/s/sub/deep/d.go", "/tmp/s/vendor/e.go"}, res.Paths)
	require.False(t, res.Truncated)
	require.NotEmpty(t, res.RequestID)
	res, err = f.Search(ctx, "/tmp/s", "*.go", &filesystem.SearchOptions{Exclude: []string{"vendor", "c.*"}})
	require.NoError(t, err)
	require.Equal(t, []string{"/tmp/s/a.go", "/tmp/s/sub/deep/d.go"}, res.Paths)
	res, err = f.Search(ctx, "/tmp/s", "*.none", nil)
	require.NoError(t, err)
	require.Empty(t, res.Paths)
}

func TestEdit(t *testing.T) {
	f, ctx := agbtest.NewSession(t).FileSystem, t.Context()
	write(t, f, "/tmp/a", []byte("one two two €"))
	edits := []filesystem.Edit{{Old: "two", New: "2"}, {Old: "2 two", New: "3"}, {Old: "€", New: ""}}
	res, err := f.Edit(ctx, "/tmp/a", edits, &filesystem.EditOptions{DryRun: true})
	require.NoError(t, err)
	require.Equal(t, "one 3 ", res.Preview)
	requireContent(t, f, "/tmp/a", []byte("one two two €"))

	res, err = f.Edit(ctx, "/tmp/a", edits, nil)
	require.NoError(t, err)
	require.Empty(t, res.Preview)
	require.NotEmpty(t, res.RequestID)
	requireContent(t, f, "/tmp/a", []byte("one 3 "))

	_, err = f.Edit(ctx, "/tmp/a", []filesystem.Edit{{Old: "one", New: "1"}, {Old: "none"}}, nil)
	requireFault(t, err, apierr.FailedPrecondition, "Edit")
	requireContent(t, f, "/tmp/a", []byte("one 3 "))
}

func TestReadFiles(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	f, ctx := agbtest.NewSession(t).FileSystem, t.Context()
	big := randomBytes(5 << 20) // more than the engine puts into one answer
	write(t, f, "/tmp/a:\n---", []byte("a:\n---\nb\n"))
	write(t, f, "/tmp/bytes", []byte{0xff, 0})
	write(t, f, "/tmp/empty", nil)
	write(t, f, "/tmp/big", big)
	res, err := f.ReadFiles(ctx, []string{"/tmp/a:\n---", "/tmp/none", "/tmp/bytes", "/tmp/big", "/tmp", "/tmp/empty"}, nil)
	require.NoError(t, err)
	require.NotEmpty(t, res.RequestID)
	require.Len(t, res.Files, 6)
	require.Equal(t, "a:\n---\nb\n", string(res.Files[0].Content))
	require.ErrorIs(t, res.Files[1].Err, fs.ErrNotExist)
	requireFault(t, res.Files[1].Err, apierr.NotFound, "ReadFiles")
	require.Equal(t, []byte{0xff, 0}, res.Files[2].Content)
	require.Len(t, res.Files[3].Content, len(big))
	requireFault(t, res.Files[4].Err, apierr.FailedPrecondition, "ReadFiles")
	require.NoError(t, res.Files[5].Err)
	require.NotNil(t, res.Files[5].Content)

	res, err = f.ReadFiles(ctx, []string{"/tmp/bytes"}, &filesystem.ReadFilesOptions{MaxBytes: 1})
	require.NoError(t, err)
	requireFault(t, res.Files[0].Err, apierr.ResponseTooLarge, "ReadFiles")
}

func TestChanges(t *testing.T) {
	f, ctx := agbtest.NewSession(t).FileSystem, t.Context()
	write(t, f, "/tmp/w/a", nil)
	write(t, f, "/tmp/w/b", nil)
	res, err := f.Changes(ctx, "/tmp/w", nil)
	require.NoError(t, err)
	require.Empty(t, res.Changes)
	require.NotEmpty(t, res.RequestID)

	write(t, f, "/tmp/w/a", []byte("changed"))
	write(t, f, "/tmp/w/sub/c", nil)
	_, err = f.Remove(ctx, "/tmp/w/b", nil)
	require.NoError(t, err)
	res, err = f.Changes(ctx, "/tmp/w", nil)
	require.NoError(t, err)
	for _, want := range []filesystem.Change{
		{Kind: filesystem.Modified, Path: "/tmp/w/a"},
		{Kind: filesystem.Deleted, Path: "/tmp/w/b"},
		{Kind: filesystem.Created, Path: "/tmp/w/sub", IsDir: true},
		{Kind: filesystem.Created, Path: "/tmp/w/sub/c"},
	} {
		require.Contains(t, res.Changes, want)
	}
	res, err = f.Changes(ctx, "/tmp/w", nil)
	require.NoError(t, err)
	require.Empty(t, res.Changes)
}

// Many goroutines may use one Client.
func TestConcurrentUse(t *testing.T) {
	f := agbtest.NewSession(t).FileSystem
	done := make(chan error)
	const n = 8
	for i := range n {
		go func() {
			path, content := fmt.Sprint("/tmp/c/", i), randomBytes(wire.ChunkSize+i)
			_, err := f.WriteFile(t.Context(), path, content, nil)
			if err == nil {
				var res *filesystem.ReadResult
				if res, err = f.ReadFile(t.Context(), path, nil); err == nil && string(res.Content) != string(content) {
					err = fmt.Errorf("%s differs", path)
				}
			}
			done <- err
		}()
	}
	for range n {
		require.NoError(t, <-done)
	}
}
