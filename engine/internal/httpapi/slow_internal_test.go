package httpapi

import (
	"bufio"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sendsMuch returns a handler that answers with more than any buffer on the way
// takes, and a channel that gets what became of it.
func sendsMuch(timeout time.Duration) (http.Handler, <-chan error) {
	sent := make(chan error, 1)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := newSlowWriter(w, timeout).Write(make([]byte, muchBytes))
		sent <- err
	}), sent
}

const (
	muchBytes = 64 << 20
	request   = "GET / HTTP/1.1\r\nHost: agb\r\n\r\n"
)

// TestClientDoesNotRead: who does not take in an answer is cut off, however slowly
// it reads.
func TestClientDoesNotRead(t *testing.T) {
	const timeout = 100 * time.Millisecond
	handler, sent := sendsMuch(timeout)
	conn := dial(t, handler, request)
	reading, over := make(chan struct{}), make(chan struct{})
	go func() { // a byte now and then
		defer close(reading)
		for {
			select {
			case <-over:
				return
			case <-time.After(timeout / 10):
				_, _ = conn.Read(make([]byte, 1)) // it is cut off at some time
			}
		}
	}()
	select {
	case err := <-sent:
		require.Error(t, err)
	case <-time.After(20 * time.Second):
		require.Fail(t, "the answer is still being sent")
	}
	close(over)
	<-reading
}

// TestClientReadsSlowly: an answer may take longer than the timeout, as long as it
// is taken in.
func TestClientReadsSlowly(t *testing.T) {
	const timeout = 500 * time.Millisecond
	handler, sent := sendsMuch(timeout)
	conn := dial(t, handler, request)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	start, total, buf := time.Now(), 0, make([]byte, 1<<20)
	for err == nil {
		var n int
		n, err = io.ReadFull(resp.Body, buf)
		if total += n; total < muchBytes*3/4 {
			time.Sleep(timeout / 25)
		}
	}
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, muchBytes, total)
	require.NoError(t, <-sent)
	require.Greater(t, time.Since(start), timeout)
	require.NoError(t, resp.Body.Close())
}
