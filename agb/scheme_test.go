package agb_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/session"
)

// TestSchemeOfEndpoint: an endpoint without a scheme is https. Where the server
// there speaks http the error says how to write the endpoint, and the other way
// round what the server says of it.
func TestSchemeOfEndpoint(t *testing.T) {
	unsetEnvironment(t)
	agbtest.NewClient(t) // skips
	const key = "akm-0123456789abcdef"
	eng, err := engine.New(engine.Config{APIKeys: []string{key}})
	require.NoError(t, err)
	defer func() { require.NoError(t, eng.Close()) }()
	srv := httptest.NewServer(eng.Handler())
	defer srv.Close()
	list := func(endpoint string) error {
		c, err := agb.New(agb.WithAPIKey(key), agb.WithEndpoint(endpoint))
		require.NoError(t, err)
		defer c.CloseIdleConnections()
		_, err = c.List(t.Context(), nil)
		return err
	}
	require.NoError(t, list(srv.URL))
	err = list(strings.TrimPrefix(srv.URL, "http://"))
	require.ErrorIs(t, err, agb.ErrFailedPrecondition)
	var e *agb.Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Hint, "http://")

	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	err = list("http://" + secure.Listener.Addr().String())
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Message, "HTTPS")
}

// TestTransportOfHTTP2: a transport that speaks HTTP/2 carries calls and no
// streams, whose error says so. Waiting for what takes streams ends at once.
func TestTransportOfHTTP2(t *testing.T) {
	unsetEnvironment(t)
	agbtest.NewClient(t) // skips
	const key = "akm-0123456789abcdef"
	eng, err := engine.New(engine.Config{APIKeys: []string{key}})
	require.NoError(t, err)
	defer func() { require.NoError(t, eng.Close()) }()
	srv := httptest.NewUnstartedServer(eng.Handler())
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	through := func(rt http.RoundTripper) *agb.Session {
		c, err := agb.New(agb.WithAPIKey(key), agb.WithEndpoint(srv.URL), agb.WithTransport(rt))
		require.NoError(t, err)
		s, err := c.Create(t.Context(), &agb.CreateParams{ImageID: "host"})
		require.NoError(t, err)
		return s.Session
	}
	two := srv.Client().Transport.(*http.Transport)
	s := through(two)
	_, dialed := s.Dial(t.Context(), "tcp", "localhost:1")
	_, opened := s.FileSystem.OpenStream(t.Context(), "/etc/passwd", nil)
	start := time.Now()
	_, waited := s.WaitFor(t.Context(), session.AnyOf(session.PortOpen(1), session.HTTPAnswers(1, "/")), nil)
	require.Less(t, time.Since(start), session.DefaultWaitTimeout/2)
	for _, err := range []error{dialed, opened, waited} {
		require.ErrorIs(t, err, agb.ErrFailedPrecondition)
		require.NotErrorIs(t, err, agb.ErrUnknownOutcome)
		require.ErrorContains(t, err, "streams take HTTP/1.1")
	}
	var e *agb.Error
	require.ErrorAs(t, dialed, &e)
	require.Contains(t, e.Hint, "agb.WithTransport")

	one := two.Clone()
	one.TLSClientConfig.NextProtos, one.Protocols = nil, new(http.Protocols)
	one.Protocols.SetHTTP1(true)
	defer one.CloseIdleConnections()
	r, err := through(one).FileSystem.OpenStream(t.Context(), "/etc/passwd", nil)
	require.NoError(t, err)
	require.NoError(t, r.Close())
}
