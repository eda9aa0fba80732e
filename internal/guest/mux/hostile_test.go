package mux

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// frame builds a frame that need not be right.
func frame(k kind, stream uint32, payload ...byte) []byte {
	return append(appendHeader(nil, header{length: uint32(len(payload)), stream: stream, kind: k}), payload...)
}

func window(stream, grant uint32) []byte {
	return frame(kindWindow, stream, binary.BigEndian.AppendUint32(nil, grant)...)
}

func join(frames ...[]byte) []byte { return bytes.Join(frames, nil) }

// wrong are conversations that break the rules, with the opener's streams 1
// and 2 open, and 3 over.
var wrong = map[string][]byte{
	"kind 0":                frame(0, 1),
	"unknown kind":          frame(kindLimit, 1),
	"stream 0":              frame(kindData, 0, 1),
	"empty data":            frame(kindData, 1),
	"huge data":             appendHeader(nil, header{FrameLimit + 1, 1, kindData}),
	"length 2^31":           appendHeader(nil, header{1 << 31, 1, kindData}),
	"length 2^32-1":         appendHeader(nil, header{1<<32 - 1, 1, kindData}),
	"short window":          frame(kindWindow, 1, 1),
	"end with payload":      frame(kindEnd, 1, 1),
	"open":                  frame(kindOpen, 4),
	"never opened: data":    frame(kindData, 4, 1),
	"never opened: end":     frame(kindEnd, 4),
	"never opened: reset":   frame(kindReset, 4),
	"never opened: window":  window(4, 1),
	"over: data":            frame(kindData, 3, 1),
	"over: end":             frame(kindEnd, 3),
	"data after end":        join(frame(kindEnd, 1), frame(kindData, 1, 1)),
	"data after reset":      join(frame(kindReset, 1), frame(kindData, 1, 1)),
	"end after end":         join(frame(kindEnd, 1), frame(kindEnd, 1)),
	"end after reset":       join(frame(kindReset, 1), frame(kindEnd, 1)),
	"reset after reset":     join(frame(kindReset, 1), frame(kindReset, 1)),
	"stop after stop":       join(frame(kindStop, 1), frame(kindStop, 1)),
	"grant of nothing":      window(1, 0),
	"grant of too much":     window(1, Window+1),
	"grant that overflows":  window(1, 1<<32-1),
	"grant of what is left": window(2, 1),
	"more than granted": bytes.Repeat(frame(kindData, 1, make([]byte, FrameLimit)...),
		Window/FrameLimit+1),
}

func TestOpenerIsStrict(t *testing.T) {
	t.Parallel()
	for name, input := range wrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, peer := threeStreams(t)
			_, err := peer.Write(input)
			if err != nil {
				require.ErrorIs(t, err, io.ErrClosedPipe)
			}
			<-s.Done()
			require.ErrorIs(t, s.Err(), ErrProtocol)
		})
	}
}

// What crossed the end of a stream is no offence, however much.
func TestOpenerIsPatient(t *testing.T) {
	t.Parallel()
	s, peer := threeStreams(t)
	for range 10_000 {
		_, err := peer.Write(join(window(3, 1), frame(kindStop, 3), frame(kindReset, 3)))
		require.NoError(t, err)
	}
	require.NoError(t, s.Err())
}

// threeStreams returns an opener in the state that wrong needs.
func threeStreams(tb testing.TB) (*Session, net.Conn) {
	tb.Helper()
	a, peer := net.Pipe()
	s := Opener(a)
	go func() { _, _ = io.Copy(io.Discard, peer) }()
	tb.Cleanup(func() {
		require.NoError(tb, s.Close())
		require.NoError(tb, peer.Close())
	})
	for range 2 {
		_, err := open(tb, s).Write([]byte("x"))
		require.NoError(tb, err)
	}
	// All that was sent on 2 is granted again: there is nothing left to grant.
	_, err := peer.Write(window(2, 1))
	require.NoError(tb, err)
	st := open(tb, s)
	require.NoError(tb, st.CloseWrite())
	_, err = peer.Write(frame(kindEnd, 3))
	require.NoError(tb, err)
	_, err = st.Read(make([]byte, 1))
	require.ErrorIs(tb, err, io.EOF)
	return s, peer
}

