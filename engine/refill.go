package engine

import (
	"context"
	"errors"
	"time"

	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/internal/guest"
)

// The refiller makes one sandbox at a time, and steps back for creations.
const (
	refillCalm     = 20 * time.Millisecond  // without a creation, before one is made
	refillPatience = 500 * time.Millisecond // after which one is made all the same
	refillBackoff  = time.Second            // after a failure; twice as long after each further one
	refillLongest  = time.Minute            // but not longer
	warmTimeout    = 5 * time.Second        // for the first command in a new sandbox
)

// refill fills the pool until the engine closes.
func (e *Engine) refill() {
	defer e.tasks.Done()
	backoff := refillBackoff
	for e.ctx.Err() == nil {
		image, ok := e.wanted()
		if !ok {
			e.rest(e.pool.woken, refillLongest)
			continue
		}
		e.calm()
		err := e.add(image)
		if err == nil || e.ctx.Err() != nil {
			backoff = refillBackoff
			continue
		}
		e.log.Warn("no sandbox for the pool", "root", image.Root, "error", err)
		e.rest(nil, backoff)
		backoff = min(2*backoff, refillLongest)
	}
}

// wanted returns an image of which a sandbox is to be made.
func (e *Engine) wanted() (Image, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.fits(e.pool.count+1, e.pool.memory+e.pool.limits.MemoryBytes) {
		return Image{}, false
	}
	return e.pool.lacking()
}

// rest waits until something comes, d is over, or the engine closes.
func (e *Engine) rest(something <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-something:
	case <-timer.C:
	case <-e.ctx.Done():
	}
}

// calm waits until there was no creation for a moment, but not for ever.
func (e *Engine) calm() {
	for end := time.Now().Add(refillPatience); time.Now().Before(end) && e.ctx.Err() == nil; {
		e.mu.Lock()
		seq := e.places.admitted
		e.mu.Unlock()
		e.rest(nil, refillCalm)
		e.mu.Lock()
		quiet := e.places.making == 0 && e.places.admitted == seq
		e.mu.Unlock()
		if quiet {
			return
		}
	}
}

// add makes a sandbox for the pool.
func (e *Engine) add(image Image) error {
	if err := e.machine.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(e.ctx, createTimeout)
	defer cancel()
	b, err := e.makeBox(ctx, image, e.pool.limits)
	if err != nil {
		return err
	}
	err = warm(ctx, b)
	if err == nil {
		b.ahead, err = httpapi.StartAhead(ctx, b.guest, e.cfg.PoolCode)
	}
	if err != nil {
		e.scrap(b)
		return err
	}
	e.shelve(b)
	return nil
}

// warm runs a command that does nothing: the first one of a guest takes longer
// than those after it. An image without that program is as good.
func warm(ctx context.Context, b *box) error {
	_, err := b.guest.Run(ctx, guest.Command{Args: []string{"/bin/true"}, Timeout: warmTimeout})
	var refusal *guest.Error
	if err != nil && !errors.As(err, &refusal) {
		return err
	}
	return failpoint.At(failpoint.PoolWarmed)
}
