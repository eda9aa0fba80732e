//go:build linux && (amd64 || arm64)

// Package layers writes the tape that makes a sandbox out of a fresh child:
// who it is, what it sees, what it may use, what it may call, and last the
// exec of the guest. Each file is one layer; [Host.Tape] gives their order.
package layers

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// Descriptors of a launcher, all closed on exec. The owner starts it with all
// of these numbers taken, so that nothing else ever has them: not what earlier
// initialisers of the program open, nor the Go runtime's own descriptors.
const (
	ControlFD  = 3 // the launcher's own conversation; in the child: the guest's stream
	ProgramFD  = 4 // the guest's program, sealed, from the owner
	ReportFD   = 5 // where the tape reports; from here to MapDoneFD, per sandbox
	StreamFD   = 6 // the guest's end of its stream
	MappedFD   = 7 // the child reads a byte here once its ids are mapped,
	MapDoneFD  = 8 // which the launcher writes here
	NullFD     = 9 // /dev/null
	ReservedFD = 10
)

// Namespaces returns the clone flags of a sandbox. The control group namespace
// comes later, see groups.
func Namespaces() uint64 {
	flags := uint64(unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUTS)
	if Without(partNetwork) {
		flags &^= unix.CLONE_NEWNET
	}
	if Without(partPID) {
		flags &^= unix.CLONE_NEWPID
	}
	return flags
}

// Names of the layers, as they appear in failures and reports.
const (
	Clone       = "namespaces"
	Groups      = cgroup.Layer
	Identity    = "user and group ids"
	RootFiles   = "root file system"
	Devices     = "devices"
	Proc        = "proc"
	Private     = "private files"
	Network     = "loopback and host name"
	Limits      = "limits"
	Landlock    = driver.Landlock
	Privileges  = "privileges"
	SystemCalls = "system call filter"
	Guest       = "guest"
)

// Order is the order in which a tape sets layers up.
var Order = []string{
	Clone, Groups, Identity, RootFiles, Devices, Proc, Private, Network, Limits, Landlock, Privileges, SystemCalls, Guest,
}

// Inside, everything runs as this user and group.
const (
	UserID = 1000
	user   = "user"
	home   = "/home/" + user
)

// Host is what a launcher found out about the machine, once. It is not safe for
// concurrent use.
type Host struct {
	IDs       IDs
	LastCap   int // highest capability that the kernel knows
	Landlock  int // see [LandlockABI]
	OOMScore  int // of guests, see victim
	Filter    []unix.SockFilter
	GuestEnv  []string
	GuestArgs []string

	view  view   // of the host's files
	fixed *fixed // what is the same for all sandboxes
}

// fixed are parts of tapes that are written once.
type fixed struct{ start, middle, finish, end, guest *tape.Tape }

// Spec is what one sandbox is to be.
type Spec struct {
	Root     string // absolute; empty for a view of the host's toolchains
	Hostname string
	Limits   driver.Limits
	Tasks    []int // descriptors of its control groups, see [cgroup.Entrance]
}

// Tape returns the tape of a sandbox. It looks at the file system to find out
// what there is to show, and fails when that cannot be done.
func (h *Host) Tape(s Spec) (*tape.Tape, error) {
	h.fix()
	b := &builder{tape.New(ReportFD)}
	b.enter(s.Tasks)
	b.Splice(h.fixed.start)
	b.Layer(RootFiles)
	if s.Root != "" {
		if err := b.imageView(filepath.Clean(s.Root), s.Hostname); err != nil {
			return nil, err
		}
	} else {
		view, err := h.view.tape()
		if err != nil {
			return nil, err
		}
		b.Splice(view)
		b.stubs(s.Hostname)
	}
	b.Splice(h.fixed.middle)
	b.private(s.Limits)
	b.Splice(h.fixed.finish)
	b.network(s.Hostname)
	b.limits(s.Limits, h.IDs)
	b.Splice(h.fixed.end)
	b.Splice(h.fixed.guest)
	return b.Tape, nil
}

// View returns what stands for the host's files as they are at this moment:
// tapes of sandboxes without a Root show the same files as long as it returns
// the same.
func (h *Host) View() (*tape.Tape, error) { return h.view.tape() }

func (h *Host) fix() {
	if h.fixed != nil {
		return
	}
	part := func(write func(*builder)) *tape.Tape {
		b := &builder{tape.New(ReportFD)}
		write(b)
		return b.Tape
	}
	h.fixed = &fixed{
		start: part(func(b *builder) {
			b.groups()
			b.victim(h.OOMScore)
			b.identity(h.IDs)
			b.descriptors()
			b.startRoot()
		}),
		middle: part(func(b *builder) {
			b.devices()
			b.proc(h.IDs)
		}),
		finish: part((*builder).finishRoot),
		end: part(func(b *builder) {
			b.landlock(h.Landlock)
			if Without(driver.NoNewPrivs) {
				b.filter(h.Filter) // with neither capabilities nor no_new_privs the kernel refuses it
			}
			b.privileges(h)
			if !Without(driver.Seccomp) && !Without(driver.NoNewPrivs) {
				b.filter(h.Filter)
			}
		}),
		guest: part(func(b *builder) { b.guest(h.GuestArgs, guestEnv(h.GuestEnv)) }),
	}
}

// TrialTape returns the tape of a process that enters control groups, if any,
// and ends at once.
func TrialTape(tasks ...int) *tape.Tape {
	b := &builder{tape.New(ReportFD)}
	b.enter(tasks)
	b.Layer(Clone)
	b.Ready(unix.SYS_WRITE)
	b.call("exit", unix.SYS_EXIT_GROUP, 0)
	return b.Tape
}
