package memnet

import (
	"os"
	"sync"
	"time"
)

// errLate is what a deadline ends calls with: a [net.Error] that is a timeout.
var errLate = os.ErrDeadlineExceeded

// side is who waits at one end of a flow, and until when. The flow's mutex
// guards it.
type side struct {
	wake  sync.Cond
	timer *time.Timer // nil without a deadline
	late  bool        // the deadline is over
}

// set sets the deadline; zero means none.
func (s *side) set(mu *sync.Mutex, t time.Time) {
	mu.Lock()
	defer mu.Unlock()
	s.stop()
	s.late = !t.IsZero() && time.Until(t) <= 0
	if s.late {
		s.wake.Broadcast()
	}
	if s.late || t.IsZero() {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(time.Until(t), func() {
		mu.Lock()
		defer mu.Unlock()
		if s.timer == timer { // else it was set anew meanwhile
			s.late = true
			s.wake.Broadcast()
		}
	})
	s.timer = timer
}

// stop frees what keeps the deadline.
func (s *side) stop() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}
