//go:build linux

// Package cgroup limits, accounts, freezes and kills the processes of a
// sandbox with the kernel's control groups, see cgroups(7).
//
// A machine has one tree of groups (version 2), or one for each kind of
// control (version 1), or both (hybrid): version 1 for memory, processes and
// processor, and a version 2 tree without controls, which can still freeze,
// kill and count processor time. [Find] reads what there is, [Layout.Choose]
// tries it, and the result is [Places]: the directories below which each
// sandbox gets a [Group], a directory of the same name in each.
//
// Version 1 lets groups be made below the group that the calling process is
// in. Version 2 does not, because that one has processes: there it is the
// nearest group further up that may be written to and hands its controls on.
// The limits of the groups in between do not apply to sandboxes then. No
// process that exists is ever moved for good, and nothing is changed in groups
// of others, except that controls that a group has are handed on to ours.
//
// A process enters a version 2 group as it is forked, and then moves itself to
// those of version 1, see [Entrance]: a thread that moves itself spares the
// kernel the wait for an RCU grace period, 8 ms, that moving another takes.
package cgroup

import (
	"os"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/guest/agent"
)

// Layer names this layer in failures and reports.
const Layer = "control groups"

// Controls, by their names in the kernel.
const (
	Memory  = "memory"
	PIDs    = "pids"
	CPU     = "cpu"
	CPUAcct = "cpuacct" // only version 1: counts processor time
	Freezer = "freezer" // only version 1
	Core    = "core"    // our name for what every version 2 group has: freeze, kill, cpu.stat
)

// MemoryReserve is how much memory a group may have beyond what commands may
// use: for the guest itself, and for what the kernel keeps of a sandbox.
const MemoryReserve = 16 << 20

// Limits are those of a group, with what the guest itself needs. What is 0 is
// not limited.
type Limits struct {
	MemoryBytes int64 // a multiple of the page size
	Processes   int64
	MilliCPU    int64
}

// For returns the limits of the group of a sandbox whose commands are to have l.
func For(l driver.Limits) Limits {
	page := int64(os.Getpagesize())
	return Limits{
		MemoryBytes: (l.MemoryBytes + MemoryReserve) / page * page,
		Processes:   int64(l.Processes) + agent.ThreadReserve,
		MilliCPU:    int64(l.MilliCPU),
	}
}

// Place is a directory below which groups are made.
type Place struct {
	Dir      string   // absolute
	Version  int      // 1 or 2
	Controls []string // what its groups are used for
}

func (p Place) has(control string) bool {
	for _, c := range p.Controls {
		if c == control {
			return true
		}
	}
	return false
}

// Places are where the groups of sandboxes are, at most one place for each
// control. The zero value has none: sandboxes have no groups then.
type Places struct {
	List []Place
	// Missing says for each control that groups do not have why that is so.
	Missing map[string]string
}

// Has reports whether groups have a control.
func (p Places) Has(control string) bool { return p.with(control) != nil }

// Version returns which version of control groups has a control, or 0.
func (p Places) Version(control string) int {
	if place := p.with(control); place != nil {
		return place.Version
	}
	return 0
}

func (p Places) with(control string) *Place {
	for i := range p.List {
		if p.List[i].has(control) {
			return &p.List[i]
		}
	}
	return nil
}
