//go:build linux && (amd64 || arm64)

// Package layers writes the tape that makes a sandbox out of a fresh child:
// who it is, what it sees, what it may use, what it may call, and last the
// exec of the guest. Each file is one layer; [Host.Tape] gives their order.
package layers

import (
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// Descriptors of a launcher, all closed on exec. The owner starts it with all
// of these numbers taken, so that nothing else ever has them: not what earlier
// initialisers of the program open, nor the Go runtime's own descriptors.
const (
	ControlFD  = 3 // the launcher's own conversation; in the child: the guest's stream
	ProgramFD  = 4 // the program to exec, sealed
	ReportFD   = 5 // where the tape reports; from here to MapDoneFD, per sandbox
	StreamFD   = 6 // the guest's end of its stream
	MappedFD   = 7 // the child reads a byte here once its ids are mapped,
	MapDoneFD  = 8 // which the launcher writes here
	NullFD     = 9 // /dev/null
	ReservedFD = 10
)

// Namespaces are the clone flags of a sandbox.
const Namespaces = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP

// Names of the layers, as they appear in failures and reports.
const (
	Clone       = "namespaces"
	Identity    = "user and group ids"
	RootFiles   = "root file system"
	Devices     = "devices"
	Proc        = "proc"
	Private     = "private files"
	Network     = "loopback and host name"
	Limits      = "limits"
	Privileges  = "privileges"
	SystemCalls = "system call filter"
	Guest       = "guest"
)

// Order is the order in which a tape sets layers up.
var Order = []string{
	Clone, Identity, RootFiles, Devices, Proc, Private, Network, Limits, Privileges, SystemCalls, Guest,
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
	Filter    []unix.SockFilter
	GuestEnv  []string
	GuestArgs []string

	view  view   // of the host's files
	fixed *fixed // what is the same for all sandboxes
}

// fixed are parts of tapes that are written once.
type fixed struct{ start, middle, finish, end *tape.Tape }

// Spec is what one sandbox is to be.
type Spec struct {
	Root     string // absolute; empty for a view of the host's toolchains
	Hostname string
	Limits   driver.Limits
}

// Tape returns the tape of a sandbox. It looks at the file system to find out
// what there is to show, and fails when that cannot be done.
func (h *Host) Tape(s Spec) (*tape.Tape, error) {
	h.fix()
	b := &builder{tape.New(ReportFD)}
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
	b.limits(s.Limits)
	b.Splice(h.fixed.end)
	return b.Tape, nil
}

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
			b.privileges(h)
			b.filter(h.Filter)
			b.guest(h.GuestArgs, h.GuestEnv)
		}),
	}
}

// TrialTape returns the tape of a process that ends at once.
func TrialTape() *tape.Tape {
	b := &builder{tape.New(ReportFD)}
	b.Layer(Clone)
	b.Ready(unix.SYS_WRITE)
	b.call("exit", unix.SYS_EXIT_GROUP, 0)
	return b.Tape
}
