//go:build linux && (amd64 || arm64)

package linuxns

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/engine/linuxns/internal/reexec"
)

// launcher is the owner's end of a launcher process.
type launcher struct {
	log     *slog.Logger
	process *os.Process
	control *os.File
	errors  *output // what the process said before it died

	sending chan struct{} // holds a token; whoever has it may send

	mu        sync.Mutex
	next      uint64
	sandboxes map[uint64]*sandbox // until they are gone and forgotten
	broken    bool                // the process takes no more requests

	done chan struct{} // closed when the process and all its sandboxes are gone
}

// sweepPoll is how long one look for the end of a sandbox may take.
const sweepPoll = time.Second

// launcherEnv is the whole environment of a launcher. It is one thread that
// works, plus the Go runtime; and every page of its heap is copied by each fork.
var launcherEnv = []string{"GOMAXPROCS=1", "GOGC=20"}

// startLauncher starts a launcher from image. The caller must stop it.
func startLauncher(image *os.File, log *slog.Logger) (*launcher, error) {
	ours, theirs, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	defer func() { _ = theirs.Close() }() // the launcher has its copy
	errRead, errWrite, err := os.Pipe()
	if err != nil {
		_ = ours.Close() // unused
		return nil, err
	}
	defer func() { _ = errWrite.Close() }() // the launcher has its copy
	process, err := start(image, errWrite, theirs)
	if err != nil {
		_ = ours.Close()    // unused
		_ = errRead.Close() // unused
		return nil, err
	}
	l := &launcher{
		log: log, process: process, control: ours, errors: newOutput(errRead),
		sending: make(chan struct{}, 1), sandboxes: map[uint64]*sandbox{}, done: make(chan struct{}),
	}
	go l.watch()
	return l, nil
}

func start(image, stderr, control *os.File) (*os.Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }() // nothing to lose
	files := []*os.File{null, null, stderr, control}
	for len(files) < layers.ReservedFD {
		files = append(files, null)
	}
	process, err := os.StartProcess(fmt.Sprintf("/proc/self/fd/%d", image.Fd()), reexec.LauncherArgs(), &os.ProcAttr{
		Dir: "/", Env: launcherEnv, Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, fmt.Errorf("start the launcher: %w", err)
	}
	return process, nil
}

// socketPair returns two ends of a unix socket, the first for the owner's use
// with the runtime poller.
func socketPair(kind int) (ours, theirs *os.File, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	if err := unix.SetNonblock(p[0], true); err != nil {
		_, _ = unix.Close(p[0]), unix.Close(p[1]) // unused
		return nil, nil, fmt.Errorf("set non-blocking: %w", err)
	}
	return os.NewFile(uintptr(p[0]), "agb-owner"), os.NewFile(uintptr(p[1]), "agb-peer"), nil
}

// watch takes the launcher's messages until it is dead, and then makes sure
// that all sandboxes are, too.
func (l *launcher) watch() {
	defer close(l.done)
	buf := make([]byte, control.GoneLimit+1)
	for {
		n, err := l.control.Read(buf)
		if err != nil {
			break
		}
		gone, err := control.ParseGone(buf[:n])
		if err != nil {
			break
		}
		l.mu.Lock()
		s := l.sandboxes[gone.ID]
		l.mu.Unlock()
		if s != nil {
			s.end()
		}
	}
	left := l.breakOff()
	_ = l.process.Kill() // it has exited, or is of no use any more
	state, err := l.process.Wait()
	l.errors.wait()
	if err != nil || !state.Success() {
		l.log.Warn("linuxns: the launcher died; its sandboxes are gone",
			"sandboxes", len(left), "state", state.String(), "output", l.errors.String())
	}
	sweep(left)
	_ = l.control.Close() // nobody is left to talk to
}

// breakOff refuses further requests and returns the sandboxes that were not
// reported gone.
func (l *launcher) breakOff() []*sandbox {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
	var left []*sandbox
	for _, s := range l.sandboxes {
		select {
		case <-s.gone:
		default:
			left = append(left, s)
		}
	}
	return left
}

// sweep waits until sandboxes without a launcher are gone. The kernel kills
// them with the launcher; guests also leave when their stream ends.
func sweep(left []*sandbox) {
	for _, s := range left {
		_ = s.stream.Close() // never fails
	}
	for _, s := range left {
		for !s.stream.waitPeer(sweepPoll) {
		}
		s.end()
	}
}

// stop ends the launcher and all its sandboxes. done tells when that is so.
func (l *launcher) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sandboxes {
		_ = s.stream.Close() // never fails
	}
	if raw, err := l.control.SyscallConn(); err == nil {
		// Fails when the launcher is dead, which is what is wanted.
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
	}
}

// release frees what is left after the end.
func (l *launcher) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, s := range l.sandboxes {
		s.stream.release()
		delete(l.sandboxes, id)
	}
}
