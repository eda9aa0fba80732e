//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
)

// Accounts reports whether groups count everything that [Group.Usage] tells.
func (p Places) Accounts() bool {
	return p.Has(Memory) && p.Has(PIDs) && (p.Has(Core) || p.Has(CPUAcct))
}

// Usage reads what the group has used since it was made. The group must exist,
// in places that account.
func (g Group) Usage() (driver.Usage, error) {
	var u driver.Usage
	err := errors.Join(g.memory(&u), g.processes(&u), g.cpu(&u))
	if err != nil {
		return driver.Usage{}, fmt.Errorf("cgroup: usage: %w", err)
	}
	return u, nil
}

func (g Group) memory(u *driver.Usage) error {
	p := g.places.with(Memory)
	if p == nil {
		return errNoControl
	}
	now, peak := "/memory.current", "/memory.peak"
	if p.Version == 1 {
		now, peak = "/memory.usage_in_bytes", "/memory.max_usage_in_bytes"
	}
	var err error
	if u.MemoryBytes, err = number(g.dir(p) + now); err != nil {
		return err
	}
	if u.PeakBytes, err = number(g.dir(p) + peak); err != nil && !errors.Is(err, unix.ENOENT) { // since Linux 5.19
		return err
	}
	u.OOMKills, err = g.OOMKills()
	return err
}

// OOMKills reads what Usage tells of that name, in a fifth of the time. The
// group must exist. The kernel counts a process before it kills it.
func (g Group) OOMKills() (int64, error) {
	p := g.places.with(Memory)
	if p == nil {
		return 0, fmt.Errorf("cgroup: oom kills: %w", errNoControl)
	}
	file := "/memory.events"
	if p.Version == 1 {
		file = "/memory.oom_control"
	}
	n, err := field(g.dir(p)+file, "oom_kill")
	if err != nil {
		return 0, fmt.Errorf("cgroup: oom kills: %w", err)
	}
	return n, nil
}

func (g Group) processes(u *driver.Usage) error {
	p := g.places.with(PIDs)
	if p == nil {
		return errNoControl
	}
	n, err := number(g.dir(p) + "/pids.current")
	u.Processes = int(n)
	return err
}

func (g Group) cpu(u *driver.Usage) error {
	if p := g.places.with(Core); p != nil {
		n, err := field(g.dir(p)+"/cpu.stat", "usage_usec")
		u.CPU = time.Duration(n) * time.Microsecond
		return err
	}
	p := g.places.with(CPUAcct)
	if p == nil {
		return errNoControl
	}
	n, err := number(g.dir(p) + "/cpuacct.usage")
	u.CPU = time.Duration(n)
	return err
}

var errNoControl = errors.New("groups do not have the control")
