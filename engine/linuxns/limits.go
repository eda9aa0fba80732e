//go:build linux && (amd64 || arm64)

package linuxns

import (
	"fmt"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
)

// Layers implements [driver.Sandbox]: it reads the limits of the sandbox's
// group from the kernel each time. Limits that a tape sets are there, because
// no sandbox starts without; the guest sees them from inside, too.
func (s *sandbox) Layers() []driver.Layer {
	l, limits := s.limits, cgroup.For(s.limits)
	memory := s.groupLayer(driver.MemoryLimit, cgroup.Memory, limits,
		size(l.MemoryBytes)+", and "+size(cgroup.MemoryReserve)+" for the guest")
	processes := driver.Layer{Name: driver.ProcessLimit, OK: true, Detail: fmt.Sprintf("%d, RLIMIT_NPROC", l.Processes)}
	if s.launcher.places().Has(cgroup.PIDs) {
		processes = s.groupLayer(driver.ProcessLimit, cgroup.PIDs, limits,
			fmt.Sprintf("%d, and %d for the guest", l.Processes, limits.Processes-int64(l.Processes)))
	}
	cpu := s.groupLayer(driver.CPULimit, cgroup.CPU, limits, fmt.Sprintf("%d thousandths of a core", l.MilliCPU))
	disk := driver.Layer{
		Name: driver.DiskLimit, OK: true, Detail: fmt.Sprintf("%s and %d files, in memory", size(l.DiskBytes), l.DiskInodes),
	}
	return []driver.Layer{landlock(), memory, processes, cpu, disk}
}

// groupLayer reads one limit back.
func (s *sandbox) groupLayer(name, control string, limits cgroup.Limits, detail string) driver.Layer {
	if err := s.group().Check(control, limits); err != nil {
		return driver.Layer{Name: name, Detail: err.Error(), Cure: cureLimit(s.launcher.places(), control)}
	}
	version := s.launcher.places().Version(control)
	return driver.Layer{Name: name, OK: true, Detail: fmt.Sprintf("%s, control groups version %d", detail, version)}
}

// size says how many bytes n is, in the largest unit that tells it exactly.
func size(n int64) string {
	unit := 0
	for ; n > 0 && n%1024 == 0 && unit < len(units)-1; unit++ {
		n /= 1024
	}
	return fmt.Sprintf("%d %s", n, units[unit])
}

var units = [...]string{"bytes", "KiB", "MiB", "GiB"}
