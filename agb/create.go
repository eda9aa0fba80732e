package agb

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/labels"
	"github.com/agb-go/sdk/session"
)

// CreateParams describe a session to create. They are copied.
type CreateParams struct {
	// ImageID is the image, such as "agb-code-space-1". The hosted service
	// demands one; with the embedded engine empty means its default, "host".
	ImageID string
	// Labels are the session's labels. The rules of [labels.Validate] hold.
	Labels map[string]string
	// PolicyID is a policy of the account, or empty. It is for the hosted
	// service; the embedded engine ignores it.
	PolicyID string
	// IdleTimeout is how long the session may be idle before it is released,
	// in whole seconds, rounded up. 0 leaves it to the service.
	IdleTimeout time.Duration

	// What follows the embedded engine and "agb serve" understand. When the
	// service does not, asking for it is an error that matches
	// [ErrUnsupported], and nothing is created.

	// Lifetime is how long the session may live, however busy, rounded up to
	// milliseconds. 0 leaves it to the service, which also says how long it may
	// be at most.
	Lifetime time.Duration
	// Limits bound what the session may use. Zero fields leave that limit to
	// the service, which also says how much it may be at most. A limit that is
	// asked for and that the service's machine cannot keep is an error that
	// matches [ErrIsolationUnavailable]; which of the others it keeps tells
	// [session.Session.Isolation].
	Limits Limits
	// IdempotencyKey makes creating with the same key and the same other
	// params, within 24 hours, return the same session, however often, and also
	// at once, it is asked for by this account. With other params it is an
	// error that matches [ErrInvalidArgument], and once that session has ended
	// one that matches [ErrFailedPrecondition]. A key has at most 255 bytes,
	// printable ASCII without blanks. Empty means one of this call's own.
	IdempotencyKey string
}

// Limits is [session.Limits].
type Limits = session.Limits

// maxKey bounds [CreateParams.IdempotencyKey], in bytes.
const maxKey = 255

// CreateResult is the outcome of [Client.Create].
type CreateResult struct {
	Session   *Session
	RequestID string
}

// Create creates a session. Nil params are the zero params.
//
// When the answer is lost the embedded engine and "agb serve" are asked again:
// for equal idempotency keys they make one session. Other services are never
// asked twice for what may have succeeded: the error then matches
// [ErrUnknownOutcome], as it does when no attempt brings an answer, and there
// may be a session that nobody knows of. Labels of one's own find it, or
// creating again with the same [CreateParams.IdempotencyKey]; otherwise it is
// released when idle.
func (c *Client) Create(ctx context.Context, params *CreateParams) (*CreateResult, error) {
	req, err := c.createRequest(params)
	if err != nil {
		return nil, transport.Name(err, "agb.Create", "")
	}
	key, err := c.checkBeyond(ctx, params)
	if err != nil {
		return nil, transport.Name(err, "agb.Create", "")
	}
	resp, meta, err := transport.DoKeyed(ctx, c.t, wire.CreateSession, req, key)
	if err != nil {
		return nil, transport.Name(creationFault(err), "agb.Create", "")
	}
	fault := &Error{Op: "agb.Create", RequestID: meta.RequestID}
	switch {
	case resp.Success != nil && !*resp.Success:
		fault.Code, fault.Message = apierr.Unknown, c.t.Message(resp.ErrMsg)
		if fault.Message == "" {
			fault.Message = "the service created no session and did not say why"
		}
		return nil, fault
	case !validID(resp.SessionID):
		fault.Code, fault.Message = apierr.MalformedResponse, "the service created a session without a valid id"
		return nil, fault
	}
	image := req.ImageID
	if resp.ImageID != "" {
		image = resp.ImageID
	}
	return &CreateResult{
		Session:   session.New(c.t.For(resp.SessionID, resp.SessionHandle), resp.SessionID, image, resp.ResourceURL),
		RequestID: meta.RequestID,
	}, nil
}

