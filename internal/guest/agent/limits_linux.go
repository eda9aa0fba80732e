package agent

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ThreadReserve is how many processes and threads the agent's own limit has to
// exceed that of commands, which the agent sets: its runtime cannot go on
// without the thread that it needs, and commands of the same user count against
// the same number.
const ThreadReserve = 24

// oomScore makes commands the first that the kernel kills when memory is used
// up, see oom_score_adj in proc(5): of the sandbox's, and of the machine's.
// What they lower it to again is no less than the agent's own, beside which
// whoever uses up memory is large.
const oomScore = "1000"

// limits are what commands inherit and the agent itself does without: they are
// in force while a command starts.
type limits struct {
	marks     *marks
	processes unix.Rlimit // as found
	score     int         // descriptor of the agent's oom_score_adj; -1 when it cannot be changed
	found     []byte      // what it was
}

func newLimits() (limits, error) {
	l := limits{score: -1}
	// What cannot be read stays zero and is left alone.
	_ = unix.Getrlimit(unix.RLIMIT_NPROC, &l.processes)
	l.openScore()
	var err error
	l.marks, err = newMarks()
	return l, err
}

// openScore opens the agent's own oom_score_adj. The file is root's while the
// process is not dumpable, as it is again when this returns.
func (l *limits) openScore() {
	const name = "/proc/self/oom_score_adj"
	if unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) == nil {
		defer func() { _ = hideSelf() }() // these are the values that never fail
	}
	text := readAll(name, 16)
	if _, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		return
	}
	if fd, err := unix.Open(name, unix.O_WRONLY|unix.O_CLOEXEC, 0); err == nil {
		l.score, l.found = fd, text // without, the kernel chooses by size alone
	}
}

// lower sets the limits for a command that is about to start.
func (l *limits) lower(mark uint64) error {
	if err := l.marks.put(mark); err != nil {
		return err
	}
	l.setScore([]byte(oomScore))
	if n, ok := l.commandProcesses(); ok {
		return l.marks.set(0, unix.RLIMIT_NPROC, &unix.Rlimit{Cur: n, Max: l.processes.Max})
	}
	return nil
}

// restore takes back what would be in the agent's own way.
func (l *limits) restore() {
	if _, ok := l.commandProcesses(); ok {
		_ = l.marks.set(0, unix.RLIMIT_NPROC, &l.processes) // it was so before
	}
	l.setScore(l.found)
}

func (l *limits) setScore(text []byte) {
	if l.score >= 0 {
		_, _ = unix.Pwrite(l.score, text, 0) // see openScore
	}
}

// commandProcesses is the limit of processes that commands get; false when the
// agent's own leaves no room for a lower one.
func (l *limits) commandProcesses() (uint64, bool) {
	ok := l.processes.Cur > ThreadReserve && l.processes.Cur != unix.RLIM_INFINITY
	return l.processes.Cur - ThreadReserve, ok
}

// limitCPU bounds the processor time of the main process of a command, and of
// each process that it starts from then on: at seconds it gets SIGXCPU, and
// one later it is killed. It may be gone already.
func (l *limits) limitCPU(pid int, seconds uint64) {
	_ = l.marks.set(pid, unix.RLIMIT_CPU, &unix.Rlimit{Cur: seconds, Max: seconds + 1})
}

// ticksPerSecond is the unit of times in /proc, on every Linux.
const ticksPerSecond = 100
