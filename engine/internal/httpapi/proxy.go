package httpapi

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
)

// linkAnswerTimeout bounds the wait for the headers of a sandbox's answer.
const linkAnswerTimeout = 5 * time.Minute

// newLink returns a link to a port of ws's sandbox.
func newLink(ws *Workspace, token string, port int) *link {
	number := strconv.Itoa(port)
	addr := net.JoinHostPort("127.0.0.1", number)   // which servers see as their host
	target := net.JoinHostPort("localhost", number) // 127.0.0.1, or else ::1
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			stream, err := ws.Guest.Dial(ctx, "tcp", target)
			if err != nil {
				return nil, err
			}
			return guestConn{stream}, nil
		},
		// A connection a request: nothing of one request can get into the next.
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxLinkHeaderBytes,
		ResponseHeaderTimeout:  linkAnswerTimeout,
	}
	ctx, cancel := context.WithCancel(context.Background())
	prefix, cookies := linkPrefix+token, cookiePrefix(token)
	proxy := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // what has come of an answer is not held back for the rest
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL = inside(r.In.URL, prefix, addr)
			r.Out.Host = addr
			for _, h := range []string{"Authorization", "Proxy-Authorization", "X-Api-Key", "X-Access-Token", "Referer"} {
				r.Out.Header.Del(h)
			}
			admitCookies(r.Out, cookies)
		},
		ModifyResponse: func(r *http.Response) error {
			confine(r, prefix, addr)
			confineCookies(r, prefix, cookies)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			fail(w, requestID(r), apierr.Errorf(apierr.Unavailable, "nothing answers on port %d of the session", port))
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	limited := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case ws.requests <- struct{}{}:
			defer func() { <-ws.requests }()
		default:
			fail(w, requestID(r), apierr.Errorf(apierr.ResourceExhausted, "more than %d requests at once to the session", maxLinkRequests))
			return
		}
		flow, err := ws.flowing()
		if err != nil {
			fail(w, requestID(r), err)
			return
		}
		reqCtx, stop := context.WithCancel(r.Context())
		defer stop()
		defer context.AfterFunc(ctx, stop)()
		defer context.AfterFunc(flow, stop)()
		proxy.ServeHTTP(w, r.WithContext(reqCtx))
	})
	return &link{token: token, port: port, proxy: limited, close: func() { cancel(); transport.CloseIdleConnections() }}
}

// inside returns the URL in the sandbox that a URL of a link stands for.
func inside(u *url.URL, prefix, addr string) *url.URL {
	in := &url.URL{Scheme: "http", Host: addr, RawQuery: u.RawQuery}
	in.Path = strings.TrimPrefix(u.Path, prefix)
	in.RawPath = strings.TrimPrefix(u.EscapedPath(), prefix)
	return in
}

// confine keeps an answer from reaching beyond its link: redirects within the
// sandbox's server are told as the link's.
func confine(r *http.Response, prefix, addr string) {
	if loc := r.Header.Get("Location"); loc != "" {
		if u, err := url.Parse(loc); err == nil && (u.Host == "" || u.Host == addr) && strings.HasPrefix(u.Path, "/") {
			u.Scheme, u.Host, u.User = "", "", nil
			r.Header.Set("Location", prefix+u.String())
		}
	}
	r.Header.Del("Clear-Site-Data")
	r.Header.Del("Service-Worker-Allowed")
}

// guestConn is a stream to a port of a sandbox as a [net.Conn]. It has no
// deadlines: requests end with their context, which closes it.
type guestConn struct{ io.ReadWriteCloser }

func (guestConn) LocalAddr() net.Addr              { return sandboxAddr{} }
func (guestConn) RemoteAddr() net.Addr             { return sandboxAddr{} }
func (guestConn) SetDeadline(time.Time) error      { return errNoDeadlines }
func (guestConn) SetReadDeadline(time.Time) error  { return errNoDeadlines }
func (guestConn) SetWriteDeadline(time.Time) error { return errNoDeadlines }

var errNoDeadlines = fmt.Errorf("httpapi: stream to a sandbox: %w", apierr.Unsupported.Err())

type sandboxAddr struct{}

func (sandboxAddr) Network() string { return "sandbox" }
func (sandboxAddr) String() string  { return "sandbox" }
