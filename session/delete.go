package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// DeleteTimeout is how long [Session.Delete] waits for a session to be gone.
const DeleteTimeout = 5 * time.Minute

// Bounds of the wait between two looks at a session that is being deleted.
const (
	pollFirst = 10 * time.Millisecond
	pollLast  = time.Second
)

// DeleteResult is the outcome of [Session.Delete].
type DeleteResult struct{ RequestID string }

var errDeleteTimeout = errors.New("the session may still be there after " + DeleteTimeout.String())

// Delete ends the session with everything in it and returns when it is gone.
// Deleting a session that is gone is no error. Delete waits for at most
// [DeleteTimeout] and until ctx ends; the deletion goes on all the same, and
// may be asked for again.
func (s *Session) Delete(ctx context.Context) (*DeleteResult, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, DeleteTimeout, errDeleteTimeout)
	defer cancel()
	_, meta, err := transport.Do(ctx, s.t, wire.DeleteSession, wire.SessionRequest{SessionID: s.ID})
	if err != nil && !s.missing(err) {
		return nil, s.fail(err, "Delete")
	}
	if err == nil {
		if err := s.awaitGone(ctx); err != nil {
			return nil, s.fail(err, "Delete")
		}
	}
	return &DeleteResult{RequestID: meta.RequestID}, nil
}

// final are the faults that make it pointless to look again for whether a
// session is gone. After any other the deletion goes on, and the next look may
// succeed.
var final = []apierr.Code{apierr.Unauthenticated, apierr.PermissionDenied, apierr.InvalidArgument, apierr.Unsupported}

// awaitGone looks until the session is gone, ctx ends or the fault is final.
func (s *Session) awaitGone(ctx context.Context) error {
	for wait := pollFirst; ; wait = min(2*wait, pollLast) {
		status, err := s.Status(ctx)
		if status.State == Gone {
			return nil
		}
		if err != nil && (ctx.Err() != nil || slices.Contains(final, apierr.CodeOf(err))) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			cause := context.Cause(ctx)
			e := &apierr.Error{Code: apierr.CodeOf(ctx.Err()), Message: s.t.Message(cause.Error()), RequestID: status.RequestID, Cause: cause}
			if err != nil {
				e.Message += "; when last asked the service said: " + apierr.From(err).Message
			}
			return e
		}
	}
}
