package httpapi

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/labels"
)

// maxIdleSeconds bounds the idle release that a client may ask for: 30 days.
const maxIdleSeconds = 30 * 24 * 60 * 60

func (a *API) createSession(ctx context.Context, by caller, req wire.CreateSessionRequest) (*wire.CreateSessionResponse, error) {
	s, err := a.create(ctx, by, req)
	if err != nil {
		return nil, err
	}
	ok := true
	return &wire.CreateSessionResponse{SessionHandle: describe(s, by), Success: &ok}, nil
}

func (a *API) create(ctx context.Context, by caller, req wire.CreateSessionRequest) (Session, error) {
	p := CreateParams{Image: req.ImageID, Idle: time.Duration(req.Timeout) * time.Second}
	if req.Timeout < 0 || req.Timeout > maxIdleSeconds {
		return Session{}, apierr.Errorf(apierr.InvalidArgument, "timeout: %d s is not between 0 and %d s", req.Timeout, maxIdleSeconds)
	}
	if len(req.Contexts) > 0 {
		return Session{}, apierr.Errorf(apierr.Unsupported, "persistenceDataList: unsupported: this engine has no persistent contexts")
	}
	if req.Labels != nil && len(req.Labels.V) > 0 {
		p.Labels = req.Labels.V
		if err := checkLabels(p.Labels); err != nil {
			return Session{}, err
		}
	}
	return a.cfg.Engine.Create(ctx, by.tenant, p)
}

func checkLabels(set map[string]string) error {
	if err := labels.Validate(set); err != nil {
		return err
	}
	return labels.Bounds(set)
}

// describe returns what clients are told of a session. Ids of the resource
// follow from the session's own: there is nothing behind them.
func describe(s Session, by caller) wire.SessionHandle {
	bare := strings.TrimPrefix(s.ID, "s-")
	return wire.SessionHandle{
		SessionID: s.ID, AppInstanceID: "ai-" + bare, ResourceID: "p-" + bare,
		ResourceURL: by.base + "/resource?resourceId=p-" + bare, ImageID: s.Image,
	}
}

func (a *API) getSession(_ context.Context, by caller, req wire.SessionRequest) (*wire.GetSessionResponse, error) {
	s, err := a.cfg.Engine.Find(by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	return &wire.GetSessionResponse{SessionHandle: describe(s, by), Status: wire.StatusRunning}, nil
}

func (a *API) sessionStatus(_ context.Context, by caller, req wire.SessionRequest) (*wire.SessionStatusResponse, error) {
	if _, err := a.cfg.Engine.Find(by.tenant, req.SessionID); err != nil {
		return nil, err
	}
	return &wire.SessionStatusResponse{Status: wire.StatusRunning}, nil
}

func (a *API) sessionInfo(_ context.Context, by caller, req wire.SessionRequest) (*wire.SessionInfoResponse, error) {
	s, err := a.cfg.Engine.Find(by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	return &wire.SessionInfoResponse{
		SessionID: s.ID, ResourceURL: describe(s, by).ResourceURL, ImageID: s.Image, Runtime: s.Runtime,
		IdleTimeout: int(math.Ceil(s.Idle.Seconds())), ExpiresAt: utc(s.Expires), IdleExpiresAt: utc(s.IdleExpires),
	}, nil
}

// utc returns t as it travels, nil when it is zero.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (a *API) deleteSession(ctx context.Context, by caller, req wire.SessionRequest) (*wire.Empty, error) {
	return nil, a.cfg.Engine.Delete(ctx, by.tenant, req.SessionID)
}

func (a *API) keepAlive(_ context.Context, by caller, req wire.SessionQuery) (*wire.Empty, error) {
	return nil, a.cfg.Engine.KeepAlive(by.tenant, req.SessionID)
}

func (a *API) setLabels(_ context.Context, by caller, req wire.SetLabelsRequest) (*wire.Empty, error) {
	// An unknown session is told before wrong labels are: the answer about a
	// foreign session must not depend on anything.
	if _, err := a.cfg.Engine.Find(by.tenant, req.SessionID); err != nil {
		return nil, err
	}
	if err := checkLabels(req.Labels.V); err != nil {
		return nil, err
	}
	return nil, a.cfg.Engine.SetLabels(by.tenant, req.SessionID, req.Labels.V)
}

func (a *API) getLabels(_ context.Context, by caller, req wire.SessionQuery) (*wire.GetLabelsResponse, error) {
	s, err := a.cfg.Engine.Find(by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	set := s.Labels
	if set == nil {
		set = map[string]string{}
	}
	return &wire.GetLabelsResponse{Labels: wire.TextOf(set)}, nil
}
