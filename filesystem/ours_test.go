package filesystem_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/filesystem"
	"github.com/agb-go/sdk/internal/transport/faultproxy"
)

// What is missing on the way, and what there is at its end.
func TestParentsAndEnds(t *testing.T) {
	s := agbtest.NewSession(t)
	f, ctx := s.FileSystem, t.Context()
	stream(t, f, "/tmp/f", []byte("x"), &filesystem.CreateStreamOptions{Perm: 0o640})
	_, err := s.Command.Run(ctx, "touch -d 2001-02-03T04:05:06Z /tmp/f && mkdir -m 750 /tmp/d && cp -p /tmp/f /tmp/d", nil)
	require.NoError(t, err)
	_, err = f.Copy(ctx, "/tmp/d", "/tmp/copy/of/d", nil)
	require.NoError(t, err)
	copied, err := f.Stat(ctx, "/tmp/copy/of/d/f", nil)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), copied.Info.Mode)
	require.Equal(t, "2001-02-03 04:05:06 +0000 UTC", copied.Info.Modified.String())
	copied, err = f.Stat(ctx, "/tmp/copy/of/d", nil)
	require.NoError(t, err)
	require.Equal(t, fs.ModeDir|0o750, copied.Info.Mode)
	_, err = f.Symlink(ctx, "f", "/tmp/link/of/f", nil)
	require.NoError(t, err)
	_, err = f.Move(ctx, "/tmp/f", "/tmp/move/of/f", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)

	_, err = f.Mkdir(ctx, "/tmp/empty", nil)
	require.NoError(t, err)
	for _, to := range []string{"/tmp/empty", "/tmp/copy"} {
		_, err = f.Copy(ctx, "/tmp/d", to, nil)
		requireFault(t, err, apierr.FailedPrecondition, "Copy")
	}
	_, err = f.Copy(ctx, "/tmp/d", "/tmp/d/inside", nil)
	requireFault(t, err, apierr.InvalidArgument, "Copy")
	for depth, want := range map[int]error{100: nil, 101: apierr.ResourceExhausted.Err()} {
		_, err = f.Mkdir(ctx, "/tmp/deep"+strings.Repeat("/d", depth-1), nil)
		require.NoError(t, err)
		_, err = f.Copy(ctx, "/tmp/deep", "/tmp/deeper", nil)
		require.ErrorIs(t, err, want, depth)
		_, err = f.Remove(ctx, "/tmp/deeper", nil)
		require.True(t, err == nil || want != nil && errors.Is(err, fs.ErrNotExist), "%d: %v", depth, err)
		_, err = f.Remove(ctx, "/tmp/deep", nil)
		require.NoError(t, err)
	}

	_, err = f.Truncate(ctx, "/tmp/none", 0, nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = f.Remove(ctx, "/tmp/none", nil)
	require.ErrorIs(t, err, fs.ErrNotExist)
	stream(t, f, "/tmp/f", []byte("y"), &filesystem.CreateStreamOptions{Mode: filesystem.Update, Offset: 3})
	requireContent(t, f, "/tmp/f", []byte("x\x00\x00y"))
	w, err := f.CreateStream(ctx, "/tmp/none", &filesystem.CreateStreamOptions{Mode: filesystem.Update})
	require.NoError(t, err)
	require.ErrorIs(t, w.Close(), fs.ErrNotExist)
}

// A tree for a test may be written down as text.
func TestUploadOfText(t *testing.T) {
	f := agbtest.NewSession(t).FileSystem
	tree, err := txtar.FS(txtar.Parse([]byte("about\n-- go.mod --\nmodule m\n-- cmd/a b/main.go --\npackage main\n")))
	require.NoError(t, err)
	up, err := f.Upload(t.Context(), "/tmp/m", tree, nil)
	require.NoError(t, err)
	require.Equal(t, []int64{4, 22, 0}, []int64{up.Entries, up.Bytes, up.Skipped})
	requireContent(t, f, "/tmp/m/go.mod", []byte("module m\n"))
	requireContent(t, f, "/tmp/m/cmd/a b/main.go", []byte("package main\n"))
}

// What broke half-way goes on from there.
func TestBrokenStreamsGoOn(t *testing.T) {
	const key = "akm-0123456789abcdef"
	eng, err := engine.New(engine.Config{APIKeys: []string{key}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	port := httptest.NewServer(eng.Handler())
	t.Cleanup(port.Close)
	proxy, err := faultproxy.Listen(port.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	var clients []*agb.Client
	for _, url := range []string{port.URL, "http://" + proxy.Addr()} {
		c, err := agb.New(agb.WithAPIKey(key), agb.WithEndpoint(url))
		require.NoError(t, err)
		t.Cleanup(c.CloseIdleConnections)
		clients = append(clients, c)
	}
	ctx := t.Context()
	created, err := clients[0].Create(ctx, &agb.CreateParams{ImageID: "agb-code-space-1"})
	require.NoError(t, err)
	got, err := clients[1].Get(ctx, created.Session.ID)
	require.NoError(t, err)
	safe, broken := created.Session.FileSystem, got.Session.FileSystem
	content := randomBytes(16 << 20)
	sum := sha256.Sum256(content)

	stream(t, broken, "/tmp/f", content, nil)
	for _, reset := range []bool{false, true} {
		proxy.Next(faultproxy.Fault{CutAfter: len(content) / 2, ResetAtCut: reset})
		r, err := broken.OpenStream(ctx, "/tmp/f", nil)
		require.NoError(t, err)
		hash := sha256.New()
		n, err := io.Copy(hash, r)
		requireFault(t, err, apierr.Unavailable, "OpenStream")
		require.NoError(t, r.Close())
		require.Positive(t, n)
		require.Less(t, n, int64(len(content)))
		rest, err := broken.OpenStream(ctx, "/tmp/f", &filesystem.OpenStreamOptions{Offset: n, IfMatch: r.ETag()})
		require.NoError(t, err)
		more, err := io.Copy(hash, rest)
		require.NoError(t, err)
		require.NoError(t, rest.Close())
		require.EqualValues(t, len(content), n+more)
		require.Equal(t, sum[:], hash.Sum(nil))
	}

	size := func() int64 {
		info, err := safe.Stat(ctx, "/tmp/g", nil)
		if err != nil {
			require.ErrorIs(t, err, fs.ErrNotExist)
			return 0
		}
		return info.Info.Size
	}
	w, err := broken.CreateStream(ctx, "/tmp/g", nil)
	require.NoError(t, err)
	_, err = w.Write(content[:len(content)/2])
	require.NoError(t, err)
	require.Eventually(t, func() bool { return size() > 0 }, time.Minute, 10*time.Millisecond)
	proxy.Break()
	require.Error(t, w.Close())
	n := size()
	stream(t, broken, "/tmp/g", content[n:], &filesystem.CreateStreamOptions{Mode: filesystem.Update, Offset: n})
	info, err := safe.Stat(ctx, "/tmp/g", &filesystem.StatOptions{SHA256: true})
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(sum[:]), info.SHA256)
}
