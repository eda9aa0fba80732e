package egress_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/internal/egress"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is what there is outside: names with addresses, all of which lead to one
// server, and what was asked of it.
type world struct {
	mu      sync.Mutex
	names   map[string][]string
	lookups []string
	dialled []string
	records []egress.Record
	server  *httptest.Server
	ended   chan struct{} // gets something when a client of /trickle is gone
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{names: map[string][]string{"good.example": {"93.184.215.14"}}, ended: make(chan struct{}, 1)}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/trickle" {
			rw.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(rw, "first")
			_ = http.NewResponseController(rw).Flush()
			<-r.Context().Done()
			w.ended <- struct{}{}
			return
		}
		_, _ = fmt.Fprintf(rw, "%s %s %s", r.Host, r.URL.Path, r.Header.Get("Proxy-Authorization"))
	}))
	t.Cleanup(w.server.Close)
	return w
}

// serve serves a proxy on l with rules, to the end of the test or before.
func (w *world) serve(t *testing.T, l net.Listener, rules ...string) *egress.Proxy {
	t.Helper()
	policy, err := egress.Parse(rules)
	require.NoError(t, err)
	p := egress.Serve(l, egress.Config{
		Policy: policy,
		Audit: func(r egress.Record) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.records = append(w.records, r)
		},
		Lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.lookups = append(w.lookups, host)
			var list []netip.Addr
			for _, a := range w.names[host] {
				list = append(list, netip.MustParseAddr(a))
			}
			if list == nil {
				return nil, errors.New("no such host")
			}
			return list, nil
		},
		Dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			w.mu.Lock()
			w.dialled = append(w.dialled, to.String())
			w.mu.Unlock()
			return new(net.Dialer).DialContext(ctx, "tcp", w.server.Listener.Addr().String())
		},
	})
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// audited waits for so many records.
func (w *world) audited(n int) []egress.Record {
	for {
		w.mu.Lock()
		records := slices.Clone(w.records)
		w.mu.Unlock()
		if len(records) >= n {
			return records
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func loopback(t *testing.T) net.Listener {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

// ask sends what it is told to the proxy and returns the whole answer.
func ask(t *testing.T, addr, text string) string {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(c, text)
	require.NoError(t, err)
	r := bufio.NewReader(c)
	line, _ := r.ReadString('\n')
	if strings.Contains(line, "200") && !strings.HasSuffix(text, "HTTP/1.0\r\nHost: y\r\n\r\n") && strings.HasPrefix(text, "CONNECT") {
		return line // it goes on
	}
	require.NoError(t, c.(*net.TCPConn).CloseWrite())
	b, _ := io.ReadAll(r)
	return line + string(b)
}

func TestProxy(t *testing.T) {
	w, l := newWorld(t), loopback(t)
	w.serve(t, l, "good.example:80", "good.example:443")
	addr := l.Addr().String()
	got := ask(t, addr, "GET http://GOOD.example/path HTTP/1.1\r\nHost: other.example\r\nProxy-Authorization: x\r\nConnection: close\r\n\r\n")
	require.Contains(t, got, "200 OK")
	require.Contains(t, strings.ToLower(got), "good.example /path ")
	require.NotContains(t, got, "other.example", "what was allowed is asked for")

	got = ask(t, addr, "CONNECT good.example:443 HTTP/1.1\r\nHost: x\r\n\r\nGET /inside HTTP/1.0\r\nHost: y\r\n\r\n")
	require.Contains(t, got, "200 Connection established")
	require.Contains(t, got, "y /inside ")
	require.Equal(t, []string{"93.184.215.14:80", "93.184.215.14:443"}, w.dialled)
	records := w.audited(2)
	for _, r := range records {
		require.True(t, r.Allowed, "%+v", r)
		require.Equal(t, "good.example", r.Host)
		require.Empty(t, r.Reason)
		require.Positive(t, r.Sent)
		require.Positive(t, r.Received)
	}
	require.Equal(t, "93.184.215.14:443", records[1].Address)
}

// What the server has sent of an answer arrives before the rest is there.
func TestProxyOfHalfAnAnswer(t *testing.T) {
	w, l := newWorld(t), loopback(t)
	w.serve(t, l, "good.example:80")
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: l.Addr().String()})}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://good.example/trickle", http.NoBody)
	require.NoError(t, err)
	resp, err := client.Do(r)
	require.NoError(t, err)
	b := make([]byte, 5)
	_, err = io.ReadFull(resp.Body, b)
	require.NoError(t, err)
	require.Equal(t, "first", string(b))
	require.NoError(t, resp.Body.Close())
}

// Whatever is not exactly what is allowed is refused, and nothing is looked up
// or connected to for it.
func TestProxyRefuses(t *testing.T) {
	w, l := newWorld(t), loopback(t)
	w.serve(t, l, "good.example:443", "127.0.0.1:443", "169.254.169.254:443", "[::1]:443", "[::ffff:127.0.0.1]:443")
	addr := l.Addr().String()
	for _, host := range []string{
		"evil.example:443", "good.example:80", "good.example:444", "good.example.:443", "evilgood.example:443", "good.example.evil:443",
		"evil\x00.good.example:443", "good.example@evil.example:443", "good.example:443@evil.example:443", "good.example:+443", "good.example:0443",
		"good.example:443 ", "good.example", ":443", "[good.example]:443:1", "göod.example:443", "127.1:443", "2130706433:443", "0x7f.0.0.1:443", "*.good.example:443",
		"localhost:443", "[::ffff:7f00:1]:443",
	} {
		got := ask(t, addr, "CONNECT "+host+" HTTP/1.1\r\nHost: good.example\r\n\r\nGET / HTTP/1.0\r\n\r\n")
		require.NotContains(t, got, " 200 ", host)
	}
	for _, target := range []string{
		"https://good.example/", "http://user:pw@good.example:443/", "/", "http://evil.example/", "http://good.example:443x/", "http://good.example:/",
		"ftp://good.example/", "http:///x",
	} {
		got := ask(t, addr, "GET "+target+" HTTP/1.1\r\nHost: good.example\r\nConnection: close\r\n\r\n")
		require.NotContains(t, got, " 200 ", target)
	}
	// Allowed by name or address, and not public.
	for _, host := range []string{"127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"} {
		got := ask(t, addr, "CONNECT "+host+":443 HTTP/1.1\r\nHost: x\r\n\r\n")
		require.Contains(t, got, "502", host)
		require.Contains(t, got, "not a public address")
	}
	w.names["good.example"] = []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "fd00:ec2::254", "::ffff:192.168.0.1"}
	got := ask(t, addr, "CONNECT good.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	require.Contains(t, got, "not a public address")
	require.Empty(t, w.dialled)
	require.Equal(t, []string{"good.example"}, w.lookups)
	for _, r := range w.audited(1) {
		require.False(t, r.Allowed)
		require.NotEmpty(t, r.Reason)
		require.LessOrEqual(t, len(r.Host), 253)
	}
	// Of several addresses those that are public will do.
	w.names["good.example"] = []string{"127.0.0.1", "93.184.215.14"}
	require.Contains(t, ask(t, addr, "CONNECT good.example:443 HTTP/1.1\r\nHost: x\r\n\r\n"), "200 Connection")
}

func TestProxyCloses(t *testing.T) {
	w, l := newWorld(t), loopback(t)
	policy, err := egress.Parse([]string{"good.example"})
	require.NoError(t, err)
	p := egress.Serve(l, egress.Config{
		Policy: policy,
		Lookup: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("93.184.215.14")}, nil
		},
		Dial: func(ctx context.Context, _ netip.AddrPort) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", w.server.Listener.Addr().String())
		},
	})
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(c, "CONNECT good.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	line, err := bufio.NewReader(c).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "200")
	require.NoError(t, p.Close())
	<-p.Done()
	_, err = io.ReadAll(c)
	_ = err // closed or reset
	require.NoError(t, c.Close())
}

