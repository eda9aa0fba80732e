//go:build linux && (amd64 || arm64)

package endurance

// resolutions looks whether each call whose outcome was unknown was followed by
// one that told.
func (c *checker) resolutions() {
	for i, e := range c.events {
		if e.Outcome != unknown || e.Action == list || e.Action == harm {
			continue // a list changes nothing
		}
		resolved := false
		for _, later := range c.events[i+1:] {
			resolved = resolved || later.Start >= e.End && later.resolves(e)
		}
		if !resolved {
			c.violated(getsResolved, e.Session, "nobody knows what became of the %s of %s%s from %v to %v", e.Action, e.Session, e.Key, e.Start, e.End)
		}
	}
}

// resolves reports whether the outcome of e tells that of another call, before
// it.
func (e event) resolves(of event) bool {
	if of.Action == create {
		return e.Action == create && e.Key == of.Key && (e.Outcome == done || e.Outcome == gone)
	}
	if e.Session != of.Session || e.Action == harm {
		return false
	}
	if e.Outcome == gone || e.Action == remove && e.Outcome == done {
		return true
	}
	if e.Outcome != done {
		return false
	}
	switch of.Action {
	case run:
		return e.Action == audit
	case write:
		return e.Action == read && e.Path == of.Path
	case pause, resume:
		return e.Action == resume
	default:
		return true
	}
}
