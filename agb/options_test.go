package agb_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
)

// asked returns the one request that a client with these options makes.
func asked(t *testing.T, opts ...agb.Option) *http.Request {
	t.Helper()
	svc := newService(map[string][]string{pathList: {`{"success":true,"data":[]}`}})
	svc.answers["/v/x"+pathList] = svc.answers[pathList]
	c, err := agb.New(append([]agb.Option{agb.WithTransport(svc)}, opts...)...)
	require.NoError(t, err)
	_, err = c.List(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, svc.asked, 1)
	return svc.asked[0]
}

func unsetEnvironment(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AGB_API_KEY", "AGB_ENDPOINT", "AGB_TIMEOUT_MS"} {
		t.Setenv(name, "")
	}
}

func TestEndpoints(t *testing.T) {
	unsetEnvironment(t)
	for endpoint, want := range map[string]string{
		"sdk-api.agb.cloud":          "https://sdk-api.agb.cloud",
		"localhost:8080":             "https://localhost:8080",
		"http://127.0.0.1:8080":      "http://127.0.0.1:8080",
		"https://agb.example/v/x///": "https://agb.example/v/x",
		"http://[::1]:80":            "http://[::1]:80",
	} {
		r := asked(t, agb.WithAPIKey(testKey), agb.WithEndpoint(endpoint))
		require.Equal(t, want+pathList, r.URL.Scheme+"://"+r.URL.Host+r.URL.Path)
	}
	for _, bad := range []string{
		"", "https://", "http://:80", "https://u:p4ssw0rd@host", "u:p4ssw0rd@host", "https://h?key=p4ssw0rd", "https://h?", "https://h#f", "https://h#",
		"ht tp://x", "h\n", "https://%zz", "ftp://host p4ssw0rd",
	} {
		_, err := agb.New(agb.WithAPIKey(testKey), agb.WithEndpoint(bad))
		require.ErrorIs(t, err, agb.ErrInvalidArgument, bad)
		require.NotContains(t, err.Error(), "p4ssw0rd")
	}
}

func TestEnvironment(t *testing.T) {
	unsetEnvironment(t)
	_, err := agb.New()
	require.ErrorIs(t, err, agb.ErrUnauthenticated)
	var e *agb.Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Hint, "AGB_API_KEY")
	require.Contains(t, e.Hint, "engine.New")

	t.Setenv("AGB_API_KEY", "key-of-environment")
	t.Setenv("AGB_ENDPOINT", "http://env.example")
	r := asked(t)
	require.Equal(t, "Bearer key-of-environment", r.Header.Get("Authorization"))
	require.Equal(t, "env.example", r.URL.Host)
	require.Equal(t, "agb-go/"+agb.Version, r.Header.Get("User-Agent"))

	r = asked(t, agb.WithAPIKey(testKey), agb.WithEndpoint("http://option.example"), agb.WithUserAgent("mine"))
	require.Equal(t, "Bearer "+testKey, r.Header.Get("Authorization"))
	require.Equal(t, "option.example", r.URL.Host)
	require.Equal(t, "mine", r.Header.Get("User-Agent"))

	for _, bad := range []string{"x", "0", "-5", "1.5", "60s", "99999999999999999999", "9223372036854775807"} {
		t.Setenv("AGB_TIMEOUT_MS", bad)
		_, err := agb.New()
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
		require.Contains(t, err.Error(), "AGB_TIMEOUT_MS")
		_, err = agb.New(agb.WithTimeout(time.Second))
		require.NoError(t, err, "the option is there, so the variable does not matter")
	}
}

func TestBadOptions(t *testing.T) {
	for name, o := range map[string]agb.Option{
		"timeout":      agb.WithTimeout(0),
		"transport":    agb.WithTransport(nil),
		"no attempts":  agb.WithRetry(0),
		"too many":     agb.WithRetry(agb.MaxAttempts + 1),
		"user agent":   agb.WithUserAgent("a\nb"),
		"broken key":   agb.WithAPIKey("secret-key\nX-Evil: 1"),
		"key in UTF-8": agb.WithAPIKey("secret-keÿ"),
	} {
		_, err := agb.New(agb.WithAPIKey(testKey), o)
		require.ErrorIs(t, err, agb.ErrInvalidArgument, name)
		require.NotContains(t, err.Error(), "secret-ke")
	}
}

func TestTimeoutOfEnvironment(t *testing.T) {
	unsetEnvironment(t)
	t.Setenv("AGB_TIMEOUT_MS", "1500")
	synctest.Test(t, func(t *testing.T) {
		c, err := agb.New(agb.WithAPIKey(testKey), agb.WithRetry(1), agb.WithTransport(roundTrip(
			func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() })))
		require.NoError(t, err)
		start := time.Now()
		_, err = c.List(t.Context(), nil)
		require.ErrorIs(t, err, agb.ErrTimeout)
		require.Equal(t, 1500*time.Millisecond, time.Since(start))
	})
}

// roundTrip is a function as a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// embedded is a transport as the engine's.
type embedded struct{ *service }

func (embedded) Endpoint() string { return "http://engine.test" }

func TestEmbeddedTransport(t *testing.T) {
	t.Setenv("AGB_API_KEY", testKey)
	t.Setenv("AGB_ENDPOINT", "https://u:p@bad?x")
	svc := embedded{newService(map[string][]string{pathCreate: {created}})}
	c, err := agb.New(agb.WithTransport(svc))
	require.NoError(t, err)
	_, err = c.Create(t.Context(), nil)
	require.NoError(t, err)
	r := svc.asked[0]
	require.Equal(t, "engine.test", r.URL.Host)
	require.Empty(t, r.Header["Authorization"])
	require.Equal(t, []string{""}, r.URL.Query()["imageId"])
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	asked(t, agb.WithAPIKey(testKey), agb.WithLogger(l))
	require.Equal(t, 1, strings.Count(out.String(), "ListSessions"))
	require.NotContains(t, out.String(), testKey)
}

func TestCloseIdleConnections(t *testing.T) {
	c, err := agb.New(agb.WithAPIKey(testKey))
	require.NoError(t, err)
	c.CloseIdleConnections()
	newClient(t, httpmock.NewMockTransport()).CloseIdleConnections()
}
