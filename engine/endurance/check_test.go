//go:build linux && (amd64 || arm64)

package endurance

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rules that every history keeps.
const (
	staysVisible   = "J01" // a session that was told of is there until its end
	staysGone      = "J02" // what was deleted, has ended or was before a restart never comes back
	oncePerKey     = "J04" // a key makes at most one session
	ownAnswer      = "J05" // a command's answer and traces are its own
	atMostOnce     = "J06" // no command runs twice, and none that was refused
	readsOwnWrites = "J07" // a file is a register
	listsMatching  = "J08" // lists have all that match, and nothing else
	getsResolved   = "J11" // what was unknown is known in the end
)

// A violation is a rule that was not kept, and where.
type violation struct{ Rule, Session, Text string }

func (v violation) String() string { return v.Rule + ": " + v.Text }

// A life is what the history tells of one session.
type life struct {
	group   string
	from    time.Duration   // before it nobody can have harmed the session
	told    time.Duration   // from then on it has to be there
	endings []time.Duration // from each of them it may be gone
	over    time.Duration   // from then on it must not be there
}

// A checker looks for violations in a history that has ended.
type checker struct {
	events []event
	lives  map[string]*life
	keys   map[string]map[string]bool // sessions by key
	found  []violation
}

// check returns all violations in h.
func check(h *history) []violation {
	c := &checker{events: slices.Clone(h.events), lives: map[string]*life{}, keys: map[string]map[string]bool{}}
	slices.SortStableFunc(c.events, func(a, b event) int { return int(a.Start - b.Start) })
	for _, r := range h.records {
		c.life(r.Session).group = r.Group
		c.key(r.Key, r.Session)
	}
	c.births()
	c.endings()
	c.sightings()
	c.sameKeys()
	c.commands()
	c.files()
	c.resolutions()
	return c.found
}

func (c *checker) violated(rule, session, format string, args ...any) {
	c.found = append(c.found, violation{rule, session, fmt.Sprintf(format, args...)})
}

func (c *checker) life(session string) *life {
	if c.lives[session] == nil {
		c.lives[session] = &life{from: never, told: never, over: never}
	}
	return c.lives[session]
}

func (c *checker) key(key, session string) {
	if c.keys[key] == nil {
		c.keys[key] = map[string]bool{}
	}
	c.keys[key][session] = true
}

// births finds out which sessions there were, and from when.
func (c *checker) births() {
	for _, e := range c.events {
		if e.Action == create && e.Outcome == done {
			l := c.life(e.Session)
			l.group, l.from, l.told = e.Group, min(l.from, e.Start), min(l.told, e.End)
			c.key(e.Key, e.Session)
		}
	}
}

// endings finds out from when each session may, and from when it must be gone.
func (c *checker) endings() {
	for _, e := range c.events {
		switch {
		case e.Action == harm && e.Session == "" || e.Action == restart:
			for _, l := range c.lives {
				if e.End >= l.from {
					l.endings = append(l.endings, e.Start)
				}
				if e.Action == restart && l.told <= e.Start {
					l.over = min(l.over, e.End)
				}
			}
		case e.Session == "":
		case e.Action == harm, (e.Action == remove || e.Action == expire) && e.Outcome != refused:
			l := c.life(e.Session)
			l.endings = append(l.endings, e.Start)
			if e.Action == remove && e.Outcome == done {
				l.over = min(l.over, e.End)
			}
		}
		if e.Session != "" && e.Action != create && e.Outcome == gone {
			l := c.life(e.Session)
			l.over = min(l.over, e.End)
		}
	}
}

// sightings compares what was seen of sessions with what there has to be.
func (c *checker) sightings() {
	for _, e := range c.events {
		switch {
		case e.Action == list && e.Outcome == done:
			c.listing(e)
		case e.Action == create && e.Outcome == gone:
			for id := range c.keys[e.Key] {
				c.absent(staysVisible, id, e)
			}
		case e.Session == "" || e.Action == harm || e.Action == remove && e.Outcome == done:
		case e.Outcome == gone:
			c.absent(staysVisible, e.Session, e)
		case e.Outcome == done:
			c.present(e.Session, e)
		}
	}
}

