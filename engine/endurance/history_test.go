//go:build linux && (amd64 || arm64)

package endurance

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// An action is what a client asked for, or what was done to the engine.
type action string

// Actions. The first are of clients.
const (
	create action = "create" // Key, Group; Session when it is known
	get    action = "get"
	list   action = "list" // Group; Found are the sessions
	run    action = "run"  // Value is a text to say and to note; Got is what was said
	audit  action = "audit"
	write  action = "write" // Path, Value
	read   action = "read"  // Path, Got; empty when there is no such file
	extend action = "extend"
	expire action = "expire" // extend by next to nothing
	pause  action = "pause"
	resume action = "resume"
	remove action = "delete"

	harm    action = "harm"    // what Session, or every session when it is empty, may not survive
	restart action = "restart" // after which none lives that was known before
)

// An outcome is what a client knows afterwards.
type outcome int

// Outcomes.
const (
	done    outcome = iota // it happened
	gone                   // there is no such session; of creations, the session of that key has ended
	refused                // it did not happen and will not
	unknown                // it may have happened, and may happen yet
)

func (o outcome) String() string { return [...]string{"done", "gone", "refused", "unknown"}[o] }

// An event is one entry of a history. Times are since its beginning.
type event struct {
	Action     action
	Outcome    outcome
	Start, End time.Duration

	Session    string
	Key, Group string
	Path       string
	Value, Got string
	Why        string   // of an outcome that is neither done nor gone
	Found      []string // of lists sessions; of audits the texts that were noted, in order
}

// A record is what the engine remembers of a session in the end.
type record struct {
	Session, Key, Group string
}

// A history is all that happened. It is safe for concurrent use until it is
// checked.
type history struct {
	began time.Time

	mu      sync.Mutex
	events  []event
	records []record
}

func newHistory() *history { return &history{began: time.Now()} }

// now is the time since the beginning.
func (h *history) now() time.Duration { return time.Since(h.began) }

// add notes an event that ends now.
func (h *history) add(e event) {
	e.End = h.now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
}

// counts tells how many events of each kind there were.
func (h *history) counts() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := map[string]int{}
	for _, e := range h.events {
		n[string(e.Action)+" "+e.Outcome.String()]++
	}
	return n
}

// about tells all that concerned a session, one line an event.
func (h *history) about(session string) string {
	var text strings.Builder
	for _, e := range h.events {
		if e.Session == session || e.Action == harm || e.Action == restart || slices.Contains(e.Found, session) {
			fmt.Fprintf(&text, "%v to %v: %s %s %s%s%s%s %v %s\n",
				e.Start, e.End, e.Action, e.Outcome, e.Session, e.Key, e.Path, e.Group, e.Found, e.Why)
		}
	}
	return text.String()
}
