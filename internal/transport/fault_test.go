package transport_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/transport/faultproxy"
	"github.com/agb-go/sdk/internal/wire"
)

// TestLostAnswers breaks the connection at every phase of an answer. The
// server's own count says what was performed.
func TestLostAnswers(t *testing.T) {
	for name, fault := range map[string]faultproxy.Fault{
		"before the status":  {CutAfter: 1, ResetAtCut: true},
		"in the status":      {CutAfter: 12},
		"in the headers":     {CutAfter: 60},
		"in the body":        {CutAfter: 160},
		"reset in the body":  {CutAfter: 160, ResetAtCut: true},
		"muted until closed": {Mute: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closing := func(w http.ResponseWriter, _ *http.Request) {
				if fault.Mute {
					w.Header().Set("Connection", "close")
				}
				_, _ = w.Write([]byte(okBody))
			}
			b := newBackend(t, closing, nil)
			b.proxy.Next(fault, fault)
			_, err := get(t.Context(), b.client)
			require.NoError(t, err)
			require.EqualValues(t, 3, b.served.Load())

			b = newBackend(t, closing, nil)
			b.proxy.Next(fault)
			_, err = create(t.Context(), b.client)
			require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
			require.NotEmpty(t, asError(t, err).RequestID)
			require.EqualValues(t, 1, b.served.Load(), "it was performed twice")
		})
	}
}

// TestKeptConnectionBreaks: net/http itself repeats requests on connections
// that it had kept, for which it takes an idempotency key for leave.
func TestKeptConnectionBreaks(t *testing.T) {
	var b backend
	var mu sync.Mutex
	breaks := false
	b = newBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if breaks {
			breaks = false
			b.proxy.Break()
			return
		}
		_, _ = w.Write([]byte(okBody))
	}, nil)
	_, err := create(t.Context(), b.client)
	require.NoError(t, err)
	mu.Lock()
	breaks = true
	mu.Unlock()
	_, err = create(t.Context(), b.client)
	require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
	require.EqualValues(t, 2, b.served.Load(), "it was performed twice")
}

// TestIdleConnectionBreaks: that a kept connection has gone is nobody's
// business but ours.
func TestIdleConnectionBreaks(t *testing.T) {
	b := newBackend(t, nil, nil)
	for range 100 {
		_, err := get(t.Context(), b.client)
		require.NoError(t, err)
		b.proxy.Break()
	}
	before, succeeded := b.served.Load(), int64(0)
	for range 100 {
		_, err := create(t.Context(), b.client)
		if err == nil {
			succeeded++
		} else {
			require.ErrorIs(t, err, apierr.UnknownOutcome.Err())
		}
		b.proxy.Break()
	}
	require.LessOrEqual(t, b.served.Load()-before, int64(100))
	require.GreaterOrEqual(t, b.served.Load()-before, succeeded)
}

func TestConnectionRefusedThenServed(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(okBody)) }))
	defer srv.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	dials := 0
	rt := transport.NewRoundTripper()
	defer rt.CloseIdleConnections()
	dial := rt.DialContext
	rt.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		if dials++; dials == 1 {
			return dial(ctx, network, closed.Addr().String())
		}
		return dial(ctx, network, srv.Listener.Addr().String())
	}
	_, err = create(t.Context(), newClient(rt, nil))
	require.NoError(t, err)
	require.Equal(t, 2, dials)
}

// TestContextAtEachPhase ends the caller's context, and the attempt's own
// clock, while connecting, writing, waiting and reading.
func TestContextAtEachPhase(t *testing.T) {
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	// net/http goes on dialling for the calls to come, whatever becomes of ours.
	stuck := func(context.Context, string, string) (net.Conn, error) {
		<-over
		return nil, errBroken
	}
	big := strings.Repeat("x", wire.BodyLimit-(1<<10)) // more than the buffers of a socket
	for _, row := range []struct {
		phase string
		fault faultproxy.Fault
		sent  bool
		arg   string
		dial  func(context.Context, string, string) (net.Conn, error)
	}{
		{phase: "dial", dial: stuck},
		{phase: "write", fault: faultproxy.Fault{Deaf: true}, arg: big},
		{phase: "headers", fault: faultproxy.Fault{Mute: true}, sent: true},
		{phase: "trickling headers", fault: faultproxy.Fault{Trickle: 100 * time.Millisecond}, sent: true},
		{phase: "body", fault: faultproxy.Fault{Trickle: 100 * time.Millisecond, TrickleAfter: 160}, sent: true},
	} {
		for _, clock := range []string{"cancel", "deadline", "request timeout"} {
			t.Run(row.phase+"/"+clock, func(t *testing.T) {
				t.Parallel()
				b := newBackend(t, nil, func(cfg *transport.Config) {
					if row.dial != nil {
						rt := transport.NewRoundTripper()
						rt.DialContext = row.dial
						cfg.Transport = rt
					}
					cfg.Attempts = 1
					if clock == "request timeout" {
						cfg.Timeout = 50 * time.Millisecond
					}
				})
				b.proxy.Next(row.fault)
				ctx, cancel := context.WithCancel(t.Context())
				want := context.DeadlineExceeded
				switch clock {
				case "cancel":
					time.AfterFunc(50*time.Millisecond, cancel)
					want = context.Canceled
				case "deadline":
					ctx, cancel = context.WithTimeout(ctx, 50*time.Millisecond)
				}
				defer cancel()
				start := time.Now()
				_, _, err := transport.Call(ctx, b.client, "s-1", wire.Shell, wire.ShellArgs{Command: row.arg}, 0)
				require.ErrorIs(t, err, want)
				require.Less(t, time.Since(start), 5*time.Second)
				require.Equal(t, row.sent, errors.Is(err, apierr.UnknownOutcome.Err()))
				require.Equal(t, clock == "request timeout", strings.Contains(asError(t, err).Message, "request timeout"))
			})
		}
	}
}

