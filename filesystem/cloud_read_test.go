package filesystem_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/filesystem"
	"github.com/agb-go/sdk/internal/wire"
)

// randomBytes returns n bytes, always the same ones for n.
func randomBytes(n int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// requireFault checks an error's type, and what every error has to say.
func requireFault(t *testing.T, err error, code apierr.Code, op string) {
	t.Helper()
	e := fault(t, err)
	require.Equal(t, code, e.Code, e.Error())
	require.Equal(t, "filesystem."+op, e.Op)
	require.NotEmpty(t, e.SessionID)
}

// fault returns err as what it has to be.
func fault(t *testing.T, err error) *apierr.Error {
	t.Helper()
	var e *apierr.Error
	require.ErrorAs(t, err, &e)
	return e
}

func TestReadErrors(t *testing.T) {
	c, f := newCloud(t)
	c.dirs["/d"] = true

	_, err := f.ReadFile(t.Context(), "/none", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	requireFault(t, err, apierr.NotFound, "ReadFile")
	e := fault(t, err)
	require.Equal(t, sessionID, e.SessionID)
	require.Equal(t, "r-get_file_info", e.RequestID)

	_, err = f.ReadFile(t.Context(), "/d", nil)
	require.ErrorIs(t, err, syscall.EISDIR)
	requireFault(t, err, apierr.FailedPrecondition, "ReadFile")
	_, err = f.Open(t.Context(), "/d", nil)
	require.ErrorIs(t, err, syscall.EISDIR)

	_, err = f.ReadFile(t.Context(), "/d", &filesystem.ReadOptions{Offset: -1})
	requireFault(t, err, apierr.InvalidArgument, "ReadFile")
}

// A server may give less than asked for at any time.
func TestReadShortChunks(t *testing.T) {
	c, f := newCloud(t)
	want := randomBytes(9*wire.ChunkSize + 17)
	c.put("/a", want)
	r := rand.New(rand.NewPCG(3, 4))
	c.override("read_file", func(args map[string]any) answer {
		if r.IntN(3) == 0 {
			args["length"] = float64(1 + r.IntN(int(args["length"].(float64))))
		}
		return c.read(args)
	})
	res, err := f.ReadFile(t.Context(), "/a", nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, res.Content))
}

// Files of the kernel say that they are empty.
func TestReadUnknownSize(t *testing.T) {
	c, f := newCloud(t)
	want := randomBytes(2*wire.ChunkSize + 5)
	c.put("/proc/x", want)
	c.override("get_file_info", func(map[string]any) answer { return said("size: 0\nisDirectory: false\n") })

	res, err := f.ReadFile(t.Context(), "/proc/x", nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, res.Content))

	res, err = f.ReadFile(t.Context(), "/proc/x", &filesystem.ReadOptions{Offset: 1, Length: wire.ChunkSize + 1})
	require.NoError(t, err)
	require.True(t, bytes.Equal(want[1:wire.ChunkSize+2], res.Content))

	_, err = f.ReadFile(t.Context(), "/proc/x", &filesystem.ReadOptions{MaxBytes: int64(len(want)) - 1})
	requireFault(t, err, apierr.ResponseTooLarge, "ReadFile")
	_, err = f.ReadFile(t.Context(), "/proc/x", &filesystem.ReadOptions{MaxBytes: int64(len(want))})
	require.NoError(t, err)
}

func TestReadOfAFileThatShrinks(t *testing.T) {
	c, f := newCloud(t)
	c.put("/a", randomBytes(3*wire.ChunkSize))
	c.override("get_file_info", func(map[string]any) answer { return said("size: %d\n", 8*wire.ChunkSize) })
	res, err := f.ReadFile(t.Context(), "/a", nil)
	require.NoError(t, err)
	require.Len(t, res.Content, 3*wire.ChunkSize)
}

func TestReadOfAFileThatGrows(t *testing.T) {
	c, f := newCloud(t)
	c.put("/a", randomBytes(3*wire.ChunkSize))
	c.override("get_file_info", func(map[string]any) answer { return said("size: 100\n") })
	res, err := f.ReadFile(t.Context(), "/a", nil)
	require.NoError(t, err)
	require.Len(t, res.Content, 100)
}

func TestReadMaxBytes(t *testing.T) {
	c, f := newCloud(t)
	c.put("/a", make([]byte, 1000))
	_, err := f.ReadFile(t.Context(), "/a", &filesystem.ReadOptions{MaxBytes: 1000})
	require.NoError(t, err)
	c.called()
	_, err = f.ReadFile(t.Context(), "/a", &filesystem.ReadOptions{MaxBytes: 999})
	requireFault(t, err, apierr.ResponseTooLarge, "ReadFile")
	require.NotContains(t, c.called(), "read_file")
	_, err = f.ReadFile(t.Context(), "/a", &filesystem.ReadOptions{MaxBytes: 999, Offset: 1})
	require.NoError(t, err)

	c.override("get_file_info", func(map[string]any) answer { return said("size: %d\n", filesystem.DefaultMaxBytes+1) })
	_, err = f.ReadFile(t.Context(), "/a", nil)
	requireFault(t, err, apierr.ResponseTooLarge, "ReadFile")
}

