package agb_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/engine"
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
