//go:build linux && (amd64 || arm64)

package linuxns

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	forker "github.com/agb-go/sdk/engine/linuxns/internal/launcher"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/engine/linuxns/internal/reexec"
)

// launcher is the owner's end of a launcher process.
type launcher struct {
	log     *slog.Logger
	process *os.Process
	control *os.File
	errors  *output // what the process said before it died
	dynamic bool    // of its guests, see programs

	sending chan struct{} // holds a token; whoever has it may send

	mu        sync.Mutex
	next      uint64
	sandboxes map[uint64]*sandbox // until they are gone and forgotten
	broken    bool                // the process takes no more requests
	stopped   bool                // by stop

	tag    string        // of the names of its groups
	ready  chan struct{} // closed when it has said where those are;
	groups cgroup.Places // from then on

	done chan struct{} // closed when the process and all its sandboxes are gone
}

// launcherEnv is the whole environment of a launcher. It is one thread that
// works, plus the Go runtime; and every page of its heap is copied by each fork.
var launcherEnv = []string{"GOMAXPROCS=1", "GOGC=20"}

// newTag returns a tag that no other launcher has.
func newTag() (string, error) { return cgroup.Tag(rand.Uint64()) }

// startLauncher starts a launcher. The caller must stop it.
func startLauncher(p *programs, newTag func() (string, error), log *slog.Logger) (*launcher, error) {
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
	tag, err := newTag()
	if err != nil {
		log.Warn("linuxns: sandboxes will have no control groups", "error", err)
	}
	process, err := start(p, tag, errWrite, theirs)
	if err != nil {
		_ = ours.Close()    // unused
		_ = errRead.Close() // unused
		return nil, err
	}
	l := &launcher{
		log: log, process: process, control: ours, errors: newOutput(errRead),
		sending: make(chan struct{}, 1), sandboxes: map[uint64]*sandbox{},
		dynamic: p.dynamic, tag: tag, ready: make(chan struct{}), done: make(chan struct{}),
	}
	go l.watch()
	return l, nil
}

func start(p *programs, tag string, stderr, control *os.File) (*os.Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = null.Close() }() // nothing to lose
	files := []*os.File{null, null, stderr, control, p.guest}
	for len(files) < layers.ReservedFD {
		files = append(files, null)
	}
	process, err := os.StartProcess(fmt.Sprintf("/proc/self/fd/%d", p.launcher.Fd()), reexec.LauncherArgs(), &os.ProcAttr{
		Dir: "/", Env: slices.Concat(launcherEnv, []string{forker.TagEnv + "=" + tag}, withoutEnv()), Files: files, Sys: &syscall.SysProcAttr{Setsid: true},
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

// stop ends the launcher and all its sandboxes. done tells when that is so.
func (l *launcher) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
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
