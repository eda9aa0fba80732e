//go:build linux && (amd64 || arm64)

package layers

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// secureBits switch off every way in which being user 0 grants capabilities,
// and ambient capabilities, and lock the switches.
const secureBits = noRoot | noRoot<<1 | noSetuidFixup | noSetuidFixup<<1 | keepCapsLocked |
	noAmbientRaise | noAmbientRaise<<1

// Bits of linux/securebits.h; the one above each locks it.
const (
	noRoot         = 1 << 0
	noSetuidFixup  = 1 << 2
	keepCapsLocked = 1 << 5
	noAmbientRaise = 1 << 6
)

// own gives a path to the user that the guest will be.
func (b *builder) own(path string) {
	b.call("give away "+path, unix.SYS_FCHOWNAT, atCWD, b.String(path), UserID, UserID, 0)
}

// privileges gives up every privilege for good. The order is forced: the
// bounding set and ids need capabilities, which go last.
func (b *builder) privileges(h *Host) {
	b.Layer(Privileges)
	if Without(driver.Capabilities) {
		b.call("keep capabilities", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1)
	} else {
		b.boundCapabilities(h.LastCap)
	}
	if h.IDs.Range {
		b.call("drop groups", unix.SYS_SETGROUPS, 0, 0)
		b.call("become the sandbox's group", unix.SYS_SETRESGID, UserID, UserID, UserID)
		b.call("become the sandbox's user", unix.SYS_SETRESUID, UserID, UserID, UserID)
	}
	if Without(driver.Capabilities) {
		b.keepCapabilities(h.LastCap)
	} else {
		b.setCapabilities("drop capabilities", [2]unix.CapUserData{})
	}
	if !Without(driver.NoNewPrivs) {
		b.call("set no_new_privs", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1)
	}
	// After the last change of credentials, which would reset it.
	b.call("die with the launcher", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL))
}

// boundCapabilities leaves nothing that an exec could give.
func (b *builder) boundCapabilities(last int) {
	b.call("lock secure bits", unix.SYS_PRCTL, unix.PR_SET_SECUREBITS, secureBits)
	for c := 0; c <= last; c++ {
		b.call("drop a bounding capability", unix.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(c))
	}
}

func (b *builder) setCapabilities(step string, data [2]unix.CapUserData) {
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	b.call(step, unix.SYS_CAPSET, tape.Hold(b.Tape, header), tape.Hold(b.Tape, &data))
}

// filter installs the system call filter. All later calls pass through it.
func (b *builder) filter(f []unix.SockFilter) {
	b.Layer(SystemCalls)
	prog := &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	b.call("install the filter", unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, tape.Hold(b.Tape, prog))
}

// guest becomes the guest: an ordinary process with nothing but its stream.
func (b *builder) guest(args, env []string) {
	b.Layer(Guest)
	// Go keeps these two ignored when its own parent ignored them.
	for _, sig := range []unix.Signal{unix.SIGHUP, unix.SIGINT} {
		b.call("reset signals", unix.SYS_RT_SIGACTION, uintptr(sig), tape.Hold(b.Tape, &[32]byte{}), 0, signalSetSize)
	}
	b.call("umask", unix.SYS_UMASK, 0o022)
	b.closeOthers()
	none := tape.Hold(b.Tape, new(uint64))
	b.call("unblock signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, none, 0, signalSetSize)
	b.Ready(unix.SYS_WRITE)
	b.call("exec", unix.SYS_EXECVEAT, ProgramFD, b.String(""), b.Vector(args...), b.Vector(env...), unix.AT_EMPTY_PATH)
}

const signalSetSize = unsafe.Sizeof(uint64(0))
