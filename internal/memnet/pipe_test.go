package memnet

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/nettest"
)

func TestConn(t *testing.T) {
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		a, b := Pipe()
		return a, b, func() { _, _ = a.Close(), b.Close() }, nil
	})
}

// TestContent: bytes arrive as they were written, whatever the sizes.
func TestContent(t *testing.T) {
	content := make([]byte, 5*bufferLimit+123)
	_, _ = rand.Read(content) // never fails
	for _, size := range []int{1, 100, smallBuffer - 1, smallBuffer, smallBuffer + 1, bufferLimit, bufferLimit + 1, len(content)} {
		a, b := Pipe()
		var writing sync.WaitGroup
		writing.Go(func() {
			for rest := content; len(rest) > 0; {
				n := min(size, len(rest))
				if written, err := a.Write(rest[:n]); err != nil || written != n {
					t.Error(written, err)
					return
				}
				rest = rest[n:]
			}
			if err := a.CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		got, err := io.ReadAll(b)
		require.NoError(t, err)
		require.True(t, bytes.Equal(content, got))
		writing.Wait()
		_, err = b.Write([]byte("back"))
		require.NoError(t, err, "the other direction is open")
		require.NoError(t, b.Close())
		got, err = io.ReadAll(a)
		require.NoError(t, err)
		require.Equal(t, "back", string(got))
		require.NoError(t, a.Close())
	}
}

// TestBound: so much can be written without anybody reading, and no more.
func TestBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe()
		n, err := a.Write(make([]byte, bufferLimit))
		require.NoError(t, err)
		require.Equal(t, bufferLimit, n)
		require.NoError(t, a.SetWriteDeadline(time.Now().Add(time.Second)))
		n, err = a.Write([]byte{1})
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Zero(t, n)
		require.NoError(t, a.SetWriteDeadline(time.Time{}))
		_, err = b.Read(make([]byte, 1))
		require.NoError(t, err)
		n, err = a.Write([]byte{1})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.NoError(t, b.Close())
		_, err = a.Write([]byte{1})
		require.ErrorIs(t, err, io.ErrClosedPipe)
		require.NoError(t, a.Close())
	})
}

// TestMemory: a connection that is not in use has at most its small buffers.
func TestMemory(t *testing.T) {
	a, b := Pipe()
	_, err := a.Write(make([]byte, bufferLimit))
	require.NoError(t, err)
	_, err = io.ReadFull(b, make([]byte, bufferLimit))
	require.NoError(t, err)
	require.Nil(t, a.out.buf.large)
	_, err = a.Write(make([]byte, bufferLimit))
	require.NoError(t, err)
	require.NoError(t, b.Close())
	require.Nil(t, a.out.buf.large)
	require.Nil(t, a.out.buf.small)
}

func BenchmarkRoundTrip(b *testing.B) {
	here, there := Pipe()
	go func() { _, _ = io.Copy(there, struct{ io.Reader }{there}) }()
	p := make([]byte, 1)
	for b.Loop() {
		_, err := here.Write(p)
		require.NoError(b, err)
		_, err = here.Read(p)
		require.NoError(b, err)
	}
	require.NoError(b, here.Close())
}

func BenchmarkThroughput(b *testing.B) {
	here, there := Pipe()
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, there, make([]byte, 32<<10)) })
	p := make([]byte, 32<<10)
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		_, err := here.Write(p)
		require.NoError(b, err)
	}
	require.NoError(b, here.Close())
	reading.Wait()
}
