package transport

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Bounds of what a server may say of how a session is reached directly.
const (
	directURLLimit   = 2048 // bytes
	directTokenLimit = 4096 // bytes
	directToolLimit  = 1024 // tools
	directNameLimit  = 128  // bytes of a tool's name, and of a server's
)

// directPause is how long the direct route is left alone after a call that had
// to take the other one.
const directPause = time.Minute

// direct is how one session is reached besides the control plane: at URLs of its
// own, with a token of its own, and without the API key.
type direct struct {
	session string
	token   string
	link    string            // for calls; empty: none
	socket  string            // for streams; empty: none
	servers map[string]string // by tool
	paused  atomic.Int64      // until when, in Unix nanoseconds
}

// For returns a client for the session that h describes. It shares everything
// with c, and calls tools as the session offers it: at the URL in h, where h has
// one, a token, and for the tool a server. A URL is not taken that is not plain,
// or would have the token travel in the clear when the API key does not.
func (c *Client) For(session string, h wire.SessionHandle) *Client {
	d := newDirect(session, h, strings.HasPrefix(c.cfg.BaseURL, "http://"))
	if c.cfg.Embedded || d == nil {
		return &Client{core: c.core}
	}
	return &Client{core: c.core, direct: d}
}

// newDirect returns how a session is reached, nil when it offers nothing that
// can be taken.
func newDirect(session string, h wire.SessionHandle, inClear bool) *direct {
	if h.Token == "" || len(h.Token) > directTokenLimit || strings.ContainsFunc(h.Token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil
	}
	d := &direct{session: session, token: h.Token, servers: map[string]string{}}
	for _, tool := range h.ToolList[:min(len(h.ToolList), directToolLimit)] {
		if _, known := d.servers[tool.Name]; !known && tool.Server != "" && max(len(tool.Name), len(tool.Server)) <= directNameLimit {
			d.servers[tool.Name] = tool.Server
		}
	}
	if u := plainURL(h.LinkURL, "http", inClear); u != nil && u.RawQuery == "" && !u.ForceQuery {
		d.link = strings.TrimRight(h.LinkURL, "/")
	}
	if u := plainURL(h.WSURL, "ws", inClear); u != nil {
		d.socket = h.WSURL
	}
	if d.link == "" && d.socket == "" {
		return nil
	}
	return d
}

// plainURL returns a URL of that scheme, or of its secure form, nil when raw is
// none that may be used.
func plainURL(raw, scheme string, inClear bool) *url.URL {
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > directURLLimit || u.Hostname() == "" || u.User != nil || strings.Contains(raw, "#"):
		return nil
	case u.Scheme == scheme+"s", u.Scheme == scheme && inClear:
		return u
	default:
		return nil
	}
}

// server returns the server to call a tool of a session at, "" when it is not to
// be called directly, or not now.
func (d *direct) server(session, tool string) string {
	if d == nil || d.link == "" || d.session != session || time.Now().UnixNano() < d.paused.Load() {
		return ""
	}
	return d.servers[tool]
}

// harmless are the statuses by which the direct route says that it has done
// nothing: the token is no longer good, or nothing is there.
var harmless = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}

// callDirect calls a tool at its server. taken is false when it certainly had no
// effect and the other route may be taken, which it then is for a while.
func (c *Client) callDirect(ctx context.Context, server, tool, args string, repeatable bool, extra time.Duration) (resp wire.CallToolResponse, meta Meta, taken bool, err error) {
	meta.RequestID = c.ids.next()
	method, target, body, err := wire.DirectCall.NewRequest(wire.DirectCallRequest{
		Args: json.RawMessage(args), Server: server, RequestID: meta.RequestID, Tool: tool, Token: c.direct.token,
	})
	if err != nil {
		return resp, meta, true, unsendable(tool, "", err)
	}
	k := newCall(ctx, c, tool, len(body), &resp, options{extra: extra})
	k.direct, k.ownID, k.requestID, k.repeatable = c.direct, meta.RequestID, meta.RequestID, repeatable
	_, fault := k.perform(method, target, body)
	meta.RequestID = k.requestID
	if fault == nil {
		return resp, meta, true, nil
	}
	resp = wire.CallToolResponse{} // half an answer is none
	if ctx.Err() == nil && (slices.Contains(harmless, fault.HTTPStatus) || fault.HTTPStatus == 0 && !k.sent()) {
		c.direct.paused.Store(time.Now().Add(directPause).UnixNano())
		return resp, meta, false, fault
	}
	return resp, meta, true, fault
}

// openDirect reads the answer to a direct call, of which the status says that it
// succeeded. It returns nil when there is no result in it.
func (k *call) openDirect(resp *http.Response) (*wire.Envelope, *apierr.Error) {
	result, id, err := wire.DirectResult(k.body)
	if err != nil {
		return nil, k.malformed(resp.StatusCode, k.body, err)
	}
	if id != k.ownID && k.client.ids.ours(id) {
		return nil, k.fault(apierr.MalformedResponse, resp.StatusCode, errOthersAnswer.Error())
	}
	env := &wire.Envelope{RequestID: id, Success: true}
	k.identify(resp, env)
	if result == nil {
		return nil, nil
	}
	*k.data.(*wire.CallToolResponse), k.decoded = *result, true
	return env, nil
}

// succeeded reports whether a status is that of a success.
func (k *call) succeeded(status int) bool {
	return status == http.StatusOK || k.direct != nil && status >= 200 && status < 300
}
