package httpapi

import (
	"sync"

	"github.com/agb-go/sdk/internal/guest"
)

// Workspace is what tools and links of one session work with. It is safe for
// concurrent use.
type Workspace struct {
	Guest *guest.Client

	tenant    string
	links     *links
	accesses  *accesses
	output    *share
	kills     kills
	transfers *transfers
	processes processes
	contexts  contexts

	mu        sync.Mutex
	last      *guest.Metrics // what the last call of get_metrics saw
	open      []*link        // in the order of their making
	direct    *access        // nil until it is asked for
	closed    bool
	requests  chan struct{} // a slot for each request over links
	flow      flow
	paused    bool
	listeners map[string]*guest.Listener // by id
	transfer  *transfer                  // nil until it is loaded
}

// Close ends the session's links, its direct access, its processes, and its
// contexts of code and transfers, and its part in what is kept of output. The
// guest is the caller's to close. Doing it twice is no harm.
func (ws *Workspace) Close() {
	ws.output.close()
	ws.processes.close()
	ws.contexts.close()
	ws.mu.Lock()
	open, direct, transfer := ws.open, ws.direct, ws.transfer
	ws.open, ws.direct, ws.closed = nil, nil, true
	if ws.flow.cut != nil {
		ws.flow.cut()
	}
	ws.mu.Unlock()
	for _, l := range open {
		ws.links.remove(l)
	}
	if direct != nil {
		ws.accesses.remove(direct)
	}
	if transfer != nil {
		ws.transfers.remove(transfer)
	}
}

// swapMetrics remembers m and returns what was seen before, or nil.
func (ws *Workspace) swapMetrics(m guest.Metrics) *guest.Metrics {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	last := ws.last
	ws.last = &m
	return last
}
