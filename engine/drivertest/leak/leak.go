// Package leak counts what an owner of sandboxes has, so that tests can require
// that a piece of work leaves nothing behind. Whatever the system does not tell
// counts as nothing.
//
//	before := leak.AtRest(leak.Options{})
//	… work …
//	leak.Check(t, before, leak.Options{})
package leak

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// Settle is how long [Check] waits for things to go.
const Settle = 5 * time.Second

const (
	poll = 20 * time.Millisecond  // between two looks
	rest = 200 * time.Millisecond // without a change
)

// Snapshot is what there is at one moment: how many of each thing, by a name
// that tells its kind and what it is, such as "descriptor socket".
type Snapshot map[string]int

// Options say what to count and whose.
type Options struct {
	// Dirs are directories whose entries, at any depth, are counted.
	Dirs []string
	// Scope is whose things are counted.
	Scope Scope
}

// Scope is whose things are counted.
type Scope int

// Scopes.
const (
	Family Scope = iota // this process's, and its descendants
	Self                // this process's alone: runtimes may keep processes ready
	// Everything is what others may have, too: all processes, and the control
	// groups below this process's own. It is for tests in namespaces and a group
	// of their own.
	Everything
)

// Take counts.
func Take(o Options) Snapshot {
	s := Snapshot{}
	s.descriptors()
	s.goroutines()
	if o.Scope != Self {
		s.processes(o.Scope == Everything)
		s.mounts()
		s.groups()
		s.keys()
	}
	if o.Scope == Everything {
		s.cgroups()
	}
	for _, dir := range o.Dirs {
		s.tree("file", dir)
	}
	return s
}

// AtRest counts when nothing has come or gone for a moment: a runtime may make
// things ready in the background, and keep them. It waits at most [Settle].
func AtRest(o Options) Snapshot {
	s, since := Take(o), time.Now()
	for end := time.Now().Add(Settle); time.Since(since) < rest && time.Now().Before(end); time.Sleep(poll) {
		if next := Take(o); !maps.Equal(s, next) {
			s, since = next, time.Now()
		}
	}
	return s
}

// Left returns what s has more of than before had, one line a thing.
func (s Snapshot) Left(before Snapshot) []string {
	var left []string
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if s[name] > before[name] {
			left = append(left, fmt.Sprintf("%s: %d, had been %d", name, s[name], before[name]))
		}
	}
	return left
}

// Check fails the test unless within [Settle] there is no more of anything than
// before. It shows what there is.
func Check(tb testing.TB, before Snapshot, o Options) {
	tb.Helper()
	var left []string
	for end := time.Now().Add(Settle); ; time.Sleep(poll) {
		if left = Take(o).Left(before); len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			break
		}
	}
	for _, line := range left {
		tb.Errorf("left behind: %s", line)
	}
}
