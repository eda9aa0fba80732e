//go:build linux && (amd64 || arm64)

package endurance

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"slices"
	"sync"

	"github.com/agb-go/sdk/agb"
)

const (
	groups    = 3  // labels that sessions have one of
	paths     = 3  // files of each session
	maxLive   = 16 // sessions, about
	recent    = 6  // keys that may be used again
	fileBytes = 16 // every value has as many, so that a reader never meets a size of another
)

// A crew is the clients that work at a time, and what they share.
type crew struct {
	client  *agb.Client
	history *history

	mu    sync.Mutex
	texts int
	keys  []string
	known []*known // sessions that are thought to be alive
	ever  map[string]*known
}

// known is a session that somebody was told of.
type known struct {
	*agb.Session
	key string
}

func newCrew(c *agb.Client) *crew {
	return &crew{client: c, history: newHistory(), ever: map[string]*known{}}
}

// text returns a text that was not there before.
func (c *crew) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts++
	return fmt.Sprintf("%0*d", fileBytes, c.texts)
}

// pickKey returns a key to create with, sometimes one that somebody else uses.
func (c *crew) pickKey(r *rand.Rand) string {
	fresh := "key-" + c.text()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.keys) > 0 && r.Intn(4) == 0 {
		return c.keys[max(0, len(c.keys)-recent):][r.Intn(min(recent, len(c.keys)))]
	}
	c.keys = append(c.keys, fresh)
	return fresh
}

// groupOf is the group of the sessions of a key.
func groupOf(key string) string { return fmt.Sprintf("group-%d", int(key[len(key)-1])%groups) }

func (c *crew) learn(s *agb.Session, key string) (first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ever[s.ID] != nil {
		return false
	}
	k := &known{s, key}
	c.ever[s.ID] = k
	c.known = append(c.known, k)
	return true
}

func (c *crew) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known = slices.DeleteFunc(c.known, func(k *known) bool { return k.ID == id })
}

// pick returns a session that is thought to be alive, and how many are; nil
// when there is none.
func (c *crew) pick(r *rand.Rand) (k *known, of int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) == 0 {
		return nil, 0
	}
	return c.known[r.Intn(len(c.known))], len(c.known)
}

// outcomeOf returns what a client knows after an error of a call about a
// session. A file that is not there was found not to be.
func outcomeOf(err error) outcome {
	switch {
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return done
	case errors.Is(err, agb.ErrSessionNotFound):
		return gone
	case errors.Is(err, agb.ErrFailedPrecondition), errors.Is(err, agb.ErrInvalidArgument):
		return refused // it is paused, or too busy to be
	}
	return unknown
}

// outcomeOfCreate is the same of creations.
func outcomeOfCreate(err error) outcome {
	switch {
	case err == nil:
		return done
	case errors.Is(err, agb.ErrFailedPrecondition):
		return gone
	case errors.Is(err, agb.ErrResourceExhausted), errors.Is(err, agb.ErrInvalidArgument):
		return refused
	}
	return unknown
}