// createRequest checks params and turns them into what travels.
func (c *Client) createRequest(params *CreateParams) (req wire.CreateSessionRequest, err error) {
	var p CreateParams
	if params != nil {
		p = *params
	}
	if strings.TrimSpace(p.ImageID) == "" {
		if !c.t.Embedded() || p.ImageID != "" {
			return req, apierr.Errorf(apierr.InvalidArgument, "there is no image id").WithHint("set CreateParams.ImageID: to \"host\" for agb serve, to one such as \"agb-code-space-1\" for the hosted service")
		}
	}
	if p.IdleTimeout < 0 {
		return req, apierr.Errorf(apierr.InvalidArgument, "idle timeout %v is negative", p.IdleTimeout)
	}
	req = wire.CreateSessionRequest{
		ImageID: p.ImageID, Policy: p.PolicyID, Timeout: int(p.IdleTimeout / time.Second),
		Stats: wire.TextOf(wire.Stats{Source: "sdk", Language: "golang", Version: Version}),
	}
	if p.IdleTimeout%time.Second > 0 {
		req.Timeout++
	}
	if len(p.Labels) > 0 {
		if err := labels.Validate(p.Labels); err != nil {
			return req, err
		}
		req.Labels = wire.TextOf(maps.Clone(p.Labels))
	}
	if p.Lifetime < 0 {
		return req, apierr.Errorf(apierr.InvalidArgument, "lifetime %v is negative", p.Lifetime)
	}
	if p.Lifetime > 0 {
		ms := wire.Milliseconds(p.Lifetime)
		req.LifetimeMS = &ms
	}
	req.Limits, err = limits(p.Limits)
	return req, err
}

// limits returns l as it travels, nil when all of it is left to the service.
func limits(l Limits) (*wire.Limits, error) {
	if l == (Limits{}) {
		return nil, nil
	}
	w := wire.Limits{
		Processes: int64(l.Processes), OpenFiles: int64(l.OpenFiles), FileBytes: l.FileBytes, DataBytes: l.DataBytes,
		DiskBytes: l.DiskBytes, DiskInodes: l.DiskInodes, MemoryBytes: l.MemoryBytes, MilliCPU: int64(l.MilliCPU),
	}
	var err error
	w.Each(func(name string, value *int64) {
		if *value < 0 && err == nil {
			err = apierr.Errorf(apierr.InvalidArgument, "limit %s: %d is negative", name, *value)
		}
	})
	return &w, err
}

// checkBeyond checks the idempotency key, which it returns, and that the
// service understands what params ask for beyond AGB's protocol.
func (c *Client) checkBeyond(ctx context.Context, params *CreateParams) (key string, err error) {
	if params == nil {
		return "", nil
	}
	key = params.IdempotencyKey
	if len(key) > maxKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", apierr.Errorf(apierr.InvalidArgument, "the idempotency key is longer than %d bytes, or not printable ASCII without blanks", maxKey)
	}
	for _, want := range []struct {
		asked bool
		name  string
	}{
		{params.Lifetime != 0, wire.CreateLifetime}, {params.Limits != Limits{}, wire.CreateLimits}, {key != "", wire.CreateKey},
	} {
		if want.asked {
			if err := c.t.Can(ctx, want.name); err != nil {
				return "", err
			}
		}
	}
	return key, nil
}

// creationFault corrects what an answer to a creation is taken for: there is
// no session yet, so what was not found is something that was asked for.
func creationFault(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Code == apierr.SessionNotFound {
		e.Code = apierr.InvalidArgument
	}
	return err
}

// idLimit is how long a session's id can be.
const idLimit = 128

// validID reports whether id can be a session's: a server's word is not taken
// for what goes into requests.
func validID(id string) bool {
	for _, r := range id {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		default:
			return false
		}
	}
	return id != "" && len(id) <= idLimit
}

// checkID refuses what cannot be a session's id.
func checkID(id string) error {
	if validID(id) {
		return nil
	}
	return apierr.Errorf(apierr.InvalidArgument, "%.64q is not a session id", id)
}
