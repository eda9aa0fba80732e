//go:build linux && (amd64 || arm64)

package endurance

import (
	"context"
	"fmt"
	"math/rand"
	"slices"
)

// tasks are what a worker may do with a session, and how often.
var tasks = []struct {
	weight int
	do     func(*crew, *rand.Rand, *known)
}{
	{20, func(c *crew, _ *rand.Rand, s *known) { c.run(s) }},
	{8, func(c *crew, r *rand.Rand, s *known) { c.write(s, somePath(r)) }},
	{12, func(c *crew, r *rand.Rand, s *known) { c.read(s, somePath(r)) }},
	{6, func(c *crew, _ *rand.Rand, s *known) { c.get(s.ID) }},
	{6, func(c *crew, r *rand.Rand, _ *known) { c.list(fmt.Sprintf("group-%d", r.Intn(groups))) }},
	{6, func(c *crew, r *rand.Rand, _ *known) { c.create(c.pickKey(r)) }},
	{3, func(c *crew, _ *rand.Rand, s *known) { c.audit(s) }},
	{3, func(c *crew, _ *rand.Rand, s *known) { c.extend(s, extend) }},
	{1, func(c *crew, _ *rand.Rand, s *known) { c.extend(s, expire) }},
	{3, func(c *crew, _ *rand.Rand, s *known) { c.stopAndGo(s) }},
	{3, func(c *crew, _ *rand.Rand, s *known) { c.remove(s) }},
	{1, (*crew).getEnded},
}

func somePath(r *rand.Rand) string { return fmt.Sprintf("/tmp/file-%d", r.Intn(paths)) }

// work does one thing after another until ctx ends.
func (c *crew) work(ctx context.Context, r *rand.Rand) {
	sum := 0
	for _, t := range tasks {
		sum += t.weight
	}
	for ctx.Err() == nil {
		s, of := c.pick(r)
		switch {
		case s == nil:
			c.create(c.pickKey(r))
			continue
		case of > maxLive:
			c.remove(s)
			continue
		}
		n := r.Intn(sum)
		i := slices.IndexFunc(tasks, func(t struct {
			weight int
			do     func(*crew, *rand.Rand, *known)
		}) bool {
			n -= t.weight
			return n < 0
		})
		tasks[i].do(c, r, s)
	}
}

// stopAndGo pauses a session and lets it go on.
func (c *crew) stopAndGo(s *known) {
	c.pause(s)
	for range 3 {
		if o := c.resume(s); o == done || o == gone {
			return
		}
	}
}

// getEnded looks for a session that need not be there any more.
func (c *crew) getEnded(r *rand.Rand, _ *known) {
	c.mu.Lock()
	ids := make([]string, 0, len(c.ever))
	for id := range c.ever {
		ids = append(ids, id)
	}
	c.mu.Unlock()
	slices.Sort(ids)
	c.get(ids[r.Intn(len(ids))])
}

// settleAccounts finds out, when nothing goes wrong any more, what there is.
func (c *crew) settleAccounts(ctx context.Context) error {
	for _, key := range c.keys {
		c.create(key)
	}
	for id, s := range c.ever {
		if c.get(id) != done {
			continue
		}
		c.resume(s)
		c.audit(s)
		for i := range paths {
			c.read(s, fmt.Sprintf("/tmp/file-%d", i))
		}
	}
	for i := range groups {
		c.list(fmt.Sprintf("group-%d", i))
	}
	return c.remembers(ctx)
}
