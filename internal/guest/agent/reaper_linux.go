package agent

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is the main process of a command.
type process struct {
	pid     int
	tag     uint64
	started time.Time
	ticks   uint64        // start by the clock of /proc, in its unit
	exited  chan struct{} // closed once the process was waited for

	// What follows is set when exited is closed.

	ended  time.Time
	status syscall.WaitStatus
	usage  syscall.Rusage
}

// reaper waits for every child of the agent, those it started and the orphans
// it adopted. Nobody else may wait.
type reaper struct {
	mu      sync.Mutex // held while a process starts, so that it is known before it is waited for
	starts  int        // processes that were started
	running map[int]*process
	limits  limits
}

func newReaper() *reaper {
	r := &reaper{running: make(map[int]*process), limits: readLimits()}
	// The signal and not a wait that blocks: that would keep, for a while, the
	// one thread that runs Go code.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			r.reap()
		}
	}()
	return r
}

// start starts a process and waits for it in the background.
func (r *reaper) start(path string, args []string, attr *syscall.ProcAttr) (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &process{tag: r.freeTag(), exited: make(chan struct{}), started: time.Now(), ticks: bootTicks()}
	r.limits.lower(p.tag)
	pid, err := syscall.ForkExec(path, args, attr)
	r.limits.restore()
	r.starts++
	if err != nil {
		return nil, err
	}
	p.pid = pid
	r.running[pid] = p
	return p, nil
}

// reap waits for all children that have ended. A signal may stand for several.
func (r *reaper) reap() {
	for {
		var status syscall.WaitStatus
		var usage syscall.Rusage
		pid, err := syscall.Wait4(-1, &status, unix.WALL|unix.WNOHANG, &usage)
		switch {
		case errors.Is(err, syscall.EINTR):
		case pid <= 0 || err != nil:
			return
		default:
			r.ended(pid, status, usage)
		}
	}
}

func (r *reaper) ended(pid int, status syscall.WaitStatus, usage syscall.Rusage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.running[pid]
	if p == nil {
		return // an orphan
	}
	delete(r.running, pid)
	p.ended, p.status, p.usage = time.Now(), status, usage
	close(p.exited)
}

// killGroup kills p with its process group, unless it was waited for.
func (r *reaper) killGroup(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[p.pid] == p {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // it may be gone already
	}
}

// isOther reports whether pid is the main process of another command than p.
func (r *reaper) isOther(pid int, p *process) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	other := r.running[pid]
	return other != nil && other != p
}