func TestReadFromAHostileServer(t *testing.T) {
	for name, read := range map[string]func(map[string]any) answer{
		"more than asked for": func(args map[string]any) answer {
			return said("%s", base64.StdEncoding.EncodeToString(make([]byte, int(args["length"].(float64))+1)))
		},
		"not base64": func(map[string]any) answer { return said("<html>") },
	} {
		t.Run(name, func(t *testing.T) {
			c, f := newCloud(t)
			c.put("/a", make([]byte, 5*wire.ChunkSize))
			c.override("read_file", read)
			_, err := f.ReadFile(t.Context(), "/a", nil)
			requireFault(t, err, apierr.MalformedResponse, "ReadFile")
			e := fault(t, err)
			require.Equal(t, "r-read_file", e.RequestID)
		})
	}
	t.Run("negative size", func(t *testing.T) {
		c, f := newCloud(t)
		c.override("get_file_info", func(map[string]any) answer { return said("size: -1\n") })
		_, err := f.Stat(t.Context(), "/a", nil)
		requireFault(t, err, apierr.MalformedResponse, "Stat")
	})
	t.Run("no size", func(t *testing.T) {
		c, f := newCloud(t)
		c.override("get_file_info", func(map[string]any) answer { return said("") })
		_, err := f.Stat(t.Context(), "/a", nil)
		requireFault(t, err, apierr.MalformedResponse, "Stat")
	})
	t.Run("endless file", func(t *testing.T) {
		c, f := newCloud(t)
		c.override("get_file_info", func(map[string]any) answer { return said("size: 0\n") })
		c.override("read_file", func(args map[string]any) answer {
			return said("%s", base64.StdEncoding.EncodeToString(make([]byte, int(args["length"].(float64)))))
		})
		_, err := f.ReadFile(t.Context(), "/a", &filesystem.ReadOptions{MaxBytes: 1 << 20})
		requireFault(t, err, apierr.ResponseTooLarge, "ReadFile")
	})
}

// A look at the beginning of a large file costs one chunk.
func TestOpenReadsAheadSlowly(t *testing.T) {
	c, f := newCloud(t)
	c.put("/a", make([]byte, 100*wire.ChunkSize))
	file, err := f.Open(t.Context(), "/a", nil)
	require.NoError(t, err)
	_, err = file.Read(make([]byte, 1))
	require.NoError(t, err)
	require.Equal(t, []string{"get_file_info", "read_file"}, c.called())
	_, err = io.CopyN(io.Discard, file, 20*wire.ChunkSize)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	require.LessOrEqual(t, len(c.called()), 24)
}

func TestReadGoesOnAfterAnError(t *testing.T) {
	c, f := newCloud(t)
	want := randomBytes(6 * wire.ChunkSize)
	c.put("/a", want)
	file, err := f.Open(t.Context(), "/a", nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()

	got := make([]byte, 2*wire.ChunkSize)
	_, err = io.ReadFull(file, got)
	require.NoError(t, err)
	c.override("read_file", func(map[string]any) answer { return failed("Permission denied") })
	_, err = file.ReadAt(make([]byte, 1), 0)
	require.ErrorIs(t, err, fs.ErrPermission)
	for err = nil; err == nil; { // what was asked for ahead still comes
		var n int
		more := make([]byte, wire.ChunkSize)
		n, err = file.Read(more)
		got = append(got, more[:n]...)
	}
	require.ErrorIs(t, err, fs.ErrPermission)
	requireFault(t, err, apierr.PermissionDenied, "File.Read")
	c.override("read_file", nil)
	rest, err := io.ReadAll(file)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, append(got, rest...)))
}

func TestContextEndsReading(t *testing.T) {
	c, f := newCloud(t)
	c.put("/a", make([]byte, 100*wire.ChunkSize))
	ctx, cancel := context.WithCancel(t.Context())
	file, err := f.Open(ctx, "/a", nil)
	require.NoError(t, err)
	_, err = io.CopyN(io.Discard, file, 5*wire.ChunkSize)
	require.NoError(t, err)
	cancel()
	_, err = io.Copy(io.Discard, file)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, file.Close())

	require.ErrorIs(t, file.Close(), fs.ErrClosed)
	_, err = file.Read(nil)
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = file.ReadAt(nil, 0)
	require.ErrorIs(t, err, fs.ErrClosed)
	_, err = file.Seek(0, io.SeekStart)
	require.ErrorIs(t, err, fs.ErrClosed)
}
