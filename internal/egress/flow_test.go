package egress_test

import (
	"bufio"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

// A flow ends with what let it through, and nothing is let through after.
func TestProxyEndsAmidAFlow(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *engine.Engine, *agb.Session){
		"session deleted": func(t *testing.T, _ *engine.Engine, s *agb.Session) {
			t.Helper()
			_, err := s.Delete(t.Context())
			require.NoError(t, err)
		},
		"engine closed": func(t *testing.T, eng *engine.Engine, _ *agb.Session) {
			t.Helper()
			require.NoError(t, eng.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			eng, s := sandbox(t)
			w := newWorld(t)
			l, err := s.Listen(t.Context(), "tcp", "127.0.0.1:3128")
			require.NoError(t, err)
			p := w.serve(t, l, "good.example:80")
			flow(t, s)
			end(t, eng, s)
			within(t, w.ended)
			within(t, p.Done())
		})
	}
}

// Rules do not change: others take the place of the first when these are
// closed, with all that they let through, and not before.
func TestProxyOfOtherRules(t *testing.T) {
	_, s := sandbox(t)
	w := newWorld(t)
	l, err := s.Listen(t.Context(), "tcp", "127.0.0.1:3128")
	require.NoError(t, err)
	first := w.serve(t, l, "good.example:80")
	flow(t, s)
	_, err = s.Listen(t.Context(), "tcp", "127.0.0.1:3128")
	require.Error(t, err, "the address is in use")
	flow(t, s)
	require.Empty(t, w.ended)
	require.NoError(t, first.Close())
	for range 2 {
		within(t, w.ended)
	}
	require.Eventually(t, func() bool { // the address is free a moment later
		l, err = s.Listen(t.Context(), "tcp", "127.0.0.1:3128")
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	w.serve(t, l, "other.example:80")
	r, err := s.Command.Run(t.Context(), proxied+`python3 -c 'import urllib.request; urllib.request.urlopen("http://good.example/x")'`, nil)
	require.NoError(t, err)
	require.Contains(t, r.Stderr, "403")
}

// What is more than 256 connections waits for one of them to end.
func TestProxyOfManyConnections(t *testing.T) {
	w, l := newWorld(t), loopback(t)
	w.serve(t, l, "good.example:443")
	connect := func() net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		_, err = io.WriteString(c, "CONNECT good.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		return c
	}
	var open net.Conn
	for range 256 {
		open = connect()
		line, err := bufio.NewReader(open).ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, line, "200")
	}
	more := connect()
	require.NoError(t, more.SetReadDeadline(time.Now().Add(200*time.Millisecond)))
	_, err := more.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, open.Close())
	require.NoError(t, more.SetReadDeadline(time.Now().Add(20*time.Second)))
	line, err := bufio.NewReader(more).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "200")
}

// sandbox returns a session that has python3, and its engine.
func sandbox(t *testing.T) (*engine.Engine, *agb.Session) {
	t.Helper()
	eng, err := engine.New(engine.Config{})
	if err != nil {
		t.Skip("no default runtime here: ", err)
	}
	t.Cleanup(func() { require.NoError(t, eng.Close()) })
	c, err := agb.New(agb.WithTransport(eng.Transport()))
	require.NoError(t, err)
	created, err := c.Create(t.Context(), nil)
	require.NoError(t, err)
	has, err := created.Session.Command.Run(t.Context(), "command -v python3", nil)
	require.NoError(t, err)
	if has.ExitCode != 0 {
		t.Skip("there is no python3 here")
	}
	return eng, created.Session
}

const proxied = "http_proxy=http://127.0.0.1:3128 "

// flow has a program in a session receive half an answer through the proxy, and
// wait for the rest.
func flow(t *testing.T, s *agb.Session) {
	t.Helper()
	r, err := s.Command.Run(t.Context(), `rm -f /tmp/flows
`+proxied+`nohup python3 -c 'import urllib.request
r = urllib.request.urlopen("http://good.example/trickle")
r.read(5)
open("/tmp/flows", "w").close()
r.read()' >/tmp/flow.log 2>&1 &
until [ -e /tmp/flows ]; do kill -0 $! || exit 1; sleep 0.05; done`, nil)
	require.NoError(t, err)
	require.Zero(t, r.ExitCode, r.Stderr)
}

// within waits for something that takes no more than a moment.
func within(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		require.Fail(t, "it goes on")
	}
}
