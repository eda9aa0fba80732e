//go:build linux && (amd64 || arm64)

package endurance

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at is an event from one time to another.
func at(start, end time.Duration, e event) event {
	e.Start, e.End = start, end
	return e
}

// made is the beginning of most histories: session s of group g, by key k.
var made = at(0, 10, event{Action: create, Key: "k", Session: "s", Group: "g"})

// judge returns the rules that a history breaks.
func judge(events []event, records ...record) []string {
	var rules []string
	for _, v := range check(&history{events: events, records: records}) {
		rules = append(rules, v.Rule)
	}
	slices.Sort(rules)
	return slices.Compact(rules)
}

// TestGoodHistories: what is allowed is no violation.
func TestGoodHistories(t *testing.T) {
	for name, events := range map[string][]event{
		"empty":             nil,
		"a life":            {made, at(20, 30, event{Action: get, Session: "s"}), at(40, 50, event{Action: remove, Session: "s"}), at(60, 70, event{Action: get, Session: "s", Outcome: gone})},
		"gone while dying":  {made, at(20, 90, event{Action: remove, Session: "s"}), at(30, 40, event{Action: get, Session: "s", Outcome: gone})},
		"there while dying": {made, at(20, 90, event{Action: remove, Session: "s"}), at(30, 40, event{Action: get, Session: "s"})},
		"gone before told":  {made, at(2, 9, event{Action: list, Group: "g"})},
		"harmed":            {made, at(20, 30, event{Action: harm, Session: "s"}), at(21, 22, event{Action: run, Session: "s", Outcome: gone})},
		"all harmed":        {made, at(20, 30, event{Action: harm}), at(21, 22, event{Action: create, Key: "k", Outcome: gone})},
		"restarted":         {made, at(20, 30, event{Action: restart}), at(31, 32, event{Action: list, Group: "g"})},
		"made while restarting": {
			at(0, 25, event{Action: create, Key: "k", Session: "s", Group: "g"}), at(20, 30, event{Action: restart}),
			at(31, 32, event{Action: get, Session: "s"}),
		},
		"expired":  {made, at(20, 30, event{Action: expire, Session: "s"}), at(31, 32, event{Action: get, Session: "s", Outcome: gone})},
		"same key": {made, at(20, 30, event{Action: create, Key: "k", Session: "s", Group: "g"})},
		"resolved": {
			made, at(20, 30, event{Action: run, Session: "s", Value: "1", Outcome: unknown}),
			at(40, 50, event{Action: audit, Session: "s", Found: []string{"1"}}),
			at(60, 70, event{Action: create, Key: "l", Outcome: unknown}), at(80, 90, event{Action: create, Key: "l", Outcome: gone}),
		},
	} {
		t.Run(name, func(t *testing.T) { require.Empty(t, check(&history{events: events})) })
	}
}

// TestBadHistories: each rule is found broken, and no other.
func TestBadHistories(t *testing.T) {
	end := at(20, 30, event{Action: remove, Session: "s"})
	for name, c := range map[string]struct {
		rule   string
		events []event
	}{
		"lost":                {staysVisible, []event{made, at(20, 30, event{Action: get, Session: "s", Outcome: gone})}},
		"lost to a command":   {staysVisible, []event{made, at(20, 30, event{Action: run, Session: "s", Outcome: gone})}},
		"lost to its key":     {staysVisible, []event{made, at(20, 30, event{Action: create, Key: "k", Outcome: gone})}},
		"lost before its end": {staysVisible, []event{made, at(12, 15, event{Action: get, Session: "s", Outcome: gone}), end}},
		"lost though another was harmed": {staysVisible, []event{
			made, at(11, 12, event{Action: harm, Session: "t"}), at(20, 30, event{Action: get, Session: "s", Outcome: gone}),
		}},
		"lost though harm was before": {staysVisible, []event{
			at(0, 5, event{Action: harm}), at(6, 10, made), at(20, 30, event{Action: get, Session: "s", Outcome: gone}),
		}},
		"lost though deleting was refused": {staysVisible, []event{
			made, at(12, 13, event{Action: remove, Session: "s", Outcome: refused}),
			at(20, 30, event{Action: get, Session: "s", Outcome: gone}),
		}},
		"back after deletion": {staysGone, []event{made, end, at(40, 50, event{Action: get, Session: "s"})}},
		"back in a list":      {staysGone, []event{made, end, at(40, 50, event{Action: list, Group: "g", Found: []string{"s"}})}},
		"back by its key":     {staysGone, []event{made, end, at(40, 50, made)}},
		"back after restart":  {staysGone, []event{made, at(20, 30, event{Action: restart}), at(40, 50, event{Action: get, Session: "s"})}},
		"back after a miss": {staysGone, []event{
			made, at(12, 13, event{Action: harm, Session: "s"}), at(14, 15, event{Action: get, Session: "s", Outcome: gone}),
			at(16, 17, event{Action: get, Session: "s"}),
		}},
		"two of a key": {oncePerKey, []event{made, at(0, 10, event{Action: create, Key: "k", Session: "t", Group: "g"})}},
		"spent key": {oncePerKey, []event{
			at(0, 10, event{Action: create, Key: "k", Outcome: gone}), at(20, 30, event{Action: create, Key: "k", Session: "s"}),
		}},
		"another's answer": {ownAnswer, []event{made, at(20, 30, event{Action: run, Session: "s", Value: "1", Got: "2\n"})}},
		"no answer":        {ownAnswer, []event{made, at(20, 30, event{Action: run, Session: "s", Value: "1"})}},
		"another's traces": {ownAnswer, []event{made, at(20, 30, event{Action: audit, Session: "s", Found: []string{"1"}})}},
		"no traces": {ownAnswer, []event{
			made, at(20, 30, event{Action: run, Session: "s", Value: "1", Got: "1\n"}), at(40, 50, event{Action: audit, Session: "s"}),
		}},
		"ran twice": {atMostOnce, []event{
			made, at(20, 30, event{Action: run, Session: "s", Value: "1", Outcome: unknown}),
			at(40, 50, event{Action: audit, Session: "s", Found: []string{"1", "1"}}),
		}},
		"ran though refused": {atMostOnce, []event{
			made, at(20, 30, event{Action: run, Session: "s", Value: "1", Outcome: refused}),
			at(40, 50, event{Action: audit, Session: "s", Found: []string{"1"}}),
		}},
		"stale file": {readsOwnWrites, []event{
			made, at(20, 30, event{Action: write, Session: "s", Path: "p", Value: "1"}),
			at(40, 50, event{Action: read, Session: "s", Path: "p"}),
		}},
		"lists another's":  {listsMatching, []event{made, at(20, 30, event{Action: list, Group: "h", Found: []string{"s"}})}},
		"lists unheard-of": {listsMatching, []event{at(20, 30, event{Action: list, Group: "g", Found: []string{"s"}})}},
		"leaves out":       {listsMatching, []event{made, at(20, 30, event{Action: list, Group: "g"})}},
		"open creation":    {getsResolved, []event{at(0, 10, event{Action: create, Key: "k", Outcome: unknown})}},
		"open deletion":    {getsResolved, []event{made, at(20, 30, event{Action: remove, Session: "s", Outcome: unknown})}},
		"open command": {getsResolved, []event{
			made, at(20, 30, event{Action: run, Session: "s", Value: "1", Outcome: unknown}), at(40, 50, event{Action: get, Session: "s"}),
		}},
		"open writing": {getsResolved, []event{
			made, at(20, 30, event{Action: write, Session: "s", Path: "p", Value: "1", Outcome: unknown}),
			at(40, 50, event{Action: read, Session: "s", Path: "q"}),
		}},
		"told too early": {getsResolved, []event{
			made, at(20, 30, event{Action: pause, Session: "s", Outcome: unknown}), at(25, 26, event{Action: resume, Session: "s"}),
		}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, []string{c.rule}, judge(c.events)) })
	}
}

