package agent

import (
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// meterLeast and meterMost bound the time between two looks at what a
	// command has used.
	meterLeast = 20 * time.Millisecond
	meterMost  = time.Second
	// meterGrace is how long a command may go on after SIGXCPU.
	meterGrace = time.Second
)

// meter holds a command to its limit of processor time. The kernel does so for
// each process, see limitCPU; the meter does it for all together.
type meter struct {
	children *reaper
	proc     *process
	limit    time.Duration
	timer    *time.Timer // of the next look
	reached  bool        // the limit, and the command was told
}

// newMeter returns a meter that is to be looked at when its timer fires. With a
// limit of 0 that is never.
func newMeter(r *reaper, p *process, limit time.Duration) *meter {
	m := &meter{children: r, proc: p, limit: limit, timer: time.NewTimer(meterMost)}
	if limit == 0 {
		m.timer.Stop()
	} else {
		m.timer.Reset(m.pause(0))
	}
	return m
}

func (m *meter) stop() {
	m.timer.Stop()
	if m.limit > 0 {
		m.children.release(m.proc)
	}
}

// look is called when the timer fires. It reports whether the command has had
// its limit and its grace.
func (m *meter) look() bool {
	if m.reached {
		return true
	}
	used, err := m.children.used(m.proc)
	if err == nil && used >= m.limit {
		m.reached = true
		// The kernel may have told it already; once more is no harm.
		_ = eachMarked(m.proc.mark, func(pid int) { _ = unix.Kill(pid, unix.SIGXCPU) }, func() {})
		m.timer.Reset(meterGrace)
		return false
	}
	m.timer.Reset(m.pause(used))
	return false
}

// obeyed reports whether the process, which is gone, has ended for its limit. The
// kernel may have noticed before the meter did. It counts whole ticks then, of
// which the account of one that is gone may tell a part.
func (m *meter) obeyed() bool {
	if m.limit == 0 {
		return false
	}
	used, status := cpu(m.proc.usage), m.proc.status
	told := status.Signaled() && status.Signal() == unix.SIGXCPU || status.Exited() && status.ExitStatus() == 128+int(unix.SIGXCPU)
	return m.reached || used >= m.limit || told && used >= m.limit/4*3
}

// pause is the shortest time in which the rest of the limit can be used up.
func (m *meter) pause(used time.Duration) time.Duration {
	left := (m.limit - used) / time.Duration(max(runtime.NumCPU(), 1))
	return min(max(left, meterLeast), meterMost)
}

// used returns the processor time of p and all that it started: of those alive
// with the children that they waited for, and of the orphans. Children that
// their parent did not want to be told of leave no account.
func (r *reaper) used(p *process) (time.Duration, error) {
	var ticks uint64
	err := eachMarked(p.mark, func(pid int) {
		var buf [1024]byte
		if e, ok := parseStat(readProc(unix.AT_FDCWD, "/proc/"+strconv.Itoa(pid)+"/stat", buf[:])); ok {
			ticks += e.cpu
		}
	}, func() {})
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.orphans + time.Duration(ticks)*(time.Second/ticksPerSecond), err
}
