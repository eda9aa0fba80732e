package transport

import (
	"context"
	"net/http"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// abilities are what a server can do beyond AGB's protocol.
type abilities struct {
	names     map[string]bool
	requestID string // of the call that told
}

// Can returns nil when the server can do what [wire.CapabilitiesResponse] calls
// name, and an error of code [apierr.Unsupported] that names it when not. The
// server is asked once: its answer is kept, also that it has no such operation
// as AGB's own service has none. When it cannot be asked now the error says
// why, and the next Can asks again. Callers that come meanwhile wait.
func (c *Client) Can(ctx context.Context, name string) error {
	able := c.able.Load()
	if able == nil {
		var err error
		if able, err = c.askAbilities(ctx); err != nil {
			return err
		}
	}
	if able.names[name] {
		return nil
	}
	e := apierr.Errorf(apierr.Unsupported, "this service does not have %s", name).
		WithHint("it is the embedded engine's, and of \"agb serve\"")
	e.Op, e.RequestID = name, able.requestID
	return e
}

// askAbilities asks the server unless somebody else has just done so.
func (c *Client) askAbilities(ctx context.Context) (*abilities, error) {
	select {
	case c.asking <- struct{}{}:
		defer func() { <-c.asking }()
	case <-ctx.Done():
		return nil, &apierr.Error{Code: apierr.CodeOf(ctx.Err()), Op: wire.Capabilities.Name, Message: ctx.Err().Error(), Cause: ctx.Err()}
	}
	if able := c.able.Load(); able != nil {
		return able, nil
	}
	resp, meta, err := Do(ctx, c, wire.Capabilities, wire.Empty{})
	if err != nil && !incapable(apierr.From(err)) {
		return nil, err
	}
	able := &abilities{names: map[string]bool{}, requestID: meta.RequestID}
	for _, name := range resp.Operations[:min(len(resp.Operations), wire.MaxCapabilities)] {
		if len(name) <= wire.MaxCapabilityName {
			able.names[name] = true
		}
	}
	c.able.Store(able)
	return able, nil
}

// incapable reports whether e, the answer to the question what the server can
// do, is that of one that does not know the question. Servers that cannot
// answer now, or want another key, may know it.
func incapable(e *apierr.Error) bool {
	if e.HTTPStatus == 0 || e.HTTPStatus > http.StatusNotImplemented {
		return false
	}
	switch e.Code {
	case apierr.Unsupported, apierr.NotFound, apierr.SessionNotFound, apierr.InvalidArgument, apierr.PermissionDenied,
		apierr.AlreadyExists, apierr.FailedPrecondition, apierr.MalformedResponse:
		return true
	case apierr.Unknown:
		return e.HTTPStatus == http.StatusOK || !transient(e.HTTPStatus)
	default:
		return false
	}
}

// transient reports whether an answer of that status says nothing of whether
// the call has been, or will be, performed.
func transient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return true
	}
	return status < 400 || status >= 500
}
