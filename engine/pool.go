package engine

import (
	"context"
	"time"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/failpoint"
)

// handOutTimeout bounds the wait for a ready guest to answer before it is given
// to a session.
const handOutTimeout = time.Second

// A pool holds sandboxes that are ready and nobody's. A session that takes one
// keeps it to its end: no sandbox ever comes back. It is guarded by Engine.mu.
type pool struct {
	limits driver.Limits // of every box in it
	want   map[Image]int
	ready  map[Image][]*waiting // the oldest first
	count  int                  // of all that are ready
	memory int64                // their memory limits together
	woken  chan struct{}        // has an element when the refiller is to look again
}

// waiting is a box in the pool.
type waiting struct {
	*box
	left chan struct{} // closed when it is no longer in the pool
}

func newPool(cfg Config) pool {
	p := pool{limits: cfg.limits(), want: map[Image]int{}, ready: map[Image][]*waiting{}, woken: make(chan struct{}, 1)}
	for name, size := range cfg.Pool {
		if size > 0 {
			p.want[cfg.Images[name]] += size
		}
	}
	return p
}

// wake has the refiller look again.
func (p *pool) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (p *pool) put(w *waiting) {
	p.ready[w.image] = append(p.ready[w.image], w)
	p.count++
	p.memory += w.limits.MemoryBytes
}

// remove takes the box at position i of an image's out.
func (p *pool) remove(image Image, i int) *box {
	line := p.ready[image]
	w := line[i]
	p.ready[image] = append(line[:i:i], line[i+1:]...)
	p.count--
	p.memory -= w.limits.MemoryBytes
	close(w.left)
	p.wake()
	return w.box
}

// take returns the box of an image with limits that has waited longest, or nil.
func (p *pool) take(image Image, limits driver.Limits) *box {
	if len(p.ready[image]) == 0 || limits != p.limits {
		return nil
	}
	return p.remove(image, 0)
}

// any returns some box, or nil when there is none.
func (p *pool) any() *box {
	for image, line := range p.ready {
		if len(line) > 0 {
			return p.remove(image, 0)
		}
	}
	return nil
}

// lacking returns an image of which more are wanted.
func (p *pool) lacking() (Image, bool) {
	for image, size := range p.want {
		if len(p.ready[image]) < size {
			return image, true
		}
	}
	return Image{}, false
}

// discard destroys a box that was in the pool. e.mu is held.
func (e *Engine) discard(b *box) {
	e.tasks.Add(1)
	go func() {
		defer e.tasks.Done()
		e.scrap(b)
	}()
}

// claim returns the sandbox for a session: the ready one if it is not nil and
// still good, else another of the pool, else one made for it.
func (e *Engine) claim(ctx context.Context, w wish, ready *box) (*box, error) {
	for ; ready != nil; ready = e.another(ready) {
		if err := failpoint.At(failpoint.CreateTaken); err != nil {
			e.scrap(ready)
			return nil, err
		}
		err := ready.good(ctx)
		if err == nil {
			return ready, nil
		}
		if ctx.Err() != nil { // it says nothing of the box, and would of all others
			e.scrap(ready)
			return nil, ctx.Err()
		}
		e.log.Warn("a ready sandbox is of no use", "session_id", ready.id, "error", err)
	}
	if err := failpoint.At(failpoint.CreateAdmitted); err != nil {
		return nil, err
	}
	return e.makeBox(ctx, w.root, w.limits)
}

// another discards a box and returns the next of its kind.
func (e *Engine) another(bad *box) *box {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.discard(bad)
	return e.pool.take(bad.image, bad.limits)
}

// good returns an error unless a box of the pool is alive and has the layers
// and limits that were verified when it was made.
func (b *box) good(ctx context.Context) error {
	if err := b.alive(ctx, handOutTimeout); err != nil {
		return err
	}
	return lost(b.layers, b.sandbox.Layers())
}

// shelve puts a box into the pool and has somebody watch it there, unless there
// is no place for it any more.
func (e *Engine) shelve(b *box) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing || !e.fits(e.pool.count+1, e.pool.memory+b.limits.MemoryBytes) {
		e.discard(b)
		return
	}
	w := &waiting{box: b, left: make(chan struct{})}
	e.pool.put(w)
	e.tasks.Add(1)
	go func() {
		defer e.tasks.Done()
		select {
		case <-w.left:
		case <-b.guest.Done():
			e.drop(w)
		case <-b.sandbox.Done():
			e.drop(w)
		}
	}()
}

// drop destroys a box that died in the pool, if it is still there.
func (e *Engine) drop(w *waiting) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, other := range e.pool.ready[w.image] {
		if other == w {
			e.log.Warn("a ready sandbox died", "session_id", w.id)
			e.pool.remove(w.image, i)
			e.discard(w.box)
			return
		}
	}
}
