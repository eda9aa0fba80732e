//go:build linux

package cgroup

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Enter is what a thread writes to each of [Entrance.Tasks] to get into a group.
const Enter = "0"

// Entrance is how a process that is being forked gets into a group: it is
// cloned into the version 2 part (CLONE_INTO_CGROUP), and goes into the others
// itself, as the first thing it does.
type Entrance struct {
	Clone int   // descriptor of the version 2 group; -1 for none
	Tasks []int // of the files "tasks" of version 1
}

// Open opens the entrance to the group. The caller must close it.
func (g Group) Open() (*Entrance, error) {
	e := &Entrance{Clone: -1}
	for i := range g.places.List {
		p := &g.places.List[i]
		var err error
		if p.Version == 1 {
			var fd int
			if fd, err = open(g.dir(p)+"/tasks", unix.O_WRONLY); err == nil {
				e.Tasks = append(e.Tasks, fd)
			}
		} else if p.has(Core) {
			e.Clone, err = open(g.dir(p), unix.O_PATH|unix.O_DIRECTORY)
		}
		if err != nil {
			e.Close()
			return nil, fmt.Errorf("cgroup: %w", err)
		}
	}
	return e, nil
}

// Close closes the descriptors. What is in the group stays there.
func (e *Entrance) Close() {
	for _, fd := range e.Tasks {
		_ = unix.Close(fd) // what was written is done
	}
	if e.Clone >= 0 {
		_ = unix.Close(e.Clone) // names a directory
	}
	e.Tasks, e.Clone = nil, -1
}
