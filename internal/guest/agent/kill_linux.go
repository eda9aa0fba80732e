package agent

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

const (
	// killLimit is how long killing a command may take; less than
	// guest.KillWait, so that the engine hears of a failure.
	killLimit = 2 * time.Second
	// killLooks is how many looks in a row must find nothing. A look during
	// which some process vanished counts little: a command may have been that,
	// and have gone on as another. As many as killDoubts of them will do,
	// because others come and go, too.
	killLooks  = 2
	killDoubts = 12
	// killPause is the first pause between two looks of which the second finds
	// what the first did. It grows to killPauseLimit.
	killPause      = 200 * time.Microsecond
	killPauseLimit = 20 * time.Millisecond
)

// hunt finds and kills what a command started.
type hunt struct {
	mark  uint64
	known map[int]bool // what was killed already
}

// sight is what one look found.
type sight struct {
	alive    bool // something of the command
	fresh    bool // that was not known
	vanished bool // a process while it was looked at
}

// kill kills p and everything it started, and returns when all of it is gone.
// What that used is counted.
func (r *reaper) kill(p *process) error {
	r.meter(p)
	defer r.release(p)
	defer r.reap()
	h := &hunt{mark: p.mark, known: make(map[int]bool)}
	deadline := time.Now().Add(killLimit)
	pause := killPause
	for clean, doubts := 0, 0; ; {
		r.killGroup(p)
		seen, err := h.look()
		if err != nil {
			return failure("kill", err)
		}
		switch {
		case seen.alive || !p.gone():
			clean, doubts = 0, 0
		case seen.vanished:
			doubts++
		default:
			clean++
		}
		if clean == killLooks || doubts == killDoubts {
			return nil
		}
		if time.Now().After(deadline) {
			return &guest.Error{Message: "kill: processes of the command do not end"}
		}
		if !seen.fresh {
			time.Sleep(pause)
			pause = min(2*pause, killPauseLimit)
		}
	}
}

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// look kills everything that has the command's mark.
func (h *hunt) look() (sight, error) {
	var s sight
	err := eachMarked(h.mark, func(pid int) {
		_ = unix.Kill(pid, unix.SIGKILL) // it may be gone already
		if dead(pid) {
			return // nobody can wait for it but its parent, which may be busy dying
		}
		s.alive = true
		if !h.known[pid] {
			h.known[pid], s.fresh = true, true
		}
	}, func() { s.vanished = true })
	return s, err
}

// eachMarked calls f with every process that has the mark, dead ones included,
// and vanished for each of which it could not see any more whether it had.
func eachMarked(mark uint64, f func(pid int), vanished func()) error {
	self := unix.Getpid()
	return eachPID(func(_ int, pid int) {
		if pid == self {
			return // which has the mark of the latest command
		}
		switch m, err := markOf(pid); {
		case err == nil && m == mark:
			f(pid)
		case errors.Is(err, unix.ESRCH):
			vanished()
		}
	})
}

// dead reports whether all threads of a process have ended. Its first one
// alone being a zombie does not mean that.
func dead(pid int) bool {
	var buf [1024]byte
	e, ok := parseStat(readProc(unix.AT_FDCWD, "/proc/"+strconv.Itoa(pid)+"/stat", buf[:]))
	return !ok || e.dead
}
