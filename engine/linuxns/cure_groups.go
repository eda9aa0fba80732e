//go:build linux && (amd64 || arm64)

package linuxns

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
)

// ownGroups are the groups that the program was in when it first asked.
var ownGroups = sync.OnceValue(func() []cgroup.Place { return cgroup.Find("").Own() })

// cureLimit says how sandboxes get a control, or groups at all ("").
func cureLimit(p cgroup.Places, control string) string {
	if p.Version(cgroup.Core) == 2 && p.Has(cgroup.Memory) && control == cgroup.CPU {
		return "ask for the control to be handed on: Delegate=cpu memory pids for user@.service or the program's own service, see systemd.resource-control(5)"
	}
	return cureGroups(ownGroups(), os.Geteuid())
}

// cureGroups says how a user whose program is in those groups gets some for
// sandboxes.
func cureGroups(own []cgroup.Place, uid int) string {
	var old []string // directories of version 1, which have the limits if there are any
	for _, p := range own {
		if p.Version == 1 {
			old = append(old, p.Dir)
		}
	}
	switch {
	case len(own) == 0:
		return "mount control groups so that the program sees its own, see cgroups(7)"
	case slices.ContainsFunc(own, readOnly):
		return "have control groups mounted writable, in a container with the program in a group of its own below the container's; " +
			"or run the program on the host"
	case uid == 0:
		return "find out what keeps root from making groups below the program's own: a security module, " +
			"a limit on how many there are, or on version 2 that no group above it hands its controls on"
	case old != nil:
		return fmt.Sprintf("run as root, or have root make groups for this user and put the program into them before its first session: "+
			"for D in %s; do mkdir $D/agb && chown -R %d $D/agb && echo PID > $D/agb/cgroup.procs; done; "+
			"or use version 2 of control groups, which systemd can delegate", strings.Join(old, " "), uid)
	default:
		return "run as root, or let systemd give the program a group: systemd-run --user --scope PROGRAM, or Delegate=yes and DelegateSubgroup=main in its service"
	}
}

// readOnly reports whether a group is in a place that is mounted read-only, as
// in most containers.
func readOnly(p cgroup.Place) bool {
	var fs unix.Statfs_t
	return unix.Statfs(p.Dir, &fs) == nil && fs.Flags&unix.ST_RDONLY != 0
}
