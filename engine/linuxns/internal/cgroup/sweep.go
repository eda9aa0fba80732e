//go:build linux

package cgroup

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// sweepPoll is how long to wait before groups that were busy are tried again.
const sweepPoll = 2 * time.Millisecond

// Sweep removes all groups of the launcher with that tag, which must be dead,
// with whatever is in them. It returns an error when some are left after the
// time given.
func (p Places) Sweep(tag string, within time.Duration) error {
	return p.sweep(within, func(name string) bool { return strings.HasPrefix(name, tag+"-") })
}

// SweepDead removes the groups of owners that are proven to be dead, and no
// others. Groups that are still busy are left to their launchers.
func (p Places) SweepDead() error {
	me, err := self()
	if err != nil {
		return err
	}
	return p.sweep(0, func(name string) bool {
		process, ok := owner(name)
		return ok && process.dead(me)
	})
}

func (p Places) sweep(within time.Duration, wanted func(name string) bool) error {
	groups, err := p.find(wanted)
	if err != nil {
		return err
	}
	for _, g := range groups {
		_ = g.Thaw() // else a kill does not come through; a group without the control needs nothing
		g.Kill()
	}
	for end := time.Now().Add(within); ; time.Sleep(sweepPoll) {
		left := groups[:0]
		for _, g := range groups {
			if g.Remove() != nil {
				left = append(left, g)
			}
		}
		if groups = left; len(left) == 0 {
			return nil
		}
		if !time.Now().Before(end) {
			return fmt.Errorf("cgroup: sweep: %w", left[0].Remove())
		}
	}
}

// find lists the groups in all places whose names are wanted.
func (p Places) find(wanted func(name string) bool) ([]Group, error) {
	seen := map[string]bool{}
	var groups []Group
	for _, place := range p.List {
		entries, err := os.ReadDir(place.Dir)
		if err != nil {
			return nil, fmt.Errorf("cgroup: sweep: %w", err)
		}
		for _, e := range entries {
			if name := e.Name(); e.IsDir() && !seen[name] && wanted(name) {
				seen[name] = true
				groups = append(groups, p.Group(name))
			}
		}
	}
	return groups, nil
}

// All returns every place that the layout knows, tried or not, for a sweep
// after a launcher that did not live to tell.
func (l Layout) All() Places {
	p := Places{List: append([]Place(nil), l.v1...)}
	for _, dir := range l.v2 {
		p.List = append(p.List, Place{Dir: dir, Version: 2, Controls: []string{Core}})
	}
	return p
}
