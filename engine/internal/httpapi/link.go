package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Bounds of links.
const (
	maxLinks           = 64 // of one session
	maxLinkRequests    = 64 // under way at once in one session
	maxLinkHeaderBytes = 64 << 10
)

// defaultLinkPort is what a link without a port leads to: the first of the
// ports that AGB forwards.
const defaultLinkPort = 30100

// linkPrefix is where links are served.
const linkPrefix = "/link/"

// links are the links of all sessions, by token. The token is all that a
// request needs. The zero links is ready to use.
type links struct {
	mu      sync.RWMutex
	byToken map[string]*link
}

// link is a way to one port of one sandbox.
type link struct {
	token string
	port  int
	proxy http.Handler
	close func()
}

func (ls *links) add(l *link) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.byToken == nil {
		ls.byToken = map[string]*link{}
	}
	ls.byToken[l.token] = l
}

func (ls *links) remove(l *link) {
	ls.mu.Lock()
	delete(ls.byToken, l.token)
	ls.mu.Unlock()
	l.close()
}

func (ls *links) find(token string) *link {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	return ls.byToken[token]
}

// serve answers a request under linkPrefix and reports whether it was one. What
// goes through a link may take its time; whatever does not, or is left over
// when the link has answered, has the timeout.
func (ls *links) serve(w http.ResponseWriter, r *http.Request, timeout time.Duration) bool {
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), linkPrefix)
	if !ok {
		return false
	}
	token, _, slash := strings.Cut(rest, "/")
	l := ls.find(token)
	defer expectBody(w, r, timeout)
	switch {
	case l == nil:
		expectBody(w, r, timeout)
		fail(w, requestID(r), apierr.Errorf(apierr.NotFound, "link not found"))
	case !slash:
		// Relative URLs of the page resolve below the link only from here.
		http.Redirect(w, r, linkPrefix+token+"/", http.StatusPermanentRedirect)
	default:
		l.proxy.ServeHTTP(w, r)
	}
	return true
}

var errWorkspaceClosed = errors.New("httpapi: the session is over")

// link returns the session's link to a port, a new one unless there is one.
func (ws *Workspace) link(port int) (*link, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		return nil, errWorkspaceClosed
	}
	for _, l := range ws.open {
		if l.port == port {
			return l, nil
		}
	}
	if len(ws.open) >= maxLinks {
		return nil, apierr.Errorf(apierr.ResourceExhausted, "the session has %d links, more are not allowed", maxLinks)
	}
	if ws.requests == nil {
		ws.requests = make(chan struct{}, maxLinkRequests)
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	l := newLink(ws, hex.EncodeToString(random[:]), port)
	ws.open = append(ws.open, l)
	ws.links.add(l)
	return l, nil
}

func (a *API) getLink(_ context.Context, by caller, req wire.GetLinkRequest) (*wire.GetLinkResponse, error) {
	ws, err := a.cfg.Engine.Workspace(by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	port := defaultLinkPort
	if req.Port != nil {
		port = *req.Port
	}
	if port < 1 || port > 65535 {
		return nil, apierr.Errorf(apierr.InvalidArgument, "port: %d is not between 1 and 65535", port)
	}
	u, err := url.Parse(by.base)
	if err != nil {
		return nil, apierr.Errorf(apierr.Internal, "base URL: %w", err)
	}
	if u.Scheme, err = linkScheme(u.Scheme, req.Protocol); err != nil {
		return nil, err
	}
	l, err := ws.link(port)
	if errors.Is(err, errWorkspaceClosed) {
		_, err = a.cfg.Engine.Find(by.tenant, req.SessionID)
	}
	if err != nil {
		return nil, err
	}
	return &wire.GetLinkResponse{URL: u.String() + linkPrefix + l.token + "/"}, nil
}

// linkScheme returns the scheme of a link for a protocol. Whether it is secure
// is not the client's to choose: that is how the engine is reached.
func linkScheme(base, protocol string) (string, error) {
	switch strings.ToLower(protocol) {
	case "", "http", "https":
		return base, nil
	case "ws", "wss":
		return strings.Replace(base, "http", "ws", 1), nil
	default:
		return "", apierr.Errorf(apierr.InvalidArgument, "protocolType: %q is not one of http, https, ws, wss", protocol)
	}
}

var plainHost = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)

// base returns the scheme and host by which the client reached the engine.
func (a *API) base(r *http.Request) string {
	if a.cfg.PublicURL != "" {
		return a.cfg.PublicURL
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if !plainHost.MatchString(host) {
		host = "localhost"
		if addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			host = addr.String()
		}
	}
	return scheme + "://" + host
}