// TestTricklingFailure: the body of a failure that is not wanted is not waited
// for.
func TestTricklingFailure(t *testing.T) {
	n := 0
	b := newBackend(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 3 {
			_, _ = w.Write([]byte(okBody))
			return
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		for r.Context().Err() == nil {
			if _, err := w.Write([]byte("x")); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}, nil)
	start := time.Now()
	_, err := get(t.Context(), b.client)
	require.NoError(t, err)
	require.Less(t, time.Since(start), 2*time.Second)
}

// TestEarlyRefusal: what a server says before it has read all is heard.
func TestEarlyRefusal(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}))
	defer srv.Close()
	rt := transport.NewRoundTripper()
	defer rt.CloseIdleConnections()
	c := newClient(rt, func(cfg *transport.Config) { cfg.BaseURL = srv.URL })
	_, _, err := transport.Call(t.Context(), c, "s-1", wire.Shell, wire.ShellArgs{Command: strings.Repeat("x", 200<<10)}, 0)
	require.ErrorIs(t, err, apierr.InvalidArgument.Err())
	require.Equal(t, http.StatusRequestEntityTooLarge, asError(t, err).HTTPStatus)
}

// TestUntrustedServer: a server that cannot prove its name gets no request and
// is not asked again.
func TestUntrustedServer(t *testing.T) {
	roots := x509.NewCertPool()
	for name, c := range map[string]struct {
		cert  tls.Certificate
		roots *x509.CertPool
		want  error
	}{
		"proven":            {certificate(t, roots, "127.0.0.1", time.Now().Add(time.Hour)), roots, nil},
		"for another host":  {certificate(t, roots, "127.0.0.2", time.Now().Add(time.Hour)), roots, apierr.FailedPrecondition.Err()},
		"expired":           {certificate(t, roots, "127.0.0.1", time.Now().Add(-time.Hour)), roots, apierr.FailedPrecondition.Err()},
		"unknown authority": {certificate(t, x509.NewCertPool(), "127.0.0.1", time.Now().Add(time.Hour)), nil, apierr.FailedPrecondition.Err()},
	} {
		t.Run(name, func(t *testing.T) {
			var served atomic.Int64
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				served.Add(1)
				_, _ = w.Write([]byte(okBody))
			}))
			srv.Config.ErrorLog = discardLog
			srv.TLS = &tls.Config{Certificates: []tls.Certificate{c.cert}, MinVersion: tls.VersionTLS12}
			srv.StartTLS()
			defer srv.Close()
			proxy, err := faultproxy.Listen(srv.Listener.Addr().String())
			require.NoError(t, err)
			defer func() { require.NoError(t, proxy.Close()) }()
			rt := transport.NewRoundTripper()
			defer rt.CloseIdleConnections()
			rt.TLSClientConfig = &tls.Config{RootCAs: c.roots, MinVersion: tls.VersionTLS12}
			client := newClient(rt, func(cfg *transport.Config) { cfg.BaseURL = "https://" + proxy.Addr() })
			_, err = get(t.Context(), client)
			require.ErrorIs(t, err, c.want)
			require.Equal(t, 1, proxy.Accepted())
			require.EqualValues(t, map[bool]int{true: 1}[c.want == nil], served.Load())
		})
	}
}

// certificate makes a certificate for one host that ends at end, and has roots
// trust it.
func certificate(t *testing.T, roots *x509.CertPool, host string, end time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: end.Add(-24 * time.Hour), NotAfter: end,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestConnectionsAreKept(t *testing.T) {
	b := newBackend(t, nil, nil)
	for i := range 100 {
		if i%2 == 0 {
			_, err := get(t.Context(), b.client)
			require.NoError(t, err)
			continue
		}
		_, err := create(t.Context(), b.client)
		require.NoError(t, err)
	}
	require.Equal(t, 1, b.proxy.Accepted())
}

func TestConnectionsAreBounded(t *testing.T) {
	b := newBackend(t, nil, nil)
	var wg sync.WaitGroup
	for range 500 {
		wg.Go(func() { _, _ = get(t.Context(), b.client) })
	}
	wg.Wait()
	require.EqualValues(t, 500, b.served.Load())
	require.LessOrEqual(t, b.proxy.Accepted(), transport.ConnLimit)
}

func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || len(r.Header[wire.HeaderIdempotencyKey]) != 1 {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = w.Write([]byte(okBody))
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	rt := transport.NewRoundTripper()
	defer rt.CloseIdleConnections()
	rt.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	c := newClient(rt, func(cfg *transport.Config) { cfg.BaseURL = srv.URL })
	_, err := create(t.Context(), c)
	require.NoError(t, err)
}
