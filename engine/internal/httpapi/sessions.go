package httpapi

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/wire"
)

// status returns the protocol's word for a session's state.
func status(state string) string {
	switch state {
	case StatePaused:
		return wire.StatusPaused
	case StateEnded:
		return wire.StatusFinish
	default:
		return wire.StatusRunning
	}
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
	resp := &wire.GetSessionResponse{SessionHandle: describe(s, by), Status: status(s.State)}
	a.offer(&resp.SessionHandle, by)
	return resp, nil
}

func (a *API) sessionStatus(_ context.Context, by caller, req wire.SessionRequest) (*wire.SessionStatusResponse, error) {
	s, err := a.cfg.Engine.Find(by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	return &wire.SessionStatusResponse{Status: status(s.State)}, nil
}

func (a *API) sessionInfo(_ context.Context, by caller, req wire.SessionRequest) (*wire.SessionInfoResponse, error) {
	s, err := a.cfg.Engine.Find(by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	return &wire.SessionInfoResponse{
		SessionID: s.ID, ResourceURL: describe(s, by).ResourceURL, ImageID: s.Image, Runtime: s.Runtime,
		Status: status(s.State), CreatedAt: utc(s.Created), IdleTimeout: int(math.Ceil(s.Idle.Seconds())), Ends: ends(s),
		Limits: limitsInForce(s.Limits), Isolation: layersOf(s.Isolation),
	}, nil
}

// ends returns when s ends.
func ends(s Session) wire.Ends {
	return wire.Ends{ExpiresAt: utc(s.Expires), IdleExpiresAt: utc(s.IdleExpires)}
}

// utc returns t as it travels, nil when it is zero.
func utc(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// layersOf returns what a session's isolation is told as.
func layersOf(layers []driver.Layer) []wire.Layer {
	told := make([]wire.Layer, len(layers))
	for i, l := range layers {
		told[i] = wire.Layer{Name: l.Name, Active: l.OK, Detail: l.Detail}
	}
	return told
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
