package session

import (
	"cmp"
	"context"
	"math"
	"net/url"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// InfoResult is the outcome of [Session.Info].
type InfoResult struct {
	SessionID string
	// ResourceURL is where a browser can watch the session. With the embedded
	// engine there is nothing to watch at it.
	ResourceURL string
	// Desktop is how to reach the screen of a session that has one, else nil.
	Desktop *Desktop

	// ImageID is the image that the session was made from, and Runtime what
	// kind of sandbox it is. AGB's hosted service tells neither; then they are
	// empty, and what follows is zero.
	ImageID, Runtime string
	// Status is the service's own word, such as [StatusRunning].
	Status string
	// CreatedAt is when the session was made.
	CreatedAt time.Time
	// IdleTimeout is how long the session may be idle before it is released; 0
	// when it may be idle for ever.
	IdleTimeout time.Duration
	// ExpiresAt is the end of the session's life, and IdleExpiresAt when it is
	// released if nothing happens until then. Zero when there is no such end.
	ExpiresAt, IdleExpiresAt time.Time
	// Limits are what the session may use, as far as Isolation says that the
	// limit is active.
	Limits Limits
	// Isolation is what isolates the session, as verified when it was made.
	Isolation Layers

	RequestID string
}

// Desktop is the streaming access to a screen. AuthCode and Ticket are secrets.
type Desktop struct {
	AppID                string
	AuthCode             string
	ConnectionProperties string
	ResourceID           string
	ResourceType         string
	Ticket               string
}

// Info describes the session. Asking does not count as activity.
func (s *Session) Info(ctx context.Context) (*InfoResult, error) {
	resp, meta, err := s.describe(ctx)
	if err != nil {
		return nil, s.fail(err, "Info")
	}
	res := &InfoResult{
		SessionID: s.ID, ResourceURL: resp.ResourceURL, ImageID: resp.ImageID, Runtime: resp.Runtime,
		Status: resp.Status, CreatedAt: moment(resp.CreatedAt),
		IdleTimeout: seconds(resp.IdleTimeout), ExpiresAt: moment(resp.ExpiresAt), IdleExpiresAt: moment(resp.IdleExpiresAt),
		Limits: limitsOf(resp.Limits), Isolation: layersOf(resp.Isolation), RequestID: meta.RequestID,
	}
	if d := resp.Desktop; d != nil {
		desktop := Desktop(*d)
		res.Desktop = &desktop
	}
	return res, nil
}

// describe asks what the service tells of the session.
func (s *Session) describe(ctx context.Context) (wire.SessionInfoResponse, transport.Meta, error) {
	resp, meta, err := transport.Do(ctx, s.t, wire.SessionInfo, wire.SessionRequest{SessionID: s.ID})
	if err == nil && resp.IsError {
		err = &apierr.Error{
			Code: wire.FaultCode("", 0, resp.ErrMsg), RequestID: meta.RequestID,
			Message: cmp.Or(s.t.Message(resp.ErrMsg), "the service does not describe the session and did not say why"),
		}
	}
	return resp, meta, err
}

// seconds converts a length of time that a server sent.
func seconds(n int) time.Duration {
	return time.Duration(min(max(int64(n), 0), math.MaxInt64/int64(time.Second))) * time.Second
}

// moment returns *t in UTC, the zero time when there is none.
func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// KeepAliveResult is the outcome of [Session.KeepAlive].
type KeepAliveResult struct{ RequestID string }

// KeepAlive counts as activity, so that the session is not released as idle.
func (s *Session) KeepAlive(ctx context.Context) (*KeepAliveResult, error) {
	_, meta, err := transport.Do(ctx, s.t, wire.KeepAlive, wire.SessionQuery{SessionID: s.ID})
	if err != nil {
		return nil, s.fail(err, "KeepAlive")
	}
	return &KeepAliveResult{RequestID: meta.RequestID}, nil
}

// LinkOptions are the options of [Session.Link]. Nil is ready to use.
type LinkOptions struct {
	// Protocol is the scheme of the URL, such as "https". Empty leaves it to
	// the service.
	Protocol string
	// Port is the port in the session that the URL leads to; 0 leaves it to
	// the service. AGB's hosted service takes 30100 to 30199.
	Port int
}

// LinkResult is the outcome of [Session.Link].
type LinkResult struct {
	// URL may have a secret in it.
	URL       string
	RequestID string
}

// Link returns a URL that leads into the session. The client never sends
// anything there by itself. What goes over it is no call: a session that is used
// by its links alone ends as idle, see [Session.KeepAlive].
func (s *Session) Link(ctx context.Context, opts *LinkOptions) (*LinkResult, error) {
	req := wire.GetLinkRequest{SessionID: s.ID}
	if opts != nil {
		if opts.Port < 0 || opts.Port > 65535 {
			return nil, s.fail(apierr.Errorf(apierr.InvalidArgument, "%d is not a port", opts.Port), "Link")
		}
		req.Protocol = opts.Protocol
		if port := opts.Port; port != 0 {
			req.Port = &port
		}
	}
	resp, meta, err := transport.Do(ctx, s.t, wire.GetLink, req)
	if err != nil {
		return nil, s.fail(err, "Link")
	}
	if u, err := url.Parse(resp.URL); err != nil || u.Scheme == "" || u.Host == "" {
		return nil, &apierr.Error{
			Code: apierr.MalformedResponse, Op: "session.Link", SessionID: s.ID, RequestID: meta.RequestID,
			Message: "the link is not a URL",
		}
	}
	return &LinkResult{URL: resp.URL, RequestID: meta.RequestID}, nil
}
