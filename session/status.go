package session

import (
	"context"
	"errors"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// State says whether a session is there. The zero value is [Unknown].
type State int

// States of a session. Unknown and gone are two things: a service that does
// not answer says nothing about the session.
const (
	Unknown State = iota
	Present
	Gone
)

// String returns "unknown", "present" or "gone".
func (s State) String() string {
	switch s {
	case Present:
		return "present"
	case Gone:
		return "gone"
	default:
		return "unknown"
	}
}

// StatusResult is the outcome of [Session.Status].
type StatusResult struct {
	State State
	// Status is the service's own word, such as "RUNNING"; empty for a session
	// that it does not know any more.
	Status    string
	RequestID string
}

// Status tells whether the session is there. That it is gone is not an error.
// With an error the result is there too: its state is [Unknown]. Asking does
// not count as activity.
func (s *Session) Status(ctx context.Context) (*StatusResult, error) {
	resp, meta, err := transport.Do(ctx, s.t, wire.SessionStatus, wire.SessionRequest{SessionID: s.ID})
	res := &StatusResult{Status: resp.Status, RequestID: meta.RequestID}
	switch {
	case missing(err):
		res.State = Gone
	case err != nil:
		return res, s.fail(err, "Status")
	case resp.Status == wire.StatusFinish || resp.Status == wire.StatusDeleted:
		res.State = Gone
	default:
		res.State = Present
	}
	return res, nil
}

// missing reports whether err means that the session is not there.
func missing(err error) bool { return errors.Is(err, apierr.NotFound.Err()) }
