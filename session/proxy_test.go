package session_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/session"
)

func TestHTTPClient(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		client := s.HTTPClient(8005)
		defer client.CloseIdleConnections()
		for range 3 {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://app.example/path?q", nil)
			require.NoError(t, err)
			resp, err := client.Do(r)
			require.NoError(t, err)
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, "app.example/path?q", string(body))
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://app.example/", nil)
		require.NoError(t, err)
		_, err = s.HTTPClient(9).Do(r) //nolint:bodyclose // there is none
		var outer *url.Error
		require.ErrorAs(t, err, &outer)
		require.Equal(t, apierr.Unavailable, apierr.CodeOf(err))
	})
}

func TestReverseProxy(t *testing.T) {
	each(t, func(t *testing.T, s *session.Session) {
		t.Helper()
		rec := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://front.example/headers?x=1", nil)
		for _, h := range []string{"Authorization", "Cookie", "X-Api-Key", "X-Access-Token", "Proxy-Authorization"} {
			r.Header.Set(h, "secret=1")
		}
		r.Header.Set("X-Kept", "kept")
		s.ReverseProxy(8005).ServeHTTP(rec, r)
		require.Equal(t, http.StatusOK, rec.Code)
		require.Contains(t, rec.Body.String(), "localhost:8005/headers?x=1")
		require.Contains(t, strings.ToLower(rec.Body.String()), "x-kept: kept")
		require.NotContains(t, rec.Body.String(), "secret")
		require.Empty(t, rec.Header().Values("Set-Cookie"))

		rec = httptest.NewRecorder()
		s.ReverseProxy(9).ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		require.Equal(t, http.StatusBadGateway, rec.Code)
	})
}

// A query arrives as it was sent, however it is written.
func TestQueries(t *testing.T) {
	for name, front := range fronts(t) {
		t.Run(name, func(t *testing.T) {
			for _, target := range []string{"?x=1;y=2&z=%20", "?b=1&a=2&&=%zz", "?%2", "?q", "a%2Fb?c=%C3%A4+%3B"} {
				u, err := url.Parse(front + target)
				require.NoError(t, err)
				resp, err := http.DefaultClient.Do((&http.Request{Method: http.MethodGet, URL: u}).WithContext(t.Context()))
				require.NoError(t, err)
				body, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
				_, path, _ := strings.Cut(string(body), "/")
				require.Equal(t, target, path)
			}
		})
	}
}

// fronts returns the URLs of the HTTP server in a session, as programs outside
// have them.
func fronts(t *testing.T) map[string]string {
	t.Helper()
	s := dialable(t)["port"]
	srv := httptest.NewServer(s.ReverseProxy(8005))
	t.Cleanup(srv.Close)
	link, err := s.Link(t.Context(), &session.LinkOptions{Port: 8005})
	require.NoError(t, err)
	return map[string]string{"proxy": srv.URL + "/", "link": link.URL}
}

// What the server has sent of an answer arrives before the rest is there.
func TestHalfAnAnswer(t *testing.T) {
	for name, front := range fronts(t) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, front+"trickle", http.NoBody)
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(r)
			require.NoError(t, err)
			b := make([]byte, 5)
			_, err = io.ReadFull(resp.Body, b)
			require.NoError(t, err)
			require.Equal(t, "first", string(b))
			require.NoError(t, resp.Body.Close())
		})
	}
}

func TestWebSocket(t *testing.T) {
	for name, front := range fronts(t) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			c, resp, err := websocket.Dial(ctx, front+"socket", nil) //nolint:bodyclose // Dial closes it
			require.NoError(t, err)
			require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
			defer func() { _ = c.CloseNow() }() // it is closed, if all is well
			for kind, said := range map[websocket.MessageType]string{websocket.MessageText: "hello", websocket.MessageBinary: "\x00\xff"} {
				require.NoError(t, c.Write(ctx, kind, []byte(said)))
				got, b, err := c.Read(ctx)
				require.NoError(t, err)
				require.Equal(t, kind, got)
				require.Equal(t, said, string(b))
			}
			require.NoError(t, c.Close(websocket.StatusNormalClosure, "over"))
		})
	}
}
