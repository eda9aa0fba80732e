package guest

import (
	"sync"
	"time"
)

// silence measures how long a guest has kept the engine waiting: the time in
// which the engine's own writers held an answer up is not the guest's fault.
type silence struct {
	mu      sync.Mutex
	written time.Duration // in writers that have returned
	since   time.Time     // when the current one was called; zero when there is none
	timers  []*time.Timer
	over    bool
}

// writing calls a writer.
func (s *silence) writing(f func() error) error {
	s.mu.Lock()
	s.since = time.Now()
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.written += time.Since(s.since)
		s.since = time.Time{}
		s.mu.Unlock()
	}()
	return f()
}

// total is the time in writers. s.mu is held.
func (s *silence) total() time.Duration {
	if s.since.IsZero() {
		return s.written
	}
	return s.written + time.Since(s.since)
}

// after calls f when the guest has been silent for wait from now on.
func (s *silence) after(wait time.Duration, f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	from := s.total()
	var t *time.Timer
	t = time.AfterFunc(wait, func() {
		s.mu.Lock()
		more := s.total() - from
		if more > 0 && !s.over {
			from += more
			t.Reset(more)
		}
		done := more <= 0 && !s.over
		s.mu.Unlock()
		if done {
			f()
		}
	})
	s.timers = append(s.timers, t)
}

// stop forgets all that was to be called.
func (s *silence) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for _, t := range s.timers {
		t.Stop()
	}
}
