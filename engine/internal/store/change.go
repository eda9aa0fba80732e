package store

import "github.com/agb-go/sdk/apierr"

// maxBatch is how many changes one transaction commits.
const maxBatch = 256

// A change is one write of a caller, who waits for it.
type change struct {
	id   string
	edit func(old *Record) (Record, error) // nil: remove; old is nil when there is none

	// Set by the one who commits it, under Store.writing.
	done     bool
	result   Record
	err      error
	panicked any // what edit panicked with, which is its caller's
}

// run returns what edit makes of old.
func (c *change) run(old *Record) (r Record, err error) {
	defer func() {
		if c.panicked = recover(); c.panicked != nil {
			err = apierr.Errorf(apierr.Internal, "store: put: panic: %v", c.panicked)
		}
	}()
	return c.edit(old)
}

// apply queues c and returns when it is committed. Of the callers that wait
// together one commits for all: a transaction takes as long for a hundred
// records as for one.
func (s *Store) apply(c *change) (Record, error) {
	s.waiting.Lock()
	s.queue = append(s.queue, c)
	s.waiting.Unlock()

	s.writing.Lock()
	defer s.writing.Unlock()
	for !c.done {
		s.serve(s.next())
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.result, c.err
}

// serve commits a batch and tells its callers.
func (s *Store) serve(batch []*change) {
	if s.closed {
		for _, c := range batch {
			c.err = apierr.Errorf(apierr.Unavailable, "store: put: the store is closed")
		}
	} else {
		s.commit(batch)
	}
	for _, c := range batch {
		c.done = true
	}
}

// next takes the changes of one transaction from the queue.
func (s *Store) next() []*change {
	s.waiting.Lock()
	defer s.waiting.Unlock()
	n := min(len(s.queue), maxBatch)
	batch := s.queue[:n:n]
	s.queue = s.queue[n:]
	if len(s.queue) == 0 {
		s.queue = nil
	}
	return batch
}
