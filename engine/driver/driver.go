// Package driver is what a sandbox runtime provides to the engine.
//
// A runtime isolates exactly one process: the guest, which is our agent and
// the sandbox's pid 1. It places the guest in an isolated place and hands the
// engine a byte stream to it. Commands, code, files and ports are the guest's
// business, written once, so runtimes differ in this package's terms only.
//
// Programs that merely use sandboxes have no business here. Authors of a
// runtime: implement [Runtime] and [Sandbox], then pass
// engine/drivertest.Run.
package driver

import (
	"context"
	"io"
	"time"
)

// A Runtime makes sandboxes. It is safe for concurrent use.
type Runtime interface {
	// Name names the runtime in logs, errors and reports, such as "linuxns".
	Name() string

	// Create makes a sandbox and starts the guest in it. ctx bounds the making,
	// not the sandbox's life. Create fails closed: when any layer that the
	// runtime stands for cannot be set up it leaves nothing behind and returns
	// an error of code apierr.IsolationUnavailable that names the layer, the
	// cause and the cure. It never makes a weaker sandbox.
	Create(ctx context.Context, spec Spec) (Sandbox, error)

	// Probe finds out, by trying, what this machine can do. It returns an error
	// only when it could not find out.
	Probe(ctx context.Context) (*Report, error)

	// Close destroys every sandbox that is left, waits until they are gone and
	// frees what the runtime holds. Create fails afterwards. Closing twice is
	// no error.
	Close() error
}

// A Sandbox is one isolated place with a guest in it. It lives until Destroy,
// or until the guest dies.
type Sandbox interface {
	// Conn returns the byte stream to the guest: always the same one. The
	// engine reads and writes it and closes it before it calls Destroy. Close
	// unblocks pending reads and writes.
	Conn() io.ReadWriteCloser

	// Done returns a channel that is closed once every process of the sandbox
	// is gone, for whatever reason.
	Done() <-chan struct{}

	// Layers returns the layers and limits that the runtime has set up around
	// the sandbox, by the names below, with OK only where the runtime has
	// verified that the kernel has them. What the guest verifies from inside
	// is the engine's to add. The caller must not change the slice.
	Layers() []Layer

	// Usage returns what all processes of the sandbox together have used, by
	// the kernel's account, and never by the guest's; once the sandbox is gone,
	// what they had used at the end. The error has code apierr.Unsupported
	// where the machine keeps no such account, and apierr.Unavailable when that
	// of a sandbox that is gone was lost.
	Usage(ctx context.Context) (Usage, error)

	// OOMKills returns Usage.OOMKills alone. It does not block and is cheap:
	// it is called before and after every command. A process that was killed
	// is counted before its end can be seen. The error has code
	// apierr.Unsupported where the machine keeps no such account, and
	// apierr.SessionNotFound when the sandbox is gone.
	OOMKills() (int64, error)

	// Pause stops every process of the sandbox, the guest included, and
	// returns when none runs any more. Resume lets them go on. Both are
	// idempotent; Destroy works on a paused sandbox. Pause fails with
	// apierr.Unsupported where it cannot be done; both fail with
	// apierr.SessionNotFound when the sandbox is gone.
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error

	// Destroy kills every process, confirms that they are gone and frees
	// everything. ctx bounds the waiting only: the killing goes on. Destroying
	// twice, or a sandbox that died, is no error.
	Destroy(ctx context.Context) error
}

// Spec describes a sandbox. The engine has checked it and filled in every
// default.
type Spec struct {
	// ID is the session's id: letters, digits, '-' and '_', at most 64 of them.
	ID string
	// Root is the absolute path of a directory to use as the root file system,
	// read-only. Empty means a read-only view of the host's toolchains.
	Root string
	// Hostname is the host name inside.
	Hostname string
	// Limits bound what the sandbox may use.
	Limits Limits
}

// Limits bound what a sandbox may use. Every field is set and positive.
type Limits struct {
	Processes  int   // processes and threads at once
	OpenFiles  int   // file descriptors of one process
	FileBytes  int64 // size of one file
	DataBytes  int64 // ordinary data of one process, see RLIMIT_DATA in getrlimit(2)
	DiskBytes  int64 // all writable places together
	DiskInodes int64 // files and directories in all writable places together

	MemoryBytes int64 // memory of all processes together, with the writable places; at most 16 MiB more is the guest's
	MilliCPU    int   // processor time, in thousandths of one core's
}

// Usage is what a sandbox has used since it was made.
type Usage struct {
	CPU         time.Duration // user and system time
	MemoryBytes int64         // now
	PeakBytes   int64         // most memory at any time; 0 where the kernel does not say
	Processes   int           // processes and threads now
	OOMKills    int64         // processes killed because memory was used up
}

// A Report says what a machine can do.
type Report struct {
	Runtime   string  // name of the runtime
	Available bool    // whether Create can work: every layer is present
	Layers    []Layer // in the order in which they are set up
}

// Names of the layers and limits that sandboxes are asked for by, see
// Sandbox.Layers. A Report may have others besides.
const (
	Namespaces   = "namespaces"     // user, mount, pid, network, ipc, uts and cgroup
	Capabilities = "capabilities"   // none, and none to be had
	NoNewPrivs   = "no_new_privs"   // see prctl(2)
	Seccomp      = "seccomp"        // the system call filter
	Landlock     = "landlock"       // see landlock(7)
	ReadOnlyRoot = "read-only root" // and no file of the host beyond the image
	Network      = "no network"     // loopback alone
	MemoryLimit  = "memory limit"   // Limits.MemoryBytes, of all processes together
	ProcessLimit = "process limit"  // Limits.Processes
	CPULimit     = "cpu limit"      // Limits.MilliCPU
	DiskLimit    = "disk limit"     // Limits.DiskBytes and DiskInodes
	Descriptors  = "descriptors"    // none inherited but the guest's stream
	GuestHidden  = "guest hidden"   // nothing inside can read or trace the guest
)

// A Layer is one part of the isolation.
type Layer struct {
	Name   string // such as [Namespaces]
	OK     bool
	Detail string // what was found
	Cure   string // what to do about it; empty when OK
}
