//go:build linux

package agent

import (
	"io"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

// echoes accepts connections on l until the test is over and echoes what it
// gets there.
func echoes(tb testing.TB, l net.Listener) {
	tb.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	tb.Cleanup(func() {
		_ = l.Close()
		<-done
	})
}

func listen(tb testing.TB, network, address string) net.Listener {
	tb.Helper()
	var c net.ListenConfig
	l, err := c.Listen(tb.Context(), network, address)
	require.NoError(tb, err)
	return l
}

func TestDial(t *testing.T) {
	t.Parallel()
	s := start(t)
	tcp, unix := listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", filepath.Join(s.home, "s"))
	echoes(t, tcp)
	echoes(t, unix)
	port := strconv.Itoa(tcp.Addr().(*net.TCPAddr).Port)
	before := len(descriptors(t, s.pid))
	for _, target := range [][2]string{{"tcp", "localhost:" + port}, {"tcp", "127.0.0.1:" + port}, {"unix", "s"}} {
		c, err := s.Dial(t.Context(), target[0], target[1])
		require.NoError(t, err)
		sent := make([]byte, 2<<20)
		go func() {
			_, _ = c.Write(sent)
			_ = c.CloseWrite()
		}()
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Len(t, got, len(sent))
		require.NoError(t, c.Close())

		c, err = s.Dial(t.Context(), target[0], target[1])
		require.NoError(t, err)
		require.NoError(t, c.Close(), "without a word")
	}
	require.Eventually(t, func() bool { return len(descriptors(t, s.pid)) == before }, 5*time.Second, 5*time.Millisecond)
}

func TestDialFails(t *testing.T) {
	t.Parallel()
	s := start(t)
	l := listen(t, "tcp", "127.0.0.1:0")
	address := l.Addr().String()
	require.NoError(t, l.Close())
	for _, test := range []struct {
		network, address string
		kind             guest.Kind
	}{
		{"tcp", address, guest.Refused},
		{"unix", "nothing", guest.NotExist},
		{"unix", "", guest.Invalid},
		{"unix", "a\x00", guest.Invalid},
		{"unix", string(make([]byte, 108)), guest.Invalid},
		{"udp", "127.0.0.1:80", guest.Invalid},
		{"tcp", "127.0.0.1", guest.Invalid},
		{"tcp", "127.0.0.1:0", guest.Invalid},
		{"tcp", "127.0.0.1:65536", guest.Invalid},
		{"tcp", "127.0.0.1:http", guest.Invalid},
		{"tcp", "10.0.0.1:80", guest.Invalid},
		{"tcp", "example.com:80", guest.Invalid},
	} {
		_, err := s.Dial(t.Context(), test.network, test.address)
		requireKind(t, test.kind, err)
	}
}
