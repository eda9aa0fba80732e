package session

import (
	"context"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// ExtendResult is the outcome of [Session.Extend].
type ExtendResult struct {
	// ExpiresAt is the end of the session's life, and IdleExpiresAt when it is
	// released if nothing happens until then. Zero when there is no such end.
	ExpiresAt, IdleExpiresAt time.Time
	RequestID                string
}

// Extend moves the end of the session's life to lifetime from now, sooner or
// later than it was to be. It does not change after how much idleness the
// session is released. A lifetime that is not positive, or longer than the
// service allows, is an error with code [apierr.InvalidArgument]; fractions of
// a millisecond are rounded up. AGB's hosted service does not have it: the
// error has code [apierr.Unsupported].
func (s *Session) Extend(ctx context.Context, lifetime time.Duration) (*ExtendResult, error) {
	if lifetime <= 0 {
		return nil, s.fail(apierr.Errorf(apierr.InvalidArgument, "lifetime %v is not positive", lifetime), "Extend")
	}
	resp, meta, err := transport.Do(ctx, s.t, wire.ExtendSession, wire.ExtendSessionRequest{
		SessionID: s.ID, LifetimeMS: wire.Milliseconds(lifetime),
	})
	if err != nil {
		return nil, s.fail(err, "Extend")
	}
	return &ExtendResult{ExpiresAt: moment(resp.ExpiresAt), IdleExpiresAt: moment(resp.IdleExpiresAt), RequestID: meta.RequestID}, nil
}

// PauseResult is the outcome of [Session.Pause].
type PauseResult struct{ RequestID string }

// Pause stops every process of the session where it is and returns when none
// runs any more. Memory stays in use. Until [Session.Resume] the idle time of
// the session stands still, its life goes on, and commands, code and files are
// errors with code [apierr.FailedPrecondition]. So is pausing while such a call
// is at work; programs in the background do not hinder. Pausing a session that
// is paused is no error. AGB's hosted service does not have it, and some
// machines cannot: the error has code [apierr.Unsupported].
func (s *Session) Pause(ctx context.Context) (*PauseResult, error) {
	_, meta, err := transport.Do(ctx, s.t, wire.PauseSession, wire.SessionRequest{SessionID: s.ID})
	if err != nil {
		return nil, s.fail(err, "Pause")
	}
	return &PauseResult{RequestID: meta.RequestID}, nil
}

// ResumeResult is the outcome of [Session.Resume].
type ResumeResult struct{ RequestID string }

// Resume lets a paused session go on. Resuming one that is not paused is no
// error. Otherwise it is as [Session.Pause].
func (s *Session) Resume(ctx context.Context) (*ResumeResult, error) {
	_, meta, err := transport.Do(ctx, s.t, wire.ResumeSession, wire.SessionRequest{SessionID: s.ID})
	if err != nil {
		return nil, s.fail(err, "Resume")
	}
	return &ResumeResult{RequestID: meta.RequestID}, nil
}
