package httpapi

import (
	"context"

	"github.com/agb-go/sdk/apierr"
)

// A flow is what goes over a session's links between two pauses.
type flow struct {
	ctx context.Context
	cut context.CancelFunc
}

// Pause cuts what goes over the session's links and has further requests
// refused until Resume.
func (ws *Workspace) Pause() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.paused = true
	if ws.flow.cut != nil {
		ws.flow.cut()
		ws.flow = flow{}
	}
}

// Resume lets requests over links through again.
func (ws *Workspace) Resume() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.paused = false
}

// flowing returns a context for a request over a link, which ends when the
// session is paused or closed.
func (ws *Workspace) flowing() (context.Context, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.paused {
		return nil, apierr.Errorf(apierr.FailedPrecondition, "the session is paused").WithHint("resume it first")
	}
	if ws.flow.cut == nil {
		ws.flow.ctx, ws.flow.cut = context.WithCancel(context.Background())
		if ws.closed {
			ws.flow.cut()
		}
	}
	return ws.flow.ctx, nil
}
