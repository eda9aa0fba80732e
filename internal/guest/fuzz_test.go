package guest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// FuzzConversation gives calls that are under way at once a guest that sends
// anything at all, in pieces of any size.
func FuzzConversation(f *testing.F) {
	for _, answer := range [][]byte{goodExit, record(recordResult, Version), cat(record(recordStdout, 1, 2), goodExit), record(recordError, 1, 0, 0), nil} {
		f.Add(spoken(f, answer), uint8(0))
		f.Add(spoken(f, answer), uint8(1))
	}
	f.Fuzz(func(t *testing.T, said []byte, piece uint8) {
		a, b := net.Pipe()
		go func() { _, _ = io.Copy(io.Discard, b) }()
		c := NewClient(a)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		ended := make(chan error)
		for _, name := range []string{"Hello", "Run", "List", "Read", "Edit", "Dial", "Fetch", "Watch"} {
			go func() { ended <- calls[name](ctx, c) }()
		}
		for size := int(piece) + 1; len(said) > 0; {
			n, err := b.Write(said[:min(size, len(said))])
			if err != nil {
				break // the client has had enough
			}
			said = said[n:]
		}
		require.NoError(t, b.Close())
		for range 8 {
			require.NotErrorIs(t, <-ended, context.DeadlineExceeded)
		}
		<-c.Done()
		require.Error(t, c.Err())
		require.NoError(t, c.Close())
	})
}

// spoken is what a guest sends that answers the first three calls so.
func spoken(tb testing.TB, answer []byte) []byte {
	tb.Helper()
	a, b := net.Pipe()
	var said bytes.Buffer
	session := mux.Acceptor(tee{b, &said}, func(st *mux.Stream) {
		go func() { _, _ = st.WriteLast(answer) }()
	})
	opener := mux.Opener(a)
	for range 3 {
		st, err := opener.Open()
		require.NoError(tb, err)
		require.NoError(tb, st.CloseWrite())
		_, _ = io.Copy(io.Discard, struct{ io.Reader }{st})
	}
	require.NoError(tb, opener.Close())
	<-session.Done()
	return said.Bytes()
}

// tee keeps what is written to a connection.
type tee struct {
	net.Conn
	to *bytes.Buffer
}

func (t tee) Write(p []byte) (int, error) {
	t.to.Write(p)
	return t.Conn.Write(p)
}

// FuzzRecords reads records of anything: they are within the limit, and what
// was read is what was there.
func FuzzRecords(f *testing.F) {
	f.Add(cat(record(recordStdout, 1, 2, 3), goodExit), uint16(100))
	f.Add([]byte{byte(recordResult), 0xff, 0xff, 0xff, 0xff}, uint16(0xffff))
	f.Add(record(recordResult)[:recordHead-1], uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, limit uint16) {
		r := recordReader{r: iotest.OneByteReader(bytes.NewReader(b))}
		var again []byte
		for {
			kind, p, err := r.next(int(limit))
			if err != nil {
				whole := errors.Is(err, io.EOF)
				require.True(t, whole || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrProtocol), err)
				require.True(t, !whole || len(again) == len(b))
				break
			}
			require.LessOrEqual(t, len(p), int(limit))
			again = append(again, record(kind, p...)...)
		}
		require.True(t, bytes.HasPrefix(b, again))
	})
}

// FuzzCodec decodes anything as a command and as an exit. What is accepted
// survives being encoded.
func FuzzCodec(f *testing.F) {
	f.Add(encoded(func(e *encoder) {
		e.command(&Command{
			Args: []string{"x", ""}, Dir: "/d", Env: []string{"A=b"}, Timeout: time.Hour, CPULimit: time.Minute, OutputLimit: 7, Control: io.Discard,
		})
	}))
	f.Add(encoded(func(e *encoder) {
		e.exit(&Exit{Code: 137, Signal: 9, CPULimited: true, Duration: 1, StdoutDropped: 2, CPU: 3, MaxRSS: 4})
	}))
	f.Add(goodExit[recordHead:])
	f.Fuzz(func(t *testing.T, b []byte) {
		d := &decoder{b: b}
		if req := d.command(); d.done() {
			if req.control {
				req.Control = io.Discard
			}
			if req.stdin {
				req.Stdin = endless{}
			}
			again := &decoder{b: encoded(func(e *encoder) { e.command(&req.Command) })}
			other := again.command()
			require.True(t, again.done())
			if req.OutputLimit > 0 {
				require.Equal(t, req.OutputLimit, other.OutputLimit)
			}
			require.Equal(t, []any{req.Args, req.Env, req.Dir, req.Timeout, req.CPULimit, req.control, req.stdin},
				[]any{other.Args, other.Env, other.Dir, other.Timeout, other.CPULimit, other.control, other.stdin})
		}
		d = &decoder{b: b}
		if x := d.exit(); d.done() {
			again := &decoder{b: encoded(func(e *encoder) { e.exit(&x) })}
			require.Equal(t, x, again.exit())
			require.True(t, again.done())
			require.LessOrEqual(t, x.Code, 255)
			require.False(t, x.Duration < 0 || x.CPU < 0 || x.MaxRSS < 0)
		}
	})
}
