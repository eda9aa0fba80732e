//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// set sets the limits of a group that is in p.
func (p *Place) set(dir string, l Limits) error {
	for _, s := range []struct {
		control string
		limit   int64
		set     func(dir string, version int, l Limits) error
	}{{Memory, l.MemoryBytes, setMemory}, {PIDs, l.Processes, setProcesses}, {CPU, l.MilliCPU, setCPU}} {
		if p.has(s.control) && s.limit > 0 {
			if err := s.set(dir, p.Version, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// socketShare is the part of its memory, one in so many, that a sandbox may
// have in buffers of Internet sockets besides: version 1 does not count them
// as memory, and limits them only when it is told to.
const socketShare = 8

func setMemory(dir string, version int, l Limits) error {
	limit, swap, swapLimit := "/memory.max", "/memory.swap.max", "0"
	if version == 1 {
		// Here it is memory and swap together that is limited, see
		// cgroup-v1/memory.rst in the kernel's documentation.
		limit, swap, swapLimit = "/memory.limit_in_bytes", "/memory.memsw.limit_in_bytes", decimal(l.MemoryBytes)
	}
	if err := write(dir+limit, decimal(l.MemoryBytes)); err != nil {
		return err
	}
	if err := write(dir+swap, swapLimit); err != nil && !errors.Is(err, unix.ENOENT) {
		return err // without the file there is no swap to account
	}
	if version == 2 {
		return nil // buffers of sockets are memory like any other
	}
	err := write(dir+"/memory.kmem.tcp.limit_in_bytes", decimal(l.MemoryBytes/socketShare))
	if errors.Is(err, unix.ENOENT) {
		return nil // a kernel without this account
	}
	return err
}

func setProcesses(dir string, _ int, l Limits) error {
	return write(dir+"/pids.max", decimal(l.Processes))
}

func setCPU(dir string, version int, l Limits) error {
	quota, period := bandwidth(l.MilliCPU)
	if version == 2 {
		return write(dir+"/cpu.max", decimal(quota)+" "+decimal(period))
	}
	if period != defaultPeriod {
		if err := write(dir+"/cpu.cfs_period_us", decimal(period)); err != nil {
			return err
		}
	}
	err := write(dir+"/cpu.cfs_quota_us", decimal(quota))
	if errors.Is(err, unix.EINVAL) && above(filepath.Dir(dir), quota, period) {
		return nil // the group above allows less, and so it is for all below
	}
	return err
}

// Bounds of the kernel for the period and quota of processor time, in
// microseconds, see sched-bwc.rst in its documentation.
const (
	defaultPeriod = 100_000
	longPeriod    = 1_000_000
	minQuota      = 1000
)

// bandwidth returns how many microseconds of processor time there are in each
// period.
func bandwidth(milliCPU int64) (quota, period int64) {
	period = defaultPeriod
	if milliCPU*period/1000 < minQuota {
		period = longPeriod
	}
	return max(milliCPU*period/1000, minQuota), period
}

// above reports whether the version 1 group in dir has less than that share:
// then the kernel refuses one for the groups below it.
func above(dir string, quota, period int64) bool {
	q, p, err := cfs(dir)
	return err == nil && q > 0 && q*period < quota*p
}

// Check reads a limit back from the kernel. It returns an error when it is not
// as in l, or there is none.
func (g Group) Check(control string, l Limits) error {
	p := g.places.with(control)
	if p == nil {
		return fmt.Errorf("cgroup: no control of %s: %s", control, strings.TrimPrefix(g.places.Missing[control], "cgroup: "))
	}
	var got, want int64
	var err error
	switch dir := g.dir(p); control {
	case Memory:
		file := "/memory.max"
		if p.Version == 1 {
			file = "/memory.limit_in_bytes"
		}
		want = l.MemoryBytes
		got, err = limit(dir + file)
	case PIDs:
		want = l.Processes
		got, err = limit(dir + "/pids.max")
	case CPU:
		want = l.MilliCPU
		got, err = share(dir, p.Version)
	}
	switch {
	case err != nil:
		return fmt.Errorf("cgroup: check: %w", err)
	case got > want:
		return fmt.Errorf("cgroup: check: %s: the limit is %d instead of %d", control, got, want)
	}
	return nil
}

// limit reads a file that holds a number or "max".
func limit(path string) (int64, error) {
	if text, err := read(path); text == "max" || err != nil {
		return math.MaxInt64, err
	}
	return number(path)
}

// share returns the processor time of a group in thousandths of one core's.
func share(dir string, version int) (int64, error) {
	account := cfs
	if version == 2 {
		account = cpuMax
	}
	quota, period, err := account(dir)
	switch {
	case err != nil:
		return 0, err
	case quota > 0 && period > 0:
		return quota * 1000 / period, nil
	}
	// Without a limit of its own: what the group above has.
	if _, _, err := cfs(filepath.Dir(dir)); version == 1 && err == nil {
		return share(filepath.Dir(dir), version)
	}
	return math.MaxInt64, nil
}

// cfs reads the quota, -1 for none, and the period of a version 1 group.
func cfs(dir string) (quota, period int64, err error) {
	if quota, err = number(dir + "/cpu.cfs_quota_us"); err == nil {
		period, err = number(dir + "/cpu.cfs_period_us")
	}
	return quota, period, err
}

// cpuMax reads the quota, -1 for none, and the period of a version 2 group.
func cpuMax(dir string) (quota, period int64, err error) {
	path := dir + "/cpu.max"
	text, err := read(path)
	if err != nil {
		return 0, 0, err
	}
	first, second, _ := strings.Cut(text, " ")
	if quota = -1; first != "max" {
		quota, err = strconv.ParseInt(first, 10, 64)
	}
	if err == nil {
		period, err = strconv.ParseInt(second, 10, 64)
	}
	if err != nil {
		err = fmt.Errorf("read %s: %w", shown(path), err)
	}
	return quota, period, err
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
