//go:build linux

package cgroup

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// dirPerm is the mode of groups: who made them, and root, may use them.
const dirPerm = 0o755

// Group is the group of one sandbox: a directory of the same name in each
// place. It is a name, not a hold on anything: the group need not exist.
// Its methods may be called concurrently.
type Group struct {
	name   string
	places Places
}

// Group returns the group of that name.
func (p Places) Group(name string) Group { return Group{name: name, places: p} }

func (g Group) dir(p *Place) string { return p.Dir + "/" + g.name }

// Make makes the group and sets its limits, and nothing when that fails.
func (g Group) Make(l Limits) error {
	for i := range g.places.List {
		p := &g.places.List[i]
		err := unix.Mkdir(g.dir(p), dirPerm)
		if err != nil {
			err = fmt.Errorf("make %s: %w", shown(g.dir(p)), err)
		} else if err = p.set(g.dir(p), l); err != nil {
			_ = unix.Rmdir(g.dir(p)) // it is empty
		}
		if err != nil {
			for j := range i {
				_ = unix.Rmdir(g.dir(&g.places.List[j])) // they are empty
			}
			return fmt.Errorf("cgroup: %w", err)
		}
	}
	return nil
}

// Kill kills all processes in the group where the kernel can do that at once,
// and in any case lets those that are frozen and killed go to their end.
func (g Group) Kill() {
	if p := g.places.with(Core); p != nil {
		_ = write(g.dir(p)+"/cgroup.kill", "1") // since Linux 5.14; pid 1 is killed besides
		return                                  // a kill goes through a freeze here
	}
	if p := g.places.with(Freezer); p != nil {
		_ = write(g.dir(p)+"/freezer.state", thawed) // a group that is gone needs none
	}
}

// Remove removes the group. What is not there is no error; EBUSY means that
// there are processes in it, or that the kernel has not finished with some.
func (g Group) Remove() error {
	var errs []error
	for i := range g.places.List {
		dir := g.dir(&g.places.List[i])
		if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("cgroup: remove %s: %w", dir, err))
		}
	}
	return errors.Join(errs...)
}
