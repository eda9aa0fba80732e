package httpapi

import (
	"context"
	"slices"
	"time"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/wire"
)

func (a *API) capabilities(context.Context, caller, wire.Empty) (*wire.CapabilitiesResponse, error) {
	return &wire.CapabilitiesResponse{Version: wire.Version, Operations: slices.Sorted(slices.Values(a.beyond))}, nil
}

func (a *API) extendSession(_ context.Context, by caller, req wire.ExtendSessionRequest) (*wire.ExtendSessionResponse, error) {
	// As with labels, an unknown session is told before a wrong lifetime is.
	if _, err := a.cfg.Engine.Find(by.tenant, req.SessionID); err != nil {
		return nil, err
	}
	life, err := lifetime(req.LifetimeMS)
	if err != nil {
		return nil, err
	}
	s, err := a.cfg.Engine.Extend(by.tenant, req.SessionID, life)
	if err != nil {
		return nil, err
	}
	return &wire.ExtendSessionResponse{Ends: ends(s)}, nil
}

func (a *API) pauseSession(ctx context.Context, by caller, req wire.SessionRequest) (*wire.Empty, error) {
	return nil, a.cfg.Engine.Pause(ctx, by.tenant, req.SessionID)
}

func (a *API) resumeSession(ctx context.Context, by caller, req wire.SessionRequest) (*wire.Empty, error) {
	return nil, a.cfg.Engine.Resume(ctx, by.tenant, req.SessionID)
}

func (a *API) sessionUsage(ctx context.Context, by caller, req wire.SessionQuery) (*wire.Usage, error) {
	u, err := a.cfg.Engine.Usage(ctx, by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	return sessionUsage(u), nil
}

// sessionUsage returns what a session's usage is told as.
func sessionUsage(u driver.Usage) *wire.Usage {
	return &wire.Usage{
		CPUMicros: int64(u.CPU / time.Microsecond), MemoryBytes: u.MemoryBytes, PeakMemoryBytes: u.PeakBytes,
		Processes: u.Processes, OOMKills: u.OOMKills,
	}
}
