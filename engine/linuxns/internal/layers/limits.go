//go:build linux && (amd64 || arm64)

package layers

import (
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
	"github.com/agb-go/sdk/internal/guest/agent"
)

// limits sets the resource limits, soft and hard alike. The agent lowers that of
// processes for commands.
func (b *builder) limits(l driver.Limits, ids IDs) {
	b.Layer(Limits)
	for _, r := range []struct {
		name  string
		which int
		value uint64
	}{
		{"processes", unix.RLIMIT_NPROC, uint64(l.Processes) + agent.ThreadReserve},
		{"open files", unix.RLIMIT_NOFILE, openFiles(uint64(l.OpenFiles), ids)},
		{"file size", unix.RLIMIT_FSIZE, uint64(l.FileBytes)},
		{"data", unix.RLIMIT_DATA, uint64(l.DataBytes)},
		// With 0 the kernel still starts the handler that core_pattern may
		// name, as real root on the host. With exactly 1 it does not.
		{"core", unix.RLIMIT_CORE, 1},
		{"nice", unix.RLIMIT_NICE, 0},
		{"real time priority", unix.RLIMIT_RTPRIO, 0},
		// These are counted for the owner, too, see getrlimit(2).
		{"locked memory", unix.RLIMIT_MEMLOCK, 64 << 10},
		{"message queues", unix.RLIMIT_MSGQUEUE, 0},
		{"pending signals", unix.RLIMIT_SIGPENDING, 1024},
	} {
		if r.which == unix.RLIMIT_NPROC && Without(driver.ProcessLimit) {
			continue
		}
		value := &unix.Rlimit{Cur: atMostHard(r.which, r.value), Max: atMostHard(r.which, r.value)}
		b.call("set "+r.name, unix.SYS_PRLIMIT64, 0, uintptr(r.which), tape.Hold(b.Tape, value), 0)
	}
}

// openFiles returns the limit of descriptors. Those on their way through sockets
// are counted for the owner's user, and no process may send more while there
// are more than its own limit: with as many as the owner may have itself,
// sandboxes of an ordinary owner could keep it from making others. See
// unix(7), ETOOMANYREFS.
func openFiles(n uint64, ids IDs) uint64 {
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil || ids.Range {
		return n
	}
	return min(n, max(now.Max/2, 1))
}

// atMostHard returns value, or the hard limit that the launcher inherited
// where that is lower: nobody can raise it here.
func atMostHard(which int, value uint64) uint64 {
	var now unix.Rlimit
	if err := unix.Getrlimit(which, &now); err != nil {
		return value
	}
	return min(value, now.Max)
}
