package agent

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

const (
	// killLimit is how long killing a command may take; less than
	// guest.KillWait, so that the engine hears of a failure.
	killLimit = 4 * time.Second
	// killLooks is how many looks in a row must find nothing.
	killLooks = 2
	// killPause is the first pause between two looks. It grows to
	// killPauseLimit.
	killPause      = 200 * time.Microsecond
	killPauseLimit = 20 * time.Millisecond
)

// hunt finds and kills what a command started.
type hunt struct {
	children *reaper
	leader   *process
	sessions map[int]bool // of everything found so far
}

// kill kills p and everything it started, and returns when all of it is gone.
func (r *reaper) kill(p *process) error {
	h := &hunt{children: r, leader: p, sessions: map[int]bool{p.pid: true}}
	deadline := time.Now().Add(killLimit)
	pause := killPause
	for clean := 0; clean < killLooks; {
		r.killGroup(p)
		found, err := h.look()
		if err != nil {
			return failure("kill", err)
		}
		if found || !p.gone() {
			clean = 0
		} else if clean++; clean == killLooks {
			return nil
		}
		if time.Now().After(deadline) {
			break
		}
		time.Sleep(pause)
		pause = min(2*pause, killPauseLimit)
	}
	return &guest.Error{Message: "kill: processes of the command do not end"}
}

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// look kills everything that belongs to the command and is alive, and reports
// whether there was any.
func (h *hunt) look() (bool, error) {
	all, err := processes()
	if err != nil {
		return false, err
	}
	ours := make(map[int]bool)
	for again := true; again; {
		again = false
		for i := range all {
			if e := &all[i]; !ours[e.pid] && h.belongs(e, ours) {
				ours[e.pid], again = true, true
				h.sessions[e.session] = true
			}
		}
	}
	alive := false
	for i := range all {
		if e := &all[i]; ours[e.pid] && !e.dead {
			alive = true
			_ = unix.Kill(e.pid, unix.SIGKILL) // it may be gone already
		}
	}
	return alive, nil
}

// belongs reports whether a process is the command's: its main process, in a
// session that the command made, a child of one that is, or an orphan with
// the command's tag. Sessions cannot be joined, so all in one have the same
// origin.
func (h *hunt) belongs(e *procEntry, ours map[int]bool) bool {
	self := unix.Getpid()
	switch {
	case e.pid == self, e.pid != h.leader.pid && h.children.isOther(e.pid, h.leader):
		return false
	case h.sessions[e.session], ours[e.parent]:
		return true
	case e.parent != self, e.started+1 < h.leader.ticks:
		return false
	}
	return h.children.tagged(e.pid, h.leader)
}

// tagged reports whether process pid inherited the tag of p.
func (r *reaper) tagged(pid int, p *process) bool {
	base := r.limits.signalBase()
	if base == 0 {
		return false
	}
	var buf [2048]byte
	tag, ok := parseTag(readProc(unix.AT_FDCWD, "/proc/"+strconv.Itoa(pid)+"/limits", buf[:]))
	return ok && tag == base+p.tag
}
