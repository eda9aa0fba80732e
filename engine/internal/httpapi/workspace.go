package httpapi

import (
	"sync"

	"github.com/agb-go/sdk/internal/guest"
)

// Workspace is what tools and links of one session work with. It is safe for
// concurrent use.
type Workspace struct {
	Guest *guest.Client

	links *links

	mu         sync.Mutex
	executions int            // runs of code so far
	last       *guest.Metrics // what the last call of get_metrics saw
	open       []*link        // in the order of their making
	closed     bool
	requests   chan struct{} // a slot for each request over links
}

// Close ends the session's links. The guest is the caller's to close.
func (ws *Workspace) Close() {
	ws.mu.Lock()
	open := ws.open
	ws.open, ws.closed = nil, true
	ws.mu.Unlock()
	for _, l := range open {
		ws.links.remove(l)
	}
}

// nextExecution counts a run of code, from 1.
func (ws *Workspace) nextExecution() int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.executions++
	return ws.executions
}

// swapMetrics remembers m and returns what was seen before, or nil.
func (ws *Workspace) swapMetrics(m guest.Metrics) *guest.Metrics {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	last := ws.last
	ws.last = &m
	return last
}
