//go:build linux && (amd64 || arm64)

package linuxns

import (
	"errors"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
)

// WithoutGroups makes sandboxes of r go without control groups, as on machines
// that have none.
func WithoutGroups(r driver.Runtime) {
	r.(*Runtime).tag = func() (string, error) { return "", errors.New("a test goes without control groups") }
}

// GroupDirs returns the directories of the control group of a sandbox.
func GroupDirs(sb driver.Sandbox) []string {
	s := sb.(*sandbox)
	return s.launcher.groupDirs(s.id)
}

// NextGroupDirs returns those of the n-th sandbox that the same launcher is
// asked for from now on.
func NextGroupDirs(sb driver.Sandbox, n uint64) []string {
	l := sb.(*sandbox).launcher
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.groupDirs(l.next + n)
}

// LauncherPID returns the pid of the launcher that made a sandbox.
func LauncherPID(sb driver.Sandbox) int { return sb.(*sandbox).launcher.process.Pid }

func (l *launcher) groupDirs(id uint64) []string {
	var dirs []string
	for _, place := range l.places().List {
		dirs = append(dirs, place.Dir+"/"+cgroup.Name(l.tag, id))
	}
	return dirs
}

// HasGroups reports whether the machine lets this program have control groups
// with all limits, and if not, why.
func HasGroups(sb driver.Sandbox) (bool, string) {
	places := sb.(*sandbox).launcher.places()
	for _, control := range []string{cgroup.Memory, cgroup.PIDs, cgroup.CPU} {
		if !places.Has(control) {
			return false, control + ": " + places.Missing[control]
		}
	}
	return true, ""
}

// MemoryReserve is what a sandbox may have beyond Limits.MemoryBytes.
const MemoryReserve = cgroup.MemoryReserve
