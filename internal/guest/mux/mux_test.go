package mux

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pair returns both ends of a session. handle serves every stream.
func pair(tb testing.TB, handle func(*Stream)) (opener, acceptor *Session) {
	tb.Helper()
	a, b := net.Pipe()
	opener = Opener(a)
	acceptor = Acceptor(b, func(st *Stream) { go handle(st) })
	tb.Cleanup(func() {
		require.NoError(tb, opener.Close())
		require.NoError(tb, acceptor.Close())
	})
	return opener, acceptor
}

// echo sends back what it gets.
func echo(st *Stream) {
	_, _ = io.Copy(onlyWriter{st}, onlyReader{st})
	_ = st.CloseWrite()
}

type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

func open(tb testing.TB, s *Session) *Stream {
	tb.Helper()
	st, err := s.Open()
	require.NoError(tb, err)
	return st
}

func TestEcho(t *testing.T) {
	t.Parallel()
	opener, acceptor := pair(t, echo)
	for _, size := range []int{0, 1, ringStart, FrameLimit, FrameLimit + 1, Window, Window + 1, 5 << 20} {
		sent := make([]byte, size)
		_, err := rand.Read(sent)
		require.NoError(t, err)
		st := open(t, opener)
		go func() { _, _ = st.WriteLast(sent) }()
		got, err := io.ReadAll(st)
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, got))
	}
	require.Zero(t, opener.Len())
	require.Eventually(t, func() bool { return acceptor.Len() == 0 }, time.Second, time.Millisecond)
	require.NoError(t, opener.Err())
}

func TestManyStreams(t *testing.T) {
	t.Parallel()
	opener, _ := pair(t, echo)
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			st, err := opener.Open()
			if err != nil {
				t.Error(err)
				return
			}
			sent := bytes.Repeat([]byte{byte(i)}, 1000*i)
			go func() { _, _ = st.WriteParts([]byte("head"), sent); _ = st.CloseWrite() }()
			got, err := io.ReadAll(st)
			if err != nil || !bytes.Equal(got, append([]byte("head"), sent...)) {
				t.Errorf("stream %d: %v, %d bytes", i, err, len(got))
			}
		})
	}
	group.Wait()
	require.Zero(t, opener.Len())
}

// The request goes out in one write, with the news of its stream.
func TestCoalesce(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	s := Opener(a)
	st := open(t, s)
	go func() { _, _ = st.WriteLast([]byte("request")) }()
	buf := make([]byte, 1000)
	n, err := b.Read(buf)
	require.NoError(t, err)
	require.Equal(t, 3*headerSize+len("request"), n)
	require.NoError(t, s.Close())
	require.NoError(t, b.Close())
}

// One slow reader holds up nobody else, and no more than a window of its
// stream is on its way.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		streams := make(chan *Stream, 1)
		opener, _ := pair(t, func(st *Stream) {
			b := make([]byte, 1)
			if _, err := io.ReadFull(st, b); err != nil {
				return
			}
			if b[0] == 's' {
				streams <- st
				return
			}
			echo(st)
		})
		slow := open(t, opener)
		sent := make(chan int, 1)
		go func() {
			n, _ := slow.Write(append([]byte("s"), make([]byte, 2*Window)...))
			sent <- n
		}()
		held := <-streams
		synctest.Wait()
		require.Empty(t, sent)
		require.LessOrEqual(t, cap(held.in.buf), 2*Window)
		quick := open(t, opener)
		_, err := quick.WriteLast([]byte("equick"))
		require.NoError(t, err)
		got, err := io.ReadAll(quick)
		require.NoError(t, err)
		require.Equal(t, "quick", string(got))
		_, err = io.ReadFull(held, make([]byte, 2*Window))
		require.NoError(t, err)
		require.Equal(t, 2*Window+1, <-sent)
		slow.Reset()
		require.NoError(t, held.Close())
	})
}

func TestHalfClose(t *testing.T) {
	t.Parallel()
	opener, _ := pair(t, func(st *Stream) {
		_ = st.CloseWrite()
		_, _ = io.Copy(io.Discard, onlyReader{st})
		_ = st.Close()
	})
	st := open(t, opener)
	_, err := st.Write([]byte("x"))
	require.NoError(t, err)
	_, err = st.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = st.Write(make([]byte, 3*Window))
	require.NoError(t, err, "the other direction is open")
	require.NoError(t, st.CloseWrite())
	require.ErrorIs(t, st.CloseWrite(), ErrClosed)
	_, err = st.Write([]byte("x"))
	require.ErrorIs(t, err, ErrClosed)
	require.Zero(t, opener.Len())
	require.NoError(t, st.Close())
	require.NoError(t, st.Close())
}

// Reset tells the other end, which may still answer.
func TestReset(t *testing.T) {
	t.Parallel()
	interrupted := make(chan struct{}, 2)
	opener, acceptor := pair(t, func(st *Stream) {
		st.OnInterrupt(func() { interrupted <- struct{}{} })
		_, err := io.ReadAll(st)
		if err == ErrReset { //nolint:errorlint // that very one
			_, _ = st.WriteLast([]byte("gone"))
		} else {
			_ = st.CloseWrite()
		}
	})
	for _, closeFirst := range []bool{false, true} {
		st := open(t, opener)
		_, err := st.Write([]byte("request"))
		require.NoError(t, err)
		if closeFirst {
			// The answer may be on its way by then: none is asked for.
			require.NoError(t, st.CloseWrite())
			st.Reset()
			_, err = io.ReadAll(st)
			require.NoError(t, err)
			continue
		}
		st.Reset()
		st.Reset()
		_, err = st.Write([]byte("more"))
		require.ErrorIs(t, err, ErrClosed)
		got, err := io.ReadAll(st)
		require.NoError(t, err)
		require.Equal(t, "gone", string(got))
		<-interrupted
	}
	require.NoError(t, opener.Err())
	require.NoError(t, acceptor.Err())
}