// listing looks at a list of the sessions of a group.
func (c *checker) listing(e event) {
	for _, id := range e.Found {
		if l := c.lives[id]; l == nil || l.group != e.Group {
			c.violated(listsMatching, id, "list of %s from %v to %v has %s, which is none of it", e.Group, e.Start, e.End, id)
			continue
		}
		c.present(id, e)
	}
	for id, l := range c.lives {
		if l.group == e.Group && !slices.Contains(e.Found, id) {
			c.absent(listsMatching, id, e)
		}
	}
}

// present has e see a session.
func (c *checker) present(id string, e event) {
	if l := c.life(id); e.Start >= l.over {
		c.violated(staysGone, id, "%s was over at %v, and there for a %s from %v to %v", id, l.over, e.Action, e.Start, e.End)
	}
}

// absent has e not see a session.
func (c *checker) absent(rule, id string, e event) {
	l := c.life(id)
	ended := slices.ContainsFunc(l.endings, func(at time.Duration) bool { return at <= e.End })
	if e.Start >= l.told && !ended {
		c.violated(rule, id, "%s was told of at %v, nothing ended it, and a %s from %v to %v did not find it",
			id, l.told, e.Action, e.Start, e.End)
	}
}

// sameKeys looks at what became of keys.
func (c *checker) sameKeys() {
	for key, sessions := range c.keys {
		if len(sessions) > 1 {
			c.violated(oncePerKey, "", "key %s made %d sessions", key, len(sessions))
		}
	}
	spent := map[string]time.Duration{} // by key, until when it was found to have ended
	for _, e := range c.events {
		if e.Action != create {
			continue
		}
		if at, ok := spent[e.Key]; ok && e.Outcome == done && e.Start >= at {
			c.violated(oncePerKey, e.Session, "key %s was spent at %v and made %s from %v to %v", e.Key, at, e.Session, e.Start, e.End)
		}
		if _, ok := spent[e.Key]; e.Outcome == gone && !ok {
			spent[e.Key] = e.End
		}
	}
}

// commands compares what commands said and noted with what they were to.
func (c *checker) commands() {
	runs := map[string]event{} // by text
	for _, e := range c.events {
		if e.Action != run {
			continue
		}
		runs[e.Value] = e
		if e.Outcome == done && strings.TrimSpace(e.Got) != e.Value {
			c.violated(ownAnswer, e.Session, "command %s in %s answered %q", e.Value, e.Session, e.Got)
		}
	}
	for _, e := range c.events {
		if e.Action != audit || e.Outcome != done {
			continue
		}
		times := map[string]int{}
		for _, text := range e.Found {
			times[text]++
			if r, ok := runs[text]; !ok || r.Session != e.Session {
				c.violated(ownAnswer, e.Session, "%s has the traces of %q, a command of %q", e.Session, text, r.Session)
			}
		}
		for text, r := range runs {
			switch n := times[text]; {
			case r.Session != e.Session:
			case n > 1:
				c.violated(atMostOnce, e.Session, "command %s ran %d times in %s", text, n, e.Session)
			case n == 1 && r.Outcome == refused:
				c.violated(atMostOnce, e.Session, "command %s was refused and ran in %s", text, e.Session)
			case n == 0 && r.Outcome == done && r.End <= e.Start:
				c.violated(ownAnswer, e.Session, "command %s was answered and left no traces in %s", text, e.Session)
			}
		}
	}
}

// files looks at each file as a register.
func (c *checker) files() {
	type file struct{ session, path string }
	files := map[file][]event{}
	for _, e := range c.events {
		if e.Action == write || e.Action == read {
			f := file{e.Session, e.Path}
			files[f] = append(files[f], e)
		}
	}
	for f, events := range files {
		if ok, why := linearizable(events); !ok {
			c.violated(readsOwnWrites, f.session, "%s of %s: %s", f.path, f.session, why)
		}
	}
}
