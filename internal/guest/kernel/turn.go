package kernel

import (
	"slices"
	"sync"
)

// turns are taken one at a time, in the order in which they were asked for. The
// zero turns is ready to use.
type turns struct {
	mu      sync.Mutex
	taken   bool
	waiting []chan struct{} // the first is next
}

// ask asks for a turn, which has come when the channel is closed. Who asks
// gives it back, or, while it may not have come, leaves.
func (t *turns) ask() chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	come := make(chan struct{})
	if t.taken {
		t.waiting = append(t.waiting, come)
		return come
	}
	t.taken = true
	close(come)
	return come
}

// give gives a turn that has come to who is next.
func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next()
}

func (t *turns) next() {
	if len(t.waiting) == 0 {
		t.taken = false
		return
	}
	close(t.waiting[0])
	t.waiting = slices.Delete(t.waiting, 0, 1)
}

// leave gives up what was asked for, whether it has come or not.
func (t *turns) leave(come chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, come); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
		return
	}
	t.next()
}

// busy reports whether somebody has the turn.
func (t *turns) busy() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken
}
