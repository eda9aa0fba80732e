package agent

import (
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// process is the main process of a command.
type process struct {
	pid     int
	mark    uint64
	metered bool // whether orphans is counted
	started time.Time
	exited  chan struct{} // closed once the process was waited for

	orphans time.Duration // processor time of descendants that the agent waited for; guarded by reaper.mu

	// What follows is set when exited is closed.

	ended  time.Time
	status syscall.WaitStatus
	usage  syscall.Rusage
}

// reaper waits for every child of the agent, those it started and the orphans
// it adopted. Nobody else may wait.
type reaper struct {
	mu      sync.Mutex // held while a process starts, so that it is known before it is waited for
	running map[int]*process
	metered map[uint64]*process // by mark, those with a limit of processor time
	limits  limits
	threads threads
}

func newReaper() (*reaper, error) {
	l, err := newLimits()
	if err != nil {
		return nil, err
	}
	r := &reaper{running: make(map[int]*process), metered: make(map[uint64]*process), limits: l}
	r.threads.reserve(1)
	// The signal and not a wait that blocks: that would keep, for a while, the
	// one thread that runs Go code.
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	go func() {
		for range ended {
			r.reap()
		}
	}()
	return r, nil
}

// start starts a process and waits for it in the background. cpu is the limit
// of its processor time, 0 for none; a process that has one is released by the
// caller.
func (r *reaper) start(path string, args []string, attr *syscall.ProcAttr, cpu time.Duration) (*process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := &process{mark: r.limits.marks.take(), metered: cpu > 0, exited: make(chan struct{}), started: time.Now()}
	r.threads.reserve(len(r.running) + 1)
	pidFD := -1
	attr.Sys.PidFD = &pidFD
	err := r.limits.lower(p.mark)
	if err == nil {
		p.pid, err = syscall.ForkExec(path, args, attr)
	}
	r.limits.restore()
	if errors.Is(err, syscall.EAGAIN) {
		r.threads.exhausted()
	}
	if err != nil {
		return nil, err
	}
	r.running[p.pid] = p
	r.watch(p, pidFD)
	if p.metered {
		r.metered[p.mark] = p
		r.limits.limitCPU(p.pid, uint64((cpu+time.Second-1)/time.Second))
	}
	return p, nil
}

// watch has p waited for as soon as it has ended. The signal tells so, too, but
// takes several switches of threads.
func (r *reaper) watch(p *process, pidFD int) {
	if unix.SetNonblock(pidFD, true) != nil { // without a descriptor, for one
		return
	}
	f := os.NewFile(uintptr(pidFD), "process")
	go func() {
		defer func() { _ = f.Close() }() // nothing is lost
		if raw, err := f.SyscallConn(); err == nil {
			_ = raw.Read(func(uintptr) bool { return r.reaped(p) }) // where it fails there is the signal
		}
	}()
}

// reaped reports whether p was waited for, which it does if p has ended.
func (r *reaper) reaped(p *process) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[p.pid] == p {
		_, _ = r.wait(p.pid) // it may have to be asked again
	}
	return r.running[p.pid] != p
}

// meter begins the count of what p's descendants use, until release.
func (r *reaper) meter(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.metered[p.mark] = p
}

// orphaned returns what was counted of it.
func (r *reaper) orphaned(p *process) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return p.orphans
}

// release ends the count of what p's descendants use.
func (r *reaper) release(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.metered, p.mark)
}

// reap waits for all children that have ended. A signal may stand for several.
func (r *reaper) reap() {
	for r.reapOne() {
	}
}

// reapOne waits for one child, unless none has ended.
func (r *reaper) reapOne() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid := endedChild()
	if pid == 0 {
		return false
	}
	var mark uint64
	if len(r.metered) > 0 {
		mark, _ = markOf(pid) // still there, and the agent's own
	}
	usage, err := r.wait(pid)
	if err != nil {
		return errors.Is(err, syscall.EINTR)
	}
	if p := r.metered[mark]; p != nil && p.pid != pid {
		p.orphans += cpu(usage)
	}
	return true
}

// wait waits for a child that has ended, without blocking, and ends the process
// that it is, if it is one. r.mu is held.
func (r *reaper) wait(pid int) (usage syscall.Rusage, err error) {
	var status syscall.WaitStatus
	got, err := syscall.Wait4(pid, &status, unix.WALL|unix.WNOHANG, &usage)
	if p := r.running[pid]; got == pid && p != nil {
		delete(r.running, pid)
		p.ended, p.status, p.usage = time.Now(), status, usage
		close(p.exited)
	}
	return usage, err
}

// endedChild returns a child that has ended and was not waited for; 0 when
// there is none.
func endedChild() int {
	var info struct { // siginfo_t, see sigaction(2)
		_   [4]int32
		pid int32
		_   [27]int32
	}
	_, _, errno := unix.RawSyscall6(unix.SYS_WAITID, unix.P_ALL, 0, uintptr(unsafe.Pointer(&info)),
		unix.WEXITED|unix.WALL|unix.WNOHANG|unix.WNOWAIT, 0, 0)
	if errno != 0 {
		return 0 // it does not block, so it is not interrupted
	}
	return int(info.pid)
}

// signal sends a signal to p's process group, unless p was waited for.
func (r *reaper) signal(p *process, s syscall.Signal) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[p.pid] != p {
		return fail(guest.NotExist, unix.ESRCH, "the process is over")
	}
	return failure("signal", syscall.Kill(-p.pid, s))
}

// killGroup kills p with its process group, unless it was waited for.
func (r *reaper) killGroup(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[p.pid] == p {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL) // it may be gone already
	}
}
