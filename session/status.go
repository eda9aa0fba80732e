package session

import (
	"context"
	"errors"
	"net/http"
	"strings"

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

// The service's own words for a session's status. There may be others.
const (
	StatusRunning = wire.StatusRunning
	StatusPaused  = wire.StatusPaused // see [Session.Pause]
	StatusFinish  = wire.StatusFinish // it has ended
)

// StatusResult is the outcome of [Session.Status].
type StatusResult struct {
	State State
	// Status is the service's own word, such as [StatusRunning]; empty for a
	// session that it does not know any more.
	Status    string
	RequestID string
}

// Status tells whether the session is there. That it is gone is not an error.
// With an error the result is there too: its state is [Unknown]. An answer
// without a status is an error with code [apierr.MalformedResponse]. Asking
// does not count as activity.
func (s *Session) Status(ctx context.Context) (*StatusResult, error) {
	resp, meta, err := transport.Do(ctx, s.t, wire.SessionStatus, wire.SessionRequest{SessionID: s.ID})
	res := &StatusResult{Status: resp.Status, RequestID: meta.RequestID}
	switch {
	case s.missing(err):
		res.State = Gone
	case err != nil:
		return res, s.fail(err, "Status")
	case resp.Status == "":
		return res, s.fail(&apierr.Error{
			Code: apierr.MalformedResponse, RequestID: meta.RequestID, HTTPStatus: http.StatusOK, Message: "the service told no status",
		}, "Status")
	case resp.Status == wire.StatusFinish || resp.Status == wire.StatusDeleted:
		res.State = Gone
	default:
		res.State = Present
	}
	return res, nil
}

// missing reports whether err means that the session is not there, and not that
// something else was not found, such as the operation.
func (s *Session) missing(err error) bool {
	var e *apierr.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code == apierr.SessionNotFound ||
		e.Code == apierr.NotFound && (wire.NamesSession(e.Message) || strings.Contains(e.Message, s.ID))
}
