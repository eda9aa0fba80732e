package agent

import (
	"time"

	"golang.org/x/sys/unix"
)

// ThreadReserve is how many processes and threads the agent's own limit has to
// exceed that of commands, which the agent sets: its runtime cannot go on
// without the thread that it needs, and commands of the same user count against
// the same number.
const ThreadReserve = 24

// tagCount is how many tags there are.
const tagCount = 1 << 14

// limits are the resource limits that commands inherit and the agent itself
// does without. Only the soft ones are lowered while a command starts, because
// the agent has to take that back: a command that raises them again endangers
// its own sandbox alone.
type limits struct {
	processes unix.Rlimit // as found
	signals   unix.Rlimit
}

func readLimits() limits {
	var l limits
	// What cannot be read stays zero and is left alone.
	_ = unix.Getrlimit(unix.RLIMIT_NPROC, &l.processes)
	_ = unix.Getrlimit(unix.RLIMIT_SIGPENDING, &l.signals)
	return l
}

// lower sets the limits for a command that is about to start. It is marked
// with tag: the number of signals that may be pending, of which there are
// always far too many, is passed on to whatever it starts and does not show.
func (l *limits) lower(tag uint64) {
	if n, ok := l.commandProcesses(); ok {
		l.set(unix.RLIMIT_NPROC, l.processes, n)
	}
	if base := l.signalBase(); base > 0 {
		l.set(unix.RLIMIT_SIGPENDING, l.signals, base+tag)
	}
}

func (l *limits) restore() {
	if _, ok := l.commandProcesses(); ok {
		l.set(unix.RLIMIT_NPROC, l.processes, l.processes.Cur)
	}
	if l.signalBase() > 0 {
		l.set(unix.RLIMIT_SIGPENDING, l.signals, l.signals.Cur)
	}
}

// commandProcesses is the limit of processes that commands get; false when the
// agent's own leaves no room for a lower one.
func (l *limits) commandProcesses() (uint64, bool) {
	ok := l.processes.Cur > ThreadReserve && l.processes.Cur != unix.RLIM_INFINITY
	return l.processes.Cur - ThreadReserve, ok
}

// signalBase is the limit of tag 0; 0 when there is no room for tags.
func (l *limits) signalBase() uint64 {
	top := min(l.signals.Cur, l.signals.Max, 1<<20)
	if top < 2*tagCount {
		return 0
	}
	return top - tagCount
}

func (*limits) set(resource int, found unix.Rlimit, soft uint64) {
	// Without it, less is bounded or found, nothing more.
	_ = unix.Setrlimit(resource, &unix.Rlimit{Cur: soft, Max: found.Max})
}

// freeTag returns a tag that no running command has. The lock is held.
func (r *reaper) freeTag() uint64 {
	tag := uint64(r.starts) % tagCount
	for {
		used := false
		for _, p := range r.running {
			used = used || p.tag == tag
		}
		if !used {
			return tag
		}
		tag = (tag + 1) % tagCount
	}
}

// ticksPerSecond is the unit of times in /proc, on every Linux.
const ticksPerSecond = 100

// bootTicks is now, by the clock of start times in /proc.
func bootTicks() uint64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		return 0
	}
	return uint64(now.Nano()) * ticksPerSecond / uint64(time.Second)
}