func TestAcceptorIsStrict(t *testing.T) {
	t.Parallel()
	many := make([]byte, 0, (StreamLimit+1)*headerSize)
	for i := range uint32(StreamLimit + 1) {
		many = append(many, frame(kindOpen, i+1)...)
	}
	for name, input := range map[string][]byte{
		"duplicate open":   join(frame(kindOpen, 1), frame(kindOpen, 1)),
		"skips an id":      frame(kindOpen, 2),
		"too many streams": many,
		"data unopened":    frame(kindData, 1, 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, peer := net.Pipe()
			s := Acceptor(a, func(*Stream) {})
			if _, err := peer.Write(input); err != nil {
				require.ErrorIs(t, err, io.ErrClosedPipe)
			}
			<-s.Done()
			require.ErrorIs(t, s.Err(), ErrProtocol)
			require.NoError(t, peer.Close())
			_, err := s.Open()
			require.Error(t, err)
		})
	}
	a, peer := net.Pipe()
	s := Acceptor(a, func(*Stream) {})
	_, err := peer.Write(many[:StreamLimit*headerSize])
	require.NoError(t, err)
	require.Eventually(t, func() bool { return s.Len() == StreamLimit }, time.Second, time.Millisecond)
	require.NoError(t, s.Close())
	require.NoError(t, peer.Close())
}

// A frame that ends in the middle is not the end of the connection.
func TestTorn(t *testing.T) {
	t.Parallel()
	for _, input := range [][]byte{frame(kindData, 1, 1)[:4], frame(kindData, 1, 1, 2)[:10], window(1, 1)[:11]} {
		s, peer := threeStreams(t)
		_, err := peer.Write(input)
		require.NoError(t, err)
		require.NoError(t, peer.Close())
		<-s.Done()
		require.ErrorIs(t, s.Err(), io.ErrUnexpectedEOF)
	}
}

func FuzzHeader(f *testing.F) {
	for _, seed := range wrong {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		h, err := readHeader(r)
		if err != nil {
			return
		}
		require.LessOrEqual(t, h.length, uint32(FrameLimit))
		require.Equal(t, b[:headerSize], appendHeader(nil, h))
	})
}

// script is a connection from which a session reads frames made of fuzzed
// bytes, while what it writes is dropped.
type script struct {
	*bytes.Reader
}

func (s script) Write(p []byte) (int, error) { return len(p), nil }
func (s script) Close() error                { return nil }

// frames makes frames of bytes, three for each, so that fuzzing gets beyond
// their checks: a kind, a stream, and a length or a grant.
func frames(b []byte) []byte {
	var out []byte
	for ; len(b) >= 3; b = b[3:] {
		k, stream, n := kind(b[0]%9), uint32(b[1]%6), uint32(b[2])
		switch k {
		case kindData:
			out = append(out, frame(k, stream, make([]byte, n*n)...)...)
		case kindWindow:
			out = append(out, window(stream, n*n*n)...)
		default:
			out = append(out, frame(k, stream, make([]byte, n/200)...)...)
		}
	}
	return append(out, b...)
}

// FuzzSession has both roles take in whatever comes, with their users at
// work. It must end, with nothing left.
func FuzzSession(f *testing.F) {
	f.Add([]byte{1, 1, 0, 2, 1, 9, 3, 1, 0}, true)
	f.Add([]byte{2, 1, 200, 6, 1, 3, 2, 2, 255, 3, 1, 0, 5, 2, 0, 4, 3, 0}, false)
	f.Add([]byte{1, 1, 0, 1, 2, 0, 2, 1, 255, 2, 1, 255, 2, 1, 255, 2, 1, 255, 2, 1, 255}, true)
	f.Fuzz(func(t *testing.T, b []byte, accepts bool) {
		conn := script{Reader: bytes.NewReader(frames(b))}
		use := func(st *Stream) {
			_, _ = st.Write(make([]byte, 100))
			_, _ = st.Read(make([]byte, 50))
			st.OnInterrupt(func() {})
			if st.id%2 == 0 {
				_ = st.CloseWrite()
				_, _ = io.Copy(io.Discard, onlyReader{st})
			}
			_ = st.Close()
		}
		var s *Session
		if accepts {
			s = Acceptor(conn, func(st *Stream) { go use(st) })
		} else {
			s = Opener(conn)
			for range 4 {
				if st, err := s.Open(); err == nil {
					go use(st)
				}
			}
		}
		select {
		case <-s.Done():
		case <-time.After(10 * time.Second):
			t.Fatal("hangs")
		}
		require.Error(t, s.Err())
		require.NoError(t, s.Close())
	})
}
