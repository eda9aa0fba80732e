//go:build linux && (amd64 || arm64)

package launcher

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// victimScore is the oom_score_adj of guests: when the machine is out of memory,
// sandboxes end before their owner does, and when a sandbox is, commands, which
// have the highest, before the guest.
const (
	victimScore = 500
	scoreFile   = "/proc/self/oom_score_adj"
)

// closeInherited closes what the owner has open without O_CLOEXEC: kept open
// here it would never end for whoever is at the other end. All that this
// process itself has opened yet, the Go runtime included, is closed on exec.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("launcher: list descriptors: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < layers.ReservedFD {
			continue
		}
		// The one that listed them is closed already, and on exec.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd) // nothing of ours
		}
	}
	return nil
}

// Classes of precedence for disks, see ioprio_set(2).
const (
	ioWhoProcess = 1
	ioClassShift = 13
	ioClassIdle  = 3
	ioNone       = 0 // follows from the nice value
)

// calm takes from the calling thread, and so from what it forks, the
// precedence that an owner may have over other programs. Giving it up is
// always permitted. An owner that stands back takes its sandboxes with it.
func calm() error {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return fmt.Errorf("launcher: read the scheduling policy: %w", err)
	}
	realTime := attr.Policy == unix.SCHED_FIFO || attr.Policy == unix.SCHED_RR || attr.Policy == unix.SCHED_DEADLINE
	if realTime || attr.Nice < 0 {
		if realTime {
			attr.Policy = unix.SCHED_NORMAL
		}
		calm := &unix.SchedAttr{
			Size: unix.SizeofSchedAttr, Policy: attr.Policy, Nice: max(attr.Nice, 0),
			Flags: attr.Flags & unix.SCHED_FLAG_RESET_ON_FORK, // only the privileged may take it away
		}
		if err := unix.SchedSetAttr(0, calm, 0); err != nil {
			return fmt.Errorf("launcher: set the scheduling policy: %w", err)
		}
	}
	prio, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, ioWhoProcess, 0, 0)
	if errno == 0 && prio>>ioClassShift != ioClassIdle {
		_, _, errno = unix.Syscall(unix.SYS_IOPRIO_SET, ioWhoProcess, 0, ioNone)
	}
	if errno != 0 && errno != unix.ENOSYS { // kernels can be without block devices
		return fmt.Errorf("launcher: set the priority for disks: %w", errno)
	}
	return nil
}

// victim returns the oom_score_adj for guests. An owner that has a higher one
// itself is to be the first to go; the launcher then tries to have no more than
// guests have, which is permitted where nobody privileged has set the owner's.
func victim() (int, error) {
	own, err := score()
	if err == nil && own > victimScore {
		_ = write(scoreFile, strconv.Itoa(victimScore)) // else it stays as it is
		own, err = score()
	}
	return max(own, victimScore), err
}

func score() (int, error) {
	text, err := os.ReadFile(scoreFile)
	if err != nil {
		return 0, fmt.Errorf("launcher: %w", err)
	}
	own, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("launcher: oom_score_adj: %w", err)
	}
	return own, nil
}
