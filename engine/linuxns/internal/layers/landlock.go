//go:build linux && (amd64 || arm64)

package layers

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// Versions of Landlock's interface that bring something; see landlock(7).
const (
	LandlockLeast    = 2 // before, no file can be moved between directories at all
	LandlockTruncate = 3
	LandlockDevices  = 5
	LandlockScopes   = 6
)

// LandlockABI returns the version of Landlock's interface, 0 without Landlock.
// Sandboxes are made with it from [LandlockLeast] on.
func LandlockABI() int {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(abi)
}

// Rights, by what they are needed for.
const (
	fsRead  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	fsWrite = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	fsMake  = unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM | unix.LANDLOCK_ACCESS_FS_REFER
	fsNodes  = unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
	fsDevice = unix.LANDLOCK_ACCESS_FS_IOCTL_DEV
)

// handled returns the rights that a version knows, all of which are refused
// but for the rules.
func handled(abi int) uint64 {
	rights := uint64(fsRead | fsWrite | fsMake | fsNodes | fsDevice)
	if abi < LandlockTruncate {
		rights &^= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	if abi < LandlockDevices {
		rights &^= fsDevice
	}
	return rights
}

// rule gives rights to everything below a path.
type rule struct {
	path   string
	rights uint64
}

// rules say what sandboxes may do where. The root that they see is itself made
// of what they may read.
func rules() []rule {
	list := []rule{
		{"/", fsRead},
		{"/dev", fsWrite | fsDevice},
		{"/proc", fsWrite}, // names of threads; what matters there is read-only
	}
	for _, w := range writable {
		list = append(list, rule{w.path, fsWrite | fsMake})
	}
	return list
}

// Descriptors of the ruleset and of a rule's path, which are free by then.
const (
	rulesetFD = MapDoneFD
	ruleFD    = NullFD
)

// landlock restricts what is to come to the rules, and to signals and abstract
// sockets of the sandbox itself. It is a second line behind namespaces and
// mounts: a descriptor or a path that leads out of the sandbox's root has no
// rights. It needs privileges or no_new_privs.
func (b *builder) landlock(abi int) {
	if abi < LandlockLeast || Without(driver.Landlock) {
		return
	}
	b.restrict(abi, rules())
}

// ruleset returns what a version is asked for, and the size of it that the
// version knows.
func ruleset(abi int) (attr unix.LandlockRulesetAttr, size uintptr) {
	attr.Access_fs = handled(abi)
	if abi < LandlockScopes {
		return attr, unsafe.Offsetof(attr.Access_net)
	}
	attr.Scoped = unix.LANDLOCK_SCOPE_SIGNAL | unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET
	return attr, unsafe.Sizeof(attr)
}

// restrict restricts what is to come to rules.
func (b *builder) restrict(abi int, rules []rule) {
	b.Layer(Landlock)
	attr, size := ruleset(abi)
	b.Add(tape.Call{
		Step: "make a ruleset", Nr: unix.SYS_LANDLOCK_CREATE_RULESET, Save: true,
		Args: [6]uintptr{tape.Hold(b.Tape, &attr), size},
	})
	b.keepAt(rulesetFD)
	for _, r := range rules {
		b.open(r.path, unix.O_PATH, 0)
		b.keepAt(ruleFD)
		below := &unix.LandlockPathBeneathAttr{Allowed_access: r.rights & handled(abi), Parent_fd: ruleFD}
		b.call("allow "+r.path, unix.SYS_LANDLOCK_ADD_RULE, rulesetFD, unix.LANDLOCK_RULE_PATH_BENEATH, tape.Hold(b.Tape, below))
	}
	b.call("restrict", unix.SYS_LANDLOCK_RESTRICT_SELF, rulesetFD)
	b.call("close the ruleset", unix.SYS_CLOSE, rulesetFD)
	b.call("close a path", unix.SYS_CLOSE, ruleFD)
}

// keepAt gives the descriptor that was opened last a number of its own.
func (b *builder) keepAt(fd uintptr) {
	b.openedCall("set a descriptor", unix.SYS_DUP3, fd, unix.O_CLOEXEC)
	b.openedCall("close a descriptor", unix.SYS_CLOSE)
}
