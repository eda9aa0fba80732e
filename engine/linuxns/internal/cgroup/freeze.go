//go:build linux

package cgroup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Values of freezer.state in version 1.
const (
	frozen = "FROZEN"
	thawed = "THAWED"
)

// freezePoll is how long to wait between two looks at whether all processes
// have stopped.
const freezePoll = time.Millisecond

// Freezes reports whether groups can be frozen.
func (p Places) Freezes() bool { return p.Has(Core) || p.Has(Freezer) }

// Freeze stops all processes of the group and returns when none runs any more.
// When ctx ends before, they go on.
func (g Group) Freeze(ctx context.Context) error {
	err := g.freeze(ctx)
	if err != nil {
		err = fmt.Errorf("cgroup: freeze: %w", errors.Join(err, g.thawAfter(err)))
	}
	return err
}

// thawAfter undoes a freeze that failed. A group that is gone needs nothing.
func (g Group) thawAfter(err error) error {
	if gone(err) {
		return nil
	}
	return g.Thaw()
}

func (g Group) freeze(ctx context.Context) error {
	p := g.places.with(Core)
	if p != nil {
		if err := write(g.dir(p)+"/cgroup.freeze", "1"); err != nil {
			return err
		}
		return wait(ctx, func() (bool, error) {
			n, err := field(g.dir(p)+"/cgroup.events", "frozen")
			return n == 1, err
		})
	}
	if p = g.places.with(Freezer); p == nil {
		return errNoControl
	}
	if err := write(g.dir(p)+"/freezer.state", frozen); err != nil {
		return err
	}
	return wait(ctx, func() (bool, error) {
		state, err := read(g.dir(p) + "/freezer.state") // FREEZING until then
		return state == frozen, err
	})
}

// Thaw lets the processes of the group go on.
func (g Group) Thaw() error {
	var err error
	if p := g.places.with(Core); p != nil {
		err = write(g.dir(p)+"/cgroup.freeze", "0")
	} else if p := g.places.with(Freezer); p != nil {
		err = write(g.dir(p)+"/freezer.state", thawed)
	}
	if err != nil {
		return fmt.Errorf("cgroup: thaw: %w", err)
	}
	return nil
}

// wait waits until done reports true. When ctx has ended, done is not asked.
func wait(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(freezePoll)
	defer tick.Stop()
	for ctx.Err() == nil {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// gone reports whether err says that the group does not exist any more.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) }
