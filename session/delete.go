package session

import (
	"context"
	"errors"
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

var errDeleteTimeout = errors.New("the session is still there after " + DeleteTimeout.String())

// Delete ends the session with everything in it and returns when it is gone.
// Deleting a session that is gone is no error. Delete waits for at most
// [DeleteTimeout] and until ctx ends; the deletion goes on all the same, and
// may be asked for again.
func (s *Session) Delete(ctx context.Context) (*DeleteResult, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, DeleteTimeout, errDeleteTimeout)
	defer cancel()
	_, meta, err := transport.Do(ctx, s.t, wire.DeleteSession, wire.SessionRequest{SessionID: s.ID})
	if err != nil && !missing(err) {
		return nil, s.fail(err, "Delete")
	}
	if err == nil {
		if err := s.awaitGone(ctx); err != nil {
			return nil, s.fail(err, "Delete")
		}
	}
	return &DeleteResult{RequestID: meta.RequestID}, nil
}

// awaitGone looks until the session is gone. A service that cannot answer now
// is asked again.
func (s *Session) awaitGone(ctx context.Context) error {
	for wait := pollFirst; ; wait = min(2*wait, pollLast) {
		status, err := s.Status(ctx)
		if status.State == Gone {
			return nil
		}
		if err != nil && (ctx.Err() != nil || !errors.Is(err, apierr.Unavailable.Err())) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			cause := context.Cause(ctx)
			return &apierr.Error{Code: apierr.CodeOf(ctx.Err()), Message: cause.Error(), RequestID: status.RequestID, Cause: cause}
		}
	}
}
