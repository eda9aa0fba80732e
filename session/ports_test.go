package session_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/session"
)

// run runs a script in a session and returns what it prints.
func run(t *testing.T, s *session.Session, script string) string {
	t.Helper()
	r, err := s.Command.Run(t.Context(), script, nil)
	require.NoError(t, err)
	require.Zero(t, r.ExitCode, r.Stderr)
	return r.Stdout
}

const fetch = `python3 -c 'import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read().decode())' `

func TestListen(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		l, err := s.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.Equal(t, "tcp", l.Addr().Network())
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { //nolint:gosec // of a test
			_, _ = io.WriteString(w, "the owner says "+r.URL.Path)
		})}
		served := make(chan error, 1)
		go func() { served <- srv.Serve(l) }()
		for range 3 {
			require.Equal(t, "the owner says /hello\n", run(t, s, fetch+"http://"+l.Addr().String()+"/hello"))
		}
		require.NoError(t, srv.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
		_, err = l.Accept()
		require.ErrorIs(t, err, net.ErrClosed)

		unix, err := s.Listen(t.Context(), "unix", "/tmp/owner")
		require.NoError(t, err)
		require.Equal(t, "/tmp/owner", unix.Addr().String())
		run(t, s, `nohup python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/tmp/owner"); s.sendall(b"hi"); s.recv(1)' >/dev/null 2>&1 &`)
		c, err := unix.Accept()
		require.NoError(t, err)
		require.NoError(t, unix.Close())
		b := make([]byte, 2)
		_, err = io.ReadFull(c, b)
		require.NoError(t, err, "a connection stays")
		require.Equal(t, "hi", string(b))
		require.NoError(t, c.Close())
		require.ErrorIs(t, unix.Close(), net.ErrClosed)

		for _, at := range [][2]string{{"tcp", "0.0.0.0:0"}, {"udp", "127.0.0.1:0"}, {"tcp", "127.0.0.1"}} {
			_, err := s.Listen(t.Context(), at[0], at[1])
			require.ErrorIs(t, err, apierr.InvalidArgument.Err())
			require.Equal(t, "session.Listen", apierr.From(err).Op)
		}
		run(t, s, "touch /tmp/file")
		used, err := s.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { require.NoError(t, used.Close()) }()
		for network, address := range map[string]string{"tcp": used.Addr().String(), "unix": "/tmp/file"} {
			_, err := s.Listen(t.Context(), network, address)
			require.ErrorIs(t, err, apierr.AlreadyExists.Err())
		}
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = s.Listen(canceled, "tcp", "127.0.0.1:0")
		require.ErrorIs(t, err, context.Canceled)
	})
}

// A listener ends with its session.
func TestListenerOfASessionThatEnds(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		l, err := s.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer func() { require.NoError(t, l.Close()) }()
		accepted := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		_, err = s.Delete(t.Context())
		require.NoError(t, err)
		require.ErrorIs(t, <-accepted, apierr.SessionNotFound.Err())
	})
}

// A listener outlasts a session's having no stream left for a connection.
func TestListenerOfASessionWithoutStreams(t *testing.T) {
	s := dialable(t)["memory"]
	l, err := s.Listen(t.Context(), "unix", "/tmp/owner")
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	var last net.Conn
	for {
		c, err := s.Dial(t.Context(), "tcp", "localhost:8001")
		if err != nil {
			require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
			break
		}
		defer func() { _ = c.Close() }()
		last = c
	}
	var c net.Conn
	var accepting sync.WaitGroup
	accepting.Go(func() { c, err = l.Accept() })
	run(t, s, `nohup python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("/tmp/owner"); s.sendall(b"hi"); s.recv(1)' >/dev/null 2>&1 &`)
	require.NoError(t, last.Close())
	accepting.Wait()
	require.NoError(t, err)
	b := make([]byte, 2)
	_, err = io.ReadFull(c, b)
	require.NoError(t, err)
	require.Equal(t, "hi", string(b))
	require.NoError(t, c.Close())
}

func TestForwardLocal(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		f, err := s.ForwardLocal(t.Context(), 8001, nil)
		require.NoError(t, err)
		for range 3 {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", f.Addr().String())
			require.NoError(t, err)
			_, err = io.WriteString(c, "hello")
			require.NoError(t, err)
			closeWrite(t, c)
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, "hello", string(got))
			require.NoError(t, c.Close())
		}
		open, err := new(net.Dialer).DialContext(t.Context(), "tcp", f.Addr().String())
		require.NoError(t, err)
		_, err = io.WriteString(open, "x")
		require.NoError(t, err)
		_, err = io.ReadFull(open, make([]byte, 1))
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.NoError(t, f.Close())
		_, err = open.Read(make([]byte, 1))
		require.Error(t, err)
		require.NoError(t, open.Close())

		nobody, err := s.ForwardLocal(t.Context(), 9, &session.ForwardOptions{Address: "127.0.0.1:0"})
		require.NoError(t, err)
		refused := func(f *session.Forward) {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", f.Addr().String())
			require.NoError(t, err)
			_, err = c.Read(make([]byte, 1))
			require.Error(t, err)
			require.NoError(t, c.Close())
			require.NoError(t, f.Close())
		}
		refused(nobody)

		for _, port := range []int{0, -1, 65536} {
			_, err := s.ForwardLocal(t.Context(), port, nil)
			require.ErrorIs(t, err, apierr.InvalidArgument.Err())
		}
		_, err = s.ForwardLocal(t.Context(), 1, &session.ForwardOptions{Address: "nonsense"})
		require.ErrorIs(t, err, apierr.FailedPrecondition.Err())

		outlives, err := s.ForwardLocal(t.Context(), 8001, nil)
		require.NoError(t, err)
		_, err = s.Delete(t.Context())
		require.NoError(t, err)
		refused(outlives)
	})
}