// Close drops what comes, frees the other end, and is forgotten by both.
func TestCloseWhileFlooded(t *testing.T) {
	t.Parallel()
	result := make(chan error, 1)
	opener, acceptor := pair(t, func(st *Stream) {
		var err error
		for err == nil {
			_, err = st.Write(make([]byte, FrameLimit))
		}
		result <- err
		_ = st.Close()
	})
	for range 50 {
		st := open(t, opener)
		_, err := st.Write([]byte("go"))
		require.NoError(t, err)
		_, err = st.Read(make([]byte, 10))
		require.NoError(t, err)
		require.NoError(t, st.Close())
		_, err = st.Read(make([]byte, 10))
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, <-result, ErrReset)
	}
	gone := func() bool { return opener.Len() == 0 && acceptor.Len() == 0 }
	require.Eventually(t, gone, time.Second, time.Millisecond)
	require.NoError(t, opener.Err())
}

func TestCloseUnblocks(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Session, *Stream){
		"stream":  func(_ *Session, st *Stream) { _ = st.Close() },
		"session": func(s *Session, _ *Stream) { _ = s.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				opener, _ := pair(t, func(*Stream) {})
				st := open(t, opener)
				errs := make(chan error, 2)
				go func() { _, err := st.Write(make([]byte, 2*Window)); errs <- err }()
				go func() { _, err := st.Read(make([]byte, 1)); errs <- err }()
				synctest.Wait()
				end(opener, st)
				require.ErrorIs(t, <-errs, ErrClosed)
				require.ErrorIs(t, <-errs, ErrClosed)
			})
		})
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	opener, acceptor := pair(t, func(*Stream) {})
	st := open(t, opener)
	_, err := st.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, acceptor.Close())
	<-opener.Done()
	require.ErrorIs(t, opener.Err(), ErrGone)
	require.ErrorIs(t, acceptor.Err(), ErrClosed)
	_, err = st.Read(make([]byte, 1))
	require.ErrorIs(t, err, ErrGone)
	require.NotErrorIs(t, err, io.EOF, "nothing ended well")
	_, err = opener.Open()
	require.ErrorIs(t, err, ErrGone)
	interrupted := false
	st.OnInterrupt(func() { interrupted = true })
	require.True(t, interrupted)
}

func TestStreamLimit(t *testing.T) {
	t.Parallel()
	opener, _ := pair(t, echo)
	streams := make([]*Stream, StreamLimit)
	for i := range streams {
		streams[i] = open(t, opener)
		_, err := streams[i].Write([]byte("x"))
		require.NoError(t, err)
	}
	_, err := opener.Open()
	require.ErrorIs(t, err, ErrTooMany)
	for _, st := range streams {
		require.NoError(t, st.CloseWrite())
		_, err := io.ReadAll(st)
		require.NoError(t, err)
	}
	st := open(t, opener)
	_, err = st.WriteLast(nil)
	require.NoError(t, err)
	_, err = io.ReadAll(st)
	require.NoError(t, err)
}

// An acceptor that does not read ends the session, at the limit and not
// before. What other goroutines wait for fails with it.
func TestStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		s := Opener(a)
		begin := time.Now()
		st := open(t, s)
		errs := make(chan error, 1)
		go func() { _, err := st.Read(make([]byte, 1)); errs <- err }()
		_, _ = st.Write(make([]byte, 10)) // it may be queued
		require.Equal(t, WriteTimeout, time.Since(begin))
		require.ErrorIs(t, <-errs, ErrStalled)
		require.ErrorIs(t, s.Err(), ErrStalled)
		require.NoError(t, b.Close())
	})
}

func TestSlowIsNotStalled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		s := Opener(a)
		go func() {
			for {
				time.Sleep(WriteTimeout - time.Second)
				if _, err := io.CopyN(io.Discard, b, writePiece); err != nil {
					return
				}
			}
		}()
		st := open(t, s)
		_, err := st.Write(make([]byte, Window/2))
		require.NoError(t, err)
		time.Sleep(10 * WriteTimeout)
		require.NoError(t, s.Err(), "idle is not stalled")
		require.NoError(t, s.Close())
		require.NoError(t, b.Close())
	})
}

func TestRing(t *testing.T) {
	t.Parallel()
	var r ring
	var want, got []byte
	next := byte(0)
	p := make([]byte, 700)
	for i := range 5000 {
		n := (i*37)%900 + 1
		if r.size+n > Window {
			n = 0
		}
		first, second := r.space(n)
		for _, part := range [][]byte{first, second} {
			for j := range part {
				part[j] = next
				want = append(want, next)
				next++
			}
		}
		got = append(got, p[:r.read(p[:(i*53)%700])]...) // while space is given out
		r.filled(n)
	}
	for r.size > 0 {
		got = append(got, p[:r.read(p)]...)
	}
	require.True(t, bytes.Equal(want, got))
	require.LessOrEqual(t, len(r.buf), Window)
}
