package agent

import (
	"math"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// Home is where commands start and what relative paths are relative to.
const Home = "/home/user"

// searchPath is where programs are looked up.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Env is the environment to start a guest with. It speaks to the Go runtime
// alone; commands get one that the agent makes.
//
// One thread runs Go code: nothing here computes for long, and handing work to
// another processor takes longer than to do it. The heap's least size is 1 MiB.
// The runtime need not look for the limits of a cgroup.
func Env() []string {
	return []string{"GOMAXPROCS=1", "GOGC=25", "GODEBUG=containermaxprocs=0,updatemaxprocs=0"}
}

// Main is the guest: it answers the engine over descriptor fd, a stream, until
// that is closed, and then exits, which ends the sandbox. It never returns. A
// socket of packets at fd is what the stream comes over, see receive.
func Main(fd int) {
	if err := serve(fd, Home); err != nil {
		_, _ = os.Stderr.WriteString("guest: " + err.Error() + "\n") // there is no other place
		os.Exit(1)
	}
	os.Exit(0)
}

// serve is Main with another home.
func serve(fd int, home string) error {
	inherited := openFiles() // before the agent has any of its own
	if err := prepare(); err != nil {
		return err
	}
	a, err := newAgent(home)
	if err != nil {
		return err
	}
	a.inherited = inherited
	conn, err := takeStream(fd)
	if err != nil {
		return err
	}
	_ = guest.Serve(conn, a, debug.FreeOSMemory) // however it ended, that was all
	return nil
}

// prepare makes the process what the agent has to be.
func prepare() error {
	if err := hideSelf(); err != nil {
		return os.NewSyscallError("set not dumpable", err)
	}
	if err := ignoreSignals(); err != nil {
		return err
	}
	unix.Umask(0o022)
	const firstOther = 3
	if !without("descriptors") {
		if err := unix.CloseRange(firstOther, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
			return os.NewSyscallError("set descriptors close-on-exec", err)
		}
	}
	return nil
}

// hideSelf has nobody read or trace this process.
func hideSelf() error {
	if without("guest hidden") {
		return nil
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
}

// agent is a [guest.Handler].
type agent struct {
	home     string
	env      []string
	null     int // descriptor of /dev/null
	children *reaper
	commands chan struct{} // one for each that runs
	walks    chan struct{} // one for each that is under way
	live     live
	bulk     chan struct{} // one for each archive that is under way
	watching chan struct{} // one for each tree that is watched
	watched  atomic.Int64  // directories in them
	leftover leftovers
	watches  watches
	commits  sync.Mutex // held while a file that was written whole takes its place
	load     load

	inherited int // descriptors that were open at the start
}

func newAgent(home string) (*agent, error) {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open /dev/null", err)
	}
	children, err := newReaper()
	if err != nil {
		return nil, err
	}
	a := &agent{
		home: home,
		env: []string{
			"PATH=" + searchPath, "HOME=" + home, "USER=user", "LOGNAME=user", "SHELL=/bin/sh",
			"LANG=C.UTF-8", "TMPDIR=/tmp",
		},
		null:     null,
		children: children,
		commands: make(chan struct{}, commandLimit),
		walks:    make(chan struct{}, walkLimit),
		bulk:     make(chan struct{}, bulkLimit),
		watching: make(chan struct{}, watchingLimit),
	}
	a.load.start()
	return a, nil
}

var _ guest.Handler = (*agent)(nil)
