//go:build linux && (amd64 || arm64)

package seccomp

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A rule says what becomes of a system call: it is a verdict, or a choice by
// one word of the call between rules. Rules are trees, so every call ends at
// one verdict.
type rule interface {
	// compile writes the rule and returns where it starts. A rule loads what it
	// looks at: it expects nothing in the accumulator.
	compile(*assembler) (position, error)
}

// A verdict is what the kernel is to do, a SECCOMP_RET value with its data.
type verdict uint32

// A choice looks at the bits of one word that mask has, all if it is 0, and
// goes on with the case that has the result, or else with otherwise. The order
// of the cases means nothing.
type choice struct {
	on        word
	mask      uint32
	cases     []span
	otherwise rule
}

// A span is a case: the values from first to last, both included. No two spans
// of a choice share a value.
type span struct {
	first, last uint32
	then        rule
}

// partition returns spans that cover all values, in order, none beside another
// with the same rule.
func (c *choice) partition() ([]span, error) {
	sorted := slices.SortedFunc(slices.Values(c.cases), func(a, b span) int { return cmp.Compare(a.first, b.first) })
	var all []span
	add := func(s span) {
		if n := len(all); n > 0 && all[n-1].then == s.then {
			all[n-1].last = s.last
			return
		}
		all = append(all, s)
	}
	next := uint64(0) // the first value that is not covered
	for _, s := range sorted {
		if s.last < s.first || uint64(s.first) < next {
			return nil, fmt.Errorf("seccomp: the case %#x to %#x is empty or overlaps another", s.first, s.last)
		}
		if uint64(s.first) > next {
			add(span{uint32(next), s.first - 1, c.otherwise})
		}
		add(s)
		next = uint64(s.last) + 1
	}
	if next <= math.MaxUint32 {
		add(span{uint32(next), math.MaxUint32, c.otherwise})
	}
	return all, nil
}

// each makes a case of every value.
func each(then rule, values ...uint32) []span {
	spans := make([]span, len(values))
	for i, v := range values {
		spans[i] = span{v, v, then}
	}
	return spans
}
