package labels

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Selector picks sets of labels; the package comment has its syntax. The zero
// Selector picks every set. A Selector does not change, so it may be shared.
type Selector struct {
	reqs []requirement // sorted, without duplicates
}

// requirement is a condition on one key. Values are sorted and without
// duplicates; there is at least one for in and notIn, none otherwise.
type requirement struct {
	key    string
	op     operator
	values []string
}

type operator uint8

const (
	in operator = iota
	notIn
	exists
	absent
)

// FromMap returns the Selector of the sets that have at least the labels of
// pairs. A nil or empty map gives the zero Selector. It takes any pairs:
// limits and rules of labels are not checked.
func FromMap(pairs map[string]string) Selector {
	reqs := make([]requirement, 0, len(pairs))
	for key, value := range pairs {
		reqs = append(reqs, requirement{key, in, []string{value}})
	}
	return newSelector(reqs)
}

// newSelector brings reqs, which it takes over, into canonical order.
func newSelector(reqs []requirement) Selector {
	for i := range reqs {
		slices.Sort(reqs[i].values)
		reqs[i].values = slices.Compact(reqs[i].values)
	}
	slices.SortFunc(reqs, compare)
	return Selector{slices.CompactFunc(reqs, func(a, b requirement) bool { return compare(a, b) == 0 })}
}

func compare(a, b requirement) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.op, b.op), slices.Compare(a.values, b.values))
}

// Matches reports whether the set meets every requirement. A nil set is an
// empty one.
func (s Selector) Matches(set map[string]string) bool {
	for _, r := range s.reqs {
		if !r.holds(set) {
			return false
		}
	}
	return true
}

func (r requirement) holds(set map[string]string) bool {
	value, there := set[r.key]
	switch r.op {
	case in:
		return there && slices.Contains(r.values, value)
	case notIn:
		return !there || !slices.Contains(r.values, value)
	case exists:
		return there
	default:
		return !there
	}
}

// Pairs returns the selector as a map, for a server that filters by equality
// alone. ok is false when the selector cannot be expressed so: it has another
// kind of requirement, or wants two values of one key. The map is the caller's,
// and empty for the zero Selector.
func (s Selector) Pairs() (pairs map[string]string, ok bool) {
	pairs = make(map[string]string, len(s.reqs))
	for _, r := range s.reqs {
		if _, twice := pairs[r.key]; twice || r.op != in || len(r.values) != 1 {
			return nil, false
		}
		pairs[r.key] = r.values[0]
	}
	return pairs, true
}

// String returns the selector in canonical form: requirements and values
// sorted, each once, quoted only where needed. Selectors with the same
// requirements have the same form, and parsing it gives the same Selector back
// as long as it is within the limits of [ParseSelector].
func (s Selector) String() string {
	parts := make([]string, len(s.reqs))
	for i, r := range s.reqs {
		parts[i] = r.String()
	}
	return strings.Join(parts, ",")
}

func (r requirement) String() string {
	key := quote(r.key)
	switch {
	case r.op == exists:
		return key
	case r.op == absent:
		return "!" + key
	case len(r.values) == 1:
		sign := "="
		if r.op == notIn {
			sign = "!="
		}
		return key + sign + quote(r.values[0])
	}
	values := make([]string, len(r.values))
	for i, v := range r.values {
		values[i] = quote(v)
	}
	word := "in"
	if r.op == notIn {
		word = "notin"
	}
	return fmt.Sprintf("%s %s (%s)", key, word, strings.Join(values, ","))
}

// quote returns s as a word if it can be one, else as a string.
func quote(s string) string {
	if s == "" || !utf8.ValidString(s) || strings.ContainsFunc(s, notInWord) {
		return strconv.Quote(s)
	}
	return s
}

// notInWord reports whether r has to be inside a string.
func notInWord(r rune) bool {
	return strings.ContainsRune(`,()=!"`, r) || !unicode.IsPrint(r) || unicode.IsSpace(r)
}

// show returns a key or value for an error message, cut to a bearable length.
func show(s string) string { return fmt.Sprintf("%.64q", s) }
