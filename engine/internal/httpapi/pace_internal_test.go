package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bodies returns a handler that reads a body at a pace, and answers with what
// became of it.
func bodies(timeout time.Duration, wait time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := newPace(w, timeout)
		defer context.AfterFunc(r.Context(), p.cut)()
		body := &pacedBody{pace: p, body: r.Body}
		buf := make([]byte, 10_000)
		for {
			_, err := body.Read(buf)
			time.Sleep(wait) // the sandbox
			var broken *bodyError
			switch {
			case errors.As(err, &broken) && errors.Is(err, os.ErrDeadlineExceeded):
				p.end()                   // what was read last has ended the request's context
				expectBody(w, r, timeout) // what is left of it
				fail(newSlowWriter(w, time.Minute), "", unreadable(broken.err))
				return
			case errors.Is(err, io.EOF):
				w.Header().Set("X-Bytes", "all")
				return
			case err != nil:
				w.WriteHeader(http.StatusBadRequest)
				return
			}
		}
	})
}

// Who sends too little is no longer waited for, however it is spread.
func TestBodiesThatComeTooSlowly(t *testing.T) {
	conn := dial(t, bodies(200*time.Millisecond, 0), "PUT / HTTP/1.1\r\nHost: agb\r\nContent-Length: 100000\r\n\r\n")
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			if _, err := io.WriteString(conn, "x"); err != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
	require.NoError(t, conn.Close())
	<-over
}

// The time in which the sandbox is waited for is not the client's, nor is that
// of another piece.
func TestBodiesThatTheSandboxTakesSlowly(t *testing.T) {
	const timeout = 200 * time.Millisecond
	server := httptest.NewServer(bodies(timeout, timeout/4))
	defer server.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, strings.NewReader(strings.Repeat("x", 200_000)))
	require.NoError(t, err)
	start := time.Now()
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "all", resp.Header.Get("X-Bytes"))
	require.Greater(t, time.Since(start), 2*timeout)
}

// A client that takes nothing in is not waited for either.
func TestPacedAnswers(t *testing.T) {
	sent := make(chan error, 1)
	dial(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := (&pacedWriter{pace: newPace(w, 100*time.Millisecond), w: w}).Write(make([]byte, muchBytes))
		sent <- err
	}), request)
	select {
	case err := <-sent:
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	case <-time.After(20 * time.Second):
		require.Fail(t, "the answer is still being sent")
	}
}
