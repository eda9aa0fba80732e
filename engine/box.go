package engine

import (
	"context"
	"errors"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/internal/guest"
)

// Bounds of making and freeing a box.
const (
	createTimeout  = time.Minute      // for a whole creation, the wait for its turn included
	createsAtOnce  = 32               // further ones wait for their turn
	helloTimeout   = 5 * time.Second  // for a new guest to be ready
	destroyTimeout = 30 * time.Second // for a sandbox to be gone
)

// A box is a sandbox whose guest is ready. It is made for one session, or for
// the pool and then one session. It does not change once it is there.
type box struct {
	id      string // of the session, and of the sandbox
	image   Image
	limits  driver.Limits
	sandbox driver.Sandbox
	guest   *guest.Client
	layers  []driver.Layer // verified before anything ran in the sandbox
	ahead   httpapi.Ahead  // what was started in it
}

// makeBox makes a box, or nothing.
func (e *Engine) makeBox(ctx context.Context, image Image, limits driver.Limits) (*box, error) {
	select {
	case e.turns <- struct{}{}:
		defer func() { <-e.turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	b := &box{id: newID(), image: image, limits: limits}
	sandbox, err := e.runtime.Create(ctx, driver.Spec{ID: b.id, Root: image.Root, Hostname: "agb", Limits: limits})
	if err != nil {
		return nil, err
	}
	b.sandbox, b.guest = sandbox, guest.NewClient(sandbox.Conn())
	if err := e.greet(ctx, b); err != nil {
		e.scrap(b)
		return nil, err
	}
	return b, nil
}

// greet waits until the guest of a new box is ready and checks the isolation
// that it finds.
func (e *Engine) greet(ctx context.Context, b *box) error {
	if err := failpoint.At(failpoint.CreateMade); err != nil {
		return err
	}
	hello, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	said, err := b.guest.Hello(hello)
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		return apierr.Errorf(apierr.Unavailable, "the sandbox did not start: %w", err)
	}
	if b.layers, err = e.verify(said, b); err != nil {
		return err
	}
	return failpoint.At(failpoint.CreateGreeted)
}

// alive returns an error unless the guest answers within timeout. By then it
// has read all that was sent to it before.
func (b *box) alive(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err := b.guest.Stat(ctx, "/", false); err != nil {
		return err
	}
	if b.over() {
		return apierr.Errorf(apierr.Unavailable, "the sandbox died")
	}
	return nil
}

// over reports whether the sandbox, or the conversation with its guest, has
// ended.
func (b *box) over() bool {
	select {
	case <-b.guest.Done():
		return true
	case <-b.sandbox.Done():
		return true
	default:
		return false
	}
}

// destroy frees everything that b holds and waits until it is gone.
func (b *box) destroy() error {
	err := b.guest.Close()
	if errors.Is(err, guest.ErrClosed) {
		err = nil // the conversation was over
	}
	pointErr := failpoint.At(failpoint.DeleteClosed)
	ctx, cancel := context.WithTimeout(context.Background(), destroyTimeout)
	defer cancel()
	return errors.Join(b.sandbox.Destroy(ctx), err, pointErr)
}

// scrap destroys a box that nobody has seen.
func (e *Engine) scrap(b *box) {
	if err := b.destroy(); err != nil {
		e.log.Error("destroy sandbox", "session_id", b.id, "error", err)
	}
}
