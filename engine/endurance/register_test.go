//go:build linux && (amd64 || arm64)

package endurance

import (
	"maps"
	"math"
	"slices"
	"time"
)

const (
	never  = time.Duration(math.MaxInt64)
	always = time.Duration(math.MinInt64)
)

// A cluster is a value of a register: its one writing, and what read it.
type cluster struct {
	value    string
	written  bool
	from     time.Duration // start of the writing
	firstEnd time.Duration // of the writing and the readings
	lastDone time.Duration // latest start of these
	readEnd  time.Duration // earliest end of a reading
	readAny  bool
}

// linearizable reports whether a register to which no value is written twice,
// and which begins empty, can have behaved so: whether there is an order of all
// that was done, each at a moment between its start and its end, in which every
// reading finds what was written last. What is unknown may happen at any time
// after its start, or never. When there is no such order, why tells where.
//
// Gibbons and Korach, "Testing shared memories", 1997, section 4.2: between the
// first end and the last start of what concerns a value, the register holds it,
// if these are in this order; two values cannot be held at a time, and what
// happened entirely while another is held cannot have happened.
func linearizable(events []event) (ok bool, why string) {
	values := map[string]*cluster{"": {written: true, from: always, firstEnd: always, lastDone: always, readEnd: never}}
	of := func(v string) *cluster {
		if values[v] == nil {
			values[v] = &cluster{value: v, from: never, firstEnd: never, lastDone: always, readEnd: never}
		}
		return values[v]
	}
	for _, e := range events {
		switch {
		case e.Action == write && (e.Outcome == done || e.Outcome == unknown):
			c, end := of(e.Value), e.End
			if e.Outcome == unknown {
				end = never
			}
			c.written, c.from = true, e.Start
			c.firstEnd, c.lastDone = min(c.firstEnd, end), max(c.lastDone, e.Start)
		case e.Action == read && e.Outcome == done:
			c := of(e.Got)
			c.readAny, c.readEnd = true, min(c.readEnd, e.End)
			c.firstEnd, c.lastDone = min(c.firstEnd, e.End), max(c.lastDone, e.Start)
		}
	}
	return orderable(slices.Collect(maps.Values(values)))
}

func orderable(values []*cluster) (ok bool, why string) {
	values = slices.DeleteFunc(values, func(c *cluster) bool {
		return c.written && !c.readAny && c.firstEnd == never // it need not have happened
	})
	for i, c := range values {
		if !c.written {
			return false, "value " + c.value + " was read and never written"
		}
		if c.readEnd < c.from {
			return false, "value " + c.value + " was read before it was written"
		}
		for j, other := range values {
			held := other.firstEnd < other.lastDone
			switch {
			case i == j || !held:
			case c.firstEnd < c.lastDone && max(c.firstEnd, other.firstEnd) < min(c.lastDone, other.lastDone):
				return false, "values " + c.value + " and " + other.value + " were there at the same time"
			case c.firstEnd >= c.lastDone && other.firstEnd < c.lastDone && c.firstEnd < other.lastDone:
				return false, "value " + c.value + " came and went while " + other.value + " was there"
			}
		}
	}
	return true, ""
}
