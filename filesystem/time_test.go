package filesystem_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// These tests are about what happens at the same time. Every call takes a
// second of a clock that costs nothing.

func TestReadAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newCloud(t)
		want := randomBytes(42*wire.ChunkSize - 1)
		c.put("/a", want)
		c.delay = time.Second
		start := time.Now()
		res, err := f.ReadFile(t.Context(), "/a", nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, res.Content))
		require.Equal(t, 4, c.peak)
		require.Less(t, time.Since(start), 16*time.Second)
		require.Len(t, c.called(), 1+42)
	})
}

func TestReadFilesAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newCloud(t)
		var paths []string
		for i := range 20 {
			paths = append(paths, fmt.Sprint("/", i))
			c.put(paths[i], []byte("x"))
		}
		c.delay = time.Second
		start := time.Now()
		res, err := f.ReadFiles(t.Context(), paths, nil)
		require.NoError(t, err)
		for i, file := range res.Files {
			require.NoError(t, file.Err)
			require.Equal(t, paths[i], file.Path)
		}
		require.Equal(t, 4, c.peak)
		require.Equal(t, 11*time.Second, time.Since(start))
	})
}

func TestCloseEndsAReadUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newCloud(t)
		c.put("/a", make([]byte, 10*wire.ChunkSize))
		file, err := f.Open(t.Context(), "/a", nil)
		require.NoError(t, err)
		c.delay = time.Minute / 2
		done := make(chan error)
		go func() {
			_, err := file.Read(make([]byte, 1))
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		require.NoError(t, file.Close())
		require.ErrorIs(t, <-done, context.Canceled)
		require.Zero(t, time.Since(start))
	})
}

func TestContextEndsWriteFileHalfWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, f := newCloud(t)
		c.delay = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		res, err := f.WriteFile(ctx, "/a", make([]byte, 10*wire.ChunkSize), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, int64(2*wire.ChunkSize), res.Written)
		require.Len(t, c.content(t, "/a"), 2*wire.ChunkSize)
	})
}
