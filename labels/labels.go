// Package labels holds the rules of a session's labels, which the SDK and the
// engine share: what a set of labels may be, and how a [Selector] picks among
// sets. It is pure: no I/O, no state, safe for concurrent use throughout.
//
// # Sets
//
// [Validate] checks what AGB itself demands of labels. [Bounds] checks what the
// engine demands besides; a hosted service may accept more, so the SDK leaves
// Bounds to the engine.
//
// # Selectors
//
// A selector is a list of requirements, all of which have to hold. The grammar,
// in which blanks between tokens mean nothing:
//
//	selector    = [ requirement { "," requirement } ] .
//	requirement = key                                   // key is there
//	            | "!" key                               // key is not there
//	            | key ( "=" | "==" ) value              // key is there and has the value
//	            | key "!=" value                        // key has another value or is not there
//	            | key "in" "(" value { "," value } ")"  // key is there and has one of the values
//	            | key "notin" "(" value { "," value } ")" .
//	key, value  = word | string .
//
// A word is one or more printable characters that are neither blank nor one of
// , ( ) = ! ". Everything else is written as a string: double-quoted, with the
// escapes of Go. So every label can be selected:
//
//	env in (dev,prod), team = "R&D, Berlin", !tmp
//
// The meaning is that of Kubernetes: "!=" and "notin" hold for a set without
// the key. An empty selector matches every set. The words "in" and "notin" are
// special only where an operator may stand.
package labels

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
)

// Bounds of a set of labels in the engine.
const (
	MaxLabels      = 64     // labels in a set
	MaxKeyBytes    = 63     // bytes of a key
	MaxValueBytes  = 256    // bytes of a value
	ReservedPrefix = "agb/" // of keys that are the engine's own
)

// Validate checks the rules that AGB has for labels: there is at least one, and
// no key and no value is blank. The error is an [*apierr.Error] with code
// [apierr.InvalidArgument] that names the key; of several faults it reports
// that of the lexically first key.
func Validate(set map[string]string) error {
	if len(set) == 0 {
		return apierr.Errorf(apierr.InvalidArgument, "labels: validate: there are no labels").
			WithHint("give at least one label")
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		switch {
		case strings.TrimSpace(key) == "":
			return apierr.Errorf(apierr.InvalidArgument, "labels: validate: key %s is blank", show(key))
		case strings.TrimSpace(set[key]) == "":
			return apierr.Errorf(apierr.InvalidArgument, "labels: validate: value of key %s is blank", show(key))
		}
	}
	return nil
}

// Bounds checks what the engine demands of labels besides [Validate]: at most
// [MaxLabels] of them, keys of at most [MaxKeyBytes] and values of at most
// [MaxValueBytes] bytes, all valid UTF-8 without control characters, and no
// key that starts with [ReservedPrefix]. No labels at all are within bounds.
// The error is as that of Validate.
func Bounds(set map[string]string) error {
	if len(set) > MaxLabels {
		return apierr.Errorf(apierr.InvalidArgument, "labels: %d labels, at most %d are allowed", len(set), MaxLabels)
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if strings.HasPrefix(key, ReservedPrefix) {
			return apierr.Errorf(apierr.InvalidArgument, "labels: key %s: the prefix %s is reserved", show(key), ReservedPrefix)
		}
		if fault := textFault(key, MaxKeyBytes); fault != "" {
			return apierr.Errorf(apierr.InvalidArgument, "labels: key %s %s", show(key), fault)
		}
		if fault := textFault(set[key], MaxValueBytes); fault != "" {
			return apierr.Errorf(apierr.InvalidArgument, "labels: value of key %s %s", show(key), fault)
		}
	}
	return nil
}

// textFault says what keeps s from being a key or a value, "" when nothing does.
func textFault(s string, limit int) string {
	switch {
	case len(s) > limit:
		return "is too long"
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "has a control character"
	}
	return ""
}