// TestBadRecords: what the engine remembers is held against it, too.
func TestBadRecords(t *testing.T) {
	require.Equal(t, []string{oncePerKey}, judge([]event{made}, record{"s", "k", "g"}, record{"t", "k", "g"}))
	lost := at(0, 10, event{Action: create, Key: "l", Outcome: unknown})
	found := at(20, 30, event{Action: list, Group: "h", Found: []string{"t"}})
	require.Equal(t, []string{getsResolved}, judge([]event{lost, found}, record{"t", "l", "h"}))
}

// TestRegisters tries the rule for files on orders that can be and that cannot.
func TestRegisters(t *testing.T) {
	w := func(start, end time.Duration, v string) event { return at(start, end, event{Action: write, Value: v}) }
	maybe := func(start, end time.Duration, v string) event {
		return at(start, end, event{Action: write, Value: v, Outcome: unknown})
	}
	r := func(start, end time.Duration, v string) event { return at(start, end, event{Action: read, Got: v}) }
	for name, c := range map[string]struct {
		ok     bool
		events []event
	}{
		"nothing":                   {true, nil},
		"empty":                     {true, []event{r(0, 1, "")}},
		"in order":                  {true, []event{w(0, 1, "a"), r(2, 3, "a"), w(4, 5, "b"), r(6, 7, "b")}},
		"at once":                   {true, []event{w(0, 10, "a"), w(0, 10, "b"), r(11, 12, "a"), r(13, 14, "a")}},
		"read while writing":        {true, []event{w(0, 10, "a"), r(1, 2, ""), r(3, 4, "a")}},
		"overwritten at once":       {true, []event{w(0, 10, "a"), w(1, 5, "b"), r(6, 7, "a")}},
		"unknown and not":           {true, []event{w(0, 1, "a"), maybe(2, 3, "b"), r(4, 5, "a")}},
		"unknown and late":          {true, []event{w(0, 1, "a"), maybe(2, 3, "b"), r(4, 5, "a"), r(6, 7, "b")}},
		"stale":                     {false, []event{w(0, 1, "a"), w(2, 3, "b"), r(4, 5, "a")}},
		"lost":                      {false, []event{w(0, 1, "a"), r(2, 3, "")}},
		"back":                      {false, []event{w(0, 10, "a"), w(0, 10, "b"), r(11, 12, "a"), r(13, 14, "b"), r(15, 16, "a")}},
		"back while writing":        {false, []event{w(0, 10, "a"), r(1, 2, "a"), r(3, 4, "")}},
		"of nowhere":                {false, []event{r(0, 1, "a")}},
		"from the future":           {false, []event{r(0, 1, "a"), w(2, 3, "a")}},
		"unknown and back":          {false, []event{w(0, 1, "a"), maybe(2, 3, "b"), r(4, 5, "b"), r(6, 7, "a")}},
		"different to two":          {false, []event{w(0, 10, "a"), w(0, 10, "b"), r(11, 20, "a"), r(11, 20, "b"), r(21, 22, "a"), r(23, 24, "b")}},
		"inside a value that stays": {false, []event{w(0, 1, "a"), w(3, 4, "b"), r(2, 9, "a"), r(5, 6, "a")}},
	} {
		t.Run(name, func(t *testing.T) {
			ok, why := linearizable(c.events)
			require.Equal(t, c.ok, ok, why)
		})
	}
}
