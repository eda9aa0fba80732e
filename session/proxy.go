package session

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
)

// credentials are headers that programs behind a proxy are trusted with and a
// sandbox is not.
var credentials = []string{"Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key", "X-Access-Token"}

// ReverseProxy returns a handler that passes requests on to the HTTP server on a
// port inside the session, upgrades such as WebSocket included. It takes a
// connection for each request. When nobody answers there the answer is 502.
//
// Credentials of those who ask do not reach the session: Authorization, Cookie,
// Proxy-Authorization, X-Api-Key and X-Access-Token are left out, and so is
// Set-Cookie of the answers, which would be kept for the whole host. A program
// that wants them passed makes a proxy of its own with the transport of
// [Session.HTTPClient]. What the server says is the session's, not to be
// believed: serve it from a host of its own.
func (s *Session) ReverseProxy(port int) http.Handler {
	transport := s.roundTripper(port)
	transport.DisableKeepAlives = true // nothing is left when the handler is not used any more
	host := net.JoinHostPort("localhost", strconv.Itoa(port))
	return &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // what has come of an answer is not held back for the rest
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: host})
			r.Out.Host = host
			r.Out.URL.RawQuery = r.In.URL.RawQuery // what the server makes of it is its own affair
			for _, h := range credentials {
				r.Out.Header.Del(h)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Del("Set-Cookie")
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "nothing answers on port "+strconv.Itoa(port)+" of the session", http.StatusBadGateway)
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo), // the answer tells
	}
}
