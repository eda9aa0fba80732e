//go:build linux

package agent

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

func TestListen(t *testing.T) {
	t.Parallel()
	s := start(t)
	before := len(descriptors(t, s.pid))
	for _, at := range [][2]string{{"tcp", "localhost:0"}, {"tcp", "127.0.0.1:0"}, {"unix", "s"}} {
		l, err := s.Listen(t.Context(), at[0], at[1])
		require.NoError(t, err)
		where := l.Address()
		if at[0] == "unix" {
			where = filepath.Join(s.home, where)
		} else {
			require.False(t, strings.HasSuffix(where, ":0"), where)
		}
		const clients = 20
		for range clients {
			go func() {
				c, err := new(net.Dialer).DialContext(t.Context(), at[0], where)
				if err == nil {
					_, _ = io.Copy(c, c)
					_ = c.Close()
				}
			}()
		}
		accepted := make(chan *guest.Conn, clients)
		for range clients { // all at once
			go func() {
				c, err := l.Accept(t.Context())
				if err == nil {
					accepted <- c
				}
			}()
		}
		for range clients {
			c := <-accepted
			_, err := c.Write([]byte("hello"))
			require.NoError(t, err)
			require.NoError(t, c.CloseWrite())
			got, err := io.ReadAll(c)
			require.NoError(t, err)
			require.Equal(t, "hello", string(got))
			require.NoError(t, c.Close())
		}

		// Of several that wait one gives up, the others do not.
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := l.Accept(ctx)
				gone <- err
			}()
		}
		go func() {
			c, err := l.Accept(t.Context())
			if err == nil {
				accepted <- c
			}
		}()
		time.Sleep(20 * time.Millisecond)
		cancel()
		require.ErrorIs(t, <-gone, context.Canceled)
		require.ErrorIs(t, <-gone, context.Canceled)
		for got := false; !got; { // what had given up may take one more
			c, err := new(net.Dialer).DialContext(t.Context(), at[0], where)
			require.NoError(t, err)
			select {
			case a := <-accepted:
				got = true
				require.NoError(t, a.Close())
			case <-time.After(100 * time.Millisecond):
			}
			require.NoError(t, c.Close())
		}

		waiting := make(chan error, 1)
		go func() {
			_, err := l.Accept(t.Context())
			waiting <- err
		}()
		time.Sleep(20 * time.Millisecond)
		require.NoError(t, l.Close())
		requireKind(t, guest.Refused, <-waiting)
	}
	require.Eventually(t, func() bool { return len(descriptors(t, s.pid)) == before }, 5*time.Second, 5*time.Millisecond)
}

func TestListenFails(t *testing.T) {
	t.Parallel()
	s := start(t)
	used := listen(t, "tcp", "127.0.0.1:0")
	defer func() { require.NoError(t, used.Close()) }()
	for _, test := range []struct {
		network, address string
		kind             guest.Kind
	}{
		{"tcp", used.Addr().String(), guest.Exist},
		{"tcp", "0.0.0.0:0", guest.Invalid},
		{"tcp", ":0", guest.Invalid},
		{"tcp", "127.0.0.1", guest.Invalid},
		{"udp", "127.0.0.1:0", guest.Invalid},
		{"unix", "no/such", guest.NotExist},
		{"unix", "a:0/s", guest.NotExist},
	} {
		_, err := s.Listen(t.Context(), test.network, test.address)
		requireKind(t, test.kind, err)
	}
}
