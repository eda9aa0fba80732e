package wire_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

func frames(b []byte) *wire.FrameReader {
	return wire.NewFrameReader(bufio.NewReader(iotest.OneByteReader(bytes.NewReader(b))))
}

func TestFrames(t *testing.T) {
	var sent bytes.Buffer
	w := wire.NewFrameWriter(&sent)
	long := bytes.Repeat([]byte("0123456789abcdef"), wire.FrameLimit/16)
	n, err := w.Write(append(long, 'x'))
	require.NoError(t, err)
	require.Equal(t, wire.FrameLimit+1, n)
	require.NoError(t, w.WriteFrame(wire.FrameOwn, []byte("own")))
	require.NoError(t, w.WriteFrame(wire.FrameEnd, nil))
	require.ErrorIs(t, w.WriteFrame(wire.FrameData, append(long, 'x')), wire.ErrFrame)

	r := frames(sent.Bytes())
	next := func(kind wire.FrameKind, size int) {
		t.Helper()
		k, n, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, kind, k)
		require.Equal(t, size, n)
	}
	next(wire.FrameData, wire.FrameLimit)
	p, err := r.Payload()
	require.NoError(t, err)
	require.True(t, bytes.Equal(long, p))
	next(wire.FrameData, 1)
	all, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "x", string(all))
	next(wire.FrameOwn, 3) // which is skipped
	next(wire.FrameEnd, 0)
	_, _, err = r.Next()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// A stream that is cut anywhere has broken.
func TestFramesCut(t *testing.T) {
	var sent bytes.Buffer
	require.NoError(t, wire.NewFrameWriter(&sent).WriteFrame(wire.FrameData, []byte("data")))
	for n := range sent.Len() {
		r := frames(sent.Bytes()[:n])
		_, _, err := r.Next()
		if err == nil {
			_, err = r.Payload()
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d", n)
	}
}

func TestFrameTooLong(t *testing.T) {
	head := binary.BigEndian.AppendUint32([]byte{byte(wire.FrameData)}, wire.FrameLimit+1)
	_, _, err := frames(head).Next()
	require.ErrorIs(t, err, wire.ErrFrame)
}

// failing takes so much.
type failing struct {
	bytes.Buffer
	left int
}

func (w *failing) Write(p []byte) (int, error) {
	n := min(len(p), w.left)
	w.left -= n
	w.Buffer.Write(p[:n])
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}

// Half a frame is followed by its other half, and no frame by half of one.
func TestFrameWriterFails(t *testing.T) {
	for sent := range 6 { // of a frame of 6 bytes
		to := &failing{left: sent}
		w := wire.NewFrameWriter(to)
		for range 2 {
			require.ErrorIs(t, w.WriteFrame(wire.FrameData, []byte("x")), io.ErrShortWrite)
		}
		to.left = 1 << 10
		require.NoError(t, w.WriteFrame(wire.FrameEnd, nil))
		want := []byte{byte(wire.FrameEnd), 0, 0, 0, 0}
		if sent > 0 {
			want = append([]byte{byte(wire.FrameData), 0, 0, 0, 1, 'x'}, want...)
		}
		require.Equal(t, want, to.Bytes(), "%d", sent)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 1, 'x', 2, 0, 0, 0, 0})
	f.Add([]byte{1, 0, 1, 0, 1})
	f.Add([]byte{3, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewFrameReader(bufio.NewReader(bytes.NewReader(b)))
		var again bytes.Buffer
		w := wire.NewFrameWriter(&again)
		for {
			kind, _, err := r.Next()
			if err != nil {
				break
			}
			p, err := r.Payload()
			if err != nil {
				break
			}
			require.NoError(t, w.WriteFrame(kind, p))
		}
		require.True(t, bytes.HasPrefix(b, again.Bytes()))
	})
}
