//go:build linux && (amd64 || arm64)

package launcher

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// TagEnv is the environment variable by which the owner tells a launcher what
// the names of its groups begin with, see [cgroup.Tag]. Without it there are no
// groups.
const TagEnv = "AGB_GROUPS"

// Bounds of what is left to remove.
const (
	busyLimit   = 1024            // groups; with more there are no further sandboxes
	busyPoll    = 2               // milliseconds until the first is tried again, doubled each time
	busyPollMax = 500             // milliseconds
	busyTimeout = 5 * time.Second // at the end, before groups are left to a sweep
)

// groups makes and removes the groups of sandboxes. Without places all of it
// does nothing.
type groups struct {
	tag    string
	places cgroup.Places
	busy   []cgroup.Group // of sandboxes that are gone; could not be removed yet
	poll   int            // milliseconds
}

// in makes a group, has fork make a process that enters it, and returns the
// group. When fork fails the group is gone again.
func (g *groups) in(id uint64, l driver.Limits, fork func(*cgroup.Entrance) error) (cgroup.Group, error) {
	if len(g.busy) >= busyLimit {
		return cgroup.Group{}, at(cgroup.Layer, "remove the groups of earlier sandboxes", unix.EBUSY)
	}
	group := g.places.Group(cgroup.Name(g.tag, id))
	if err := group.Make(withoutSome(cgroup.For(l))); err != nil {
		return group, at(cgroup.Layer, err.Error(), err)
	}
	entrance, err := group.Open()
	if err != nil {
		err = at(cgroup.Layer, err.Error(), err)
	} else {
		err = fork(entrance)
		entrance.Close()
	}
	if err != nil {
		g.remove(group)
	}
	return group, err
}

// withoutSome leaves limits out where a test of the tests asks for it.
func withoutSome(l cgroup.Limits) cgroup.Limits {
	if layers.Without(driver.MemoryLimit) {
		l.MemoryBytes = 0
	}
	if layers.Without(driver.ProcessLimit) {
		l.Processes = 0
	}
	if layers.Without(driver.CPULimit) {
		l.MilliCPU = 0
	}
	return l
}

// usage reads what the sandbox of a group has used; nil when that is not known.
func (g *groups) usage(group cgroup.Group) *driver.Usage {
	if !g.places.Accounts() {
		return nil
	}
	u, err := group.Usage()
	if err != nil {
		return nil
	}
	u.Processes = 0
	return &u
}

// remove removes a group, later if need be.
func (g *groups) remove(group cgroup.Group) {
	if group.Remove() != nil {
		g.busy, g.poll = append(g.busy, group), busyPoll
	}
}

// retry removes what could not be removed.
func (g *groups) retry() {
	if len(g.busy) == 0 {
		return
	}
	busy := g.busy
	g.busy = g.busy[:0]
	for _, group := range busy {
		if group.Remove() != nil {
			g.busy = append(g.busy, group)
		}
	}
	g.poll = min(2*g.poll, busyPollMax)
}

// timeout returns after how many milliseconds without work to retry; -1 is
// never.
func (g *groups) timeout() int {
	if len(g.busy) > 0 {
		return g.poll
	}
	return -1
}

// finish removes what is left, and takes some time for it.
func (g *groups) finish() {
	for end := time.Now().Add(busyTimeout); len(g.busy) > 0 && time.Now().Before(end); g.retry() {
		time.Sleep(time.Duration(g.poll) * time.Millisecond)
	}
}

// hello tells the owner where groups are.
func (g *groups) hello() error {
	msg, err := control.Hello{Groups: g.places}.Append(nil)
	if err != nil {
		return err
	}
	if _, err := unix.Write(layers.ControlFD, msg); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		return fmt.Errorf("launcher: hello: %w", err)
	}
	return nil
}
