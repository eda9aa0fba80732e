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
}

// CreateResult is the outcome of [Client.Create].
type CreateResult struct {
	Session   *Session
	RequestID string
}

// Create creates a session. Nil params are the zero params.
//
// A creation is never asked for twice if it may have succeeded: when the
// answer is lost the error matches [ErrUnknownOutcome], and there may be a
// session that nobody knows of. Labels of one's own find it; otherwise it is
// released when idle.
func (c *Client) Create(ctx context.Context, params *CreateParams) (*CreateResult, error) {
	req, err := c.createRequest(params)
	if err != nil {
		return nil, transport.Name(err, "agb.Create", "")
	}
	resp, meta, err := transport.Do(ctx, c.t, wire.CreateSession, req)
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
		Session:   session.New(c.t, resp.SessionID, image, resp.ResourceURL),
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
			return req, apierr.Errorf(apierr.InvalidArgument, "there is no image id").WithHint("set CreateParams.ImageID")
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
	return req, nil
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