// A program inside reaches what is allowed through the proxy, and nothing
// without it.
func TestProxyOfASession(t *testing.T) {
	s := agbtest.NewSession(t)
	has, err := s.Command.Run(t.Context(), "command -v python3", nil)
	require.NoError(t, err)
	if has.ExitCode != 0 {
		t.Skip("there is no python3 here")
	}
	l, err := s.Listen(t.Context(), "tcp", "127.0.0.1:3128")
	require.NoError(t, err)
	w := newWorld(t)
	w.serve(t, l, "good.example:80")
	fetch := func(env, url string) string {
		t.Helper()
		r, err := s.Command.Run(t.Context(), env+` python3 -c 'import sys, urllib.request
try: print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())
except Exception as e: print("failed:", e)' `+url, nil)
		require.NoError(t, err)
		return r.Stdout
	}
	const proxied = "http_proxy=http://127.0.0.1:3128"
	require.Contains(t, fetch(proxied, "http://good.example/x"), "good.example /x")
	require.Contains(t, fetch(proxied, "http://evil.example/x"), "failed: HTTP Error 403")
	require.Contains(t, fetch("", "http://good.example/x"), "failed:")
	require.Contains(t, fetch("", "http://93.184.215.14/x"), "failed:")
	require.Equal(t, []string{"good.example"}, w.lookups)
}
