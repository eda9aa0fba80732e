// Package failpoint names the places of the engine at which a test can make it
// fail or die: every step after which something is left to finish or to undo.
// Points declares them all, so that a test can try one after the other.
//
// A point that is not armed costs one atomic load. Nothing but a test arms
// points: neither the environment nor a request does.
package failpoint

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// A Point is a place in the engine, "package.step".
type Point string

// armed holds what happens at the armed points; nil when none is. The map is
// replaced, never changed.
var armed atomic.Pointer[map[Point]func() error]

// arming is held while armed is replaced.
var arming sync.Mutex

// At does what p is armed with and returns its error: nil for a point that is
// not armed. It is safe for concurrent use.
func At(p Point) error {
	m := armed.Load()
	if m == nil {
		return nil
	}
	do := (*m)[p]
	if do == nil {
		return nil
	}
	return do()
}

// Arm has every later At(p), of any goroutine, call do until disarm is called.
// It panics when p is not one of [Points] or is armed already: either is a
// mistake in the test. Disarming twice does nothing.
func Arm(p Point, do func() error) (disarm func()) {
	if !slices.Contains(points, p) {
		panic(fmt.Sprintf("failpoint: arm: there is no point %q", p))
	}
	change(func(m map[Point]func() error) {
		if m[p] != nil {
			panic(fmt.Sprintf("failpoint: arm: point %q is armed", p))
		}
		m[p] = do
	})
	return sync.OnceFunc(func() { change(func(m map[Point]func() error) { delete(m, p) }) })
}

func change(edit func(map[Point]func() error)) {
	arming.Lock()
	defer arming.Unlock()
	next := map[Point]func() error{}
	if m := armed.Load(); m != nil {
		maps.Copy(next, *m)
	}
	edit(next)
	if len(next) == 0 {
		armed.Store(nil)
		return
	}
	armed.Store(&next)
}
