//go:build linux && (amd64 || arm64)

package launcher

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// trialID is the number of the group that is made to find out whether it can be:
// sandboxes start at 1.
const trialID = 0

// trialLimits are those of that group.
var trialLimits = cgroup.Limits{MemoryBytes: cgroup.MemoryReserve, Processes: 16, MilliCPU: 100}

// findGroups tries out where groups can be.
func findGroups(tag string) *groups {
	g := &groups{tag: tag}
	if tag != "" {
		g.places = cgroup.Find("").Choose(func(p cgroup.Place) error { return try(tag, p) })
		return g
	}
	g.places.Missing = map[string]string{}
	for _, c := range []string{cgroup.Memory, cgroup.PIDs, cgroup.CPU} {
		g.places.Missing[c] = "the owner cannot be told from other programs: /proc is not this program's own"
	}
	return g
}

// try makes a group in one place, has a process enter it, and removes it.
func try(tag string, p cgroup.Place) (err error) {
	places := cgroup.Places{List: []cgroup.Place{p}}
	group := places.Group(cgroup.Name(tag, trialID))
	if err := group.Make(trialLimits); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeSoon(group)) }()
	for _, c := range []string{cgroup.Memory, cgroup.PIDs, cgroup.CPU} {
		if places.Has(c) {
			if err := group.Check(c, trialLimits); err != nil {
				return err
			}
		}
	}
	entrance, err := group.Open()
	if err != nil {
		return err
	}
	defer entrance.Close()
	pid, pidFD, err := layers.TrialTape(entrance.Tasks...).Start(0, entrance.Clone)
	if err != nil {
		return fmt.Errorf("cgroup: fork into a group: %w", err)
	}
	_ = unix.Close(pidFD) // the pid will do
	status, err := wait(pid, 0)
	if err == nil && status.ExitStatus() != 0 {
		err = errNotEntered
	}
	return err
}

var errNotEntered = errors.New("cgroup: a process could not enter its group")

// removeSoon removes a group that is empty or about to be.
func removeSoon(g cgroup.Group) error {
	var err error
	for wait := time.Duration(busyPoll) * time.Millisecond; wait < time.Second; wait *= 2 {
		if err = g.Remove(); err == nil || !errors.Is(err, unix.EBUSY) {
			return err
		}
		time.Sleep(wait)
	}
	return err
}
