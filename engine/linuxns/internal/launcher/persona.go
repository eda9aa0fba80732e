//go:build linux && (amd64 || arm64)

package launcher

import (
	"golang.org/x/sys/unix"
)

// persona lets a root launcher fork each sandbox as a user of the sandbox's own.
// Who makes a user namespace owns it, and all that the kernel counts in it, such
// as inotify instances, counts for that user outside, too: sandboxes of one
// owner could use up what belongs to all, and to the host's root.
type persona struct{ possible bool }

const noSetuidFixup = 1 << 2 // SECBIT_NO_SETUID_FIXUP of capabilities(7)

// newPersona prepares the calling thread, which keeps its capabilities as any
// user from then on.
func newPersona() persona {
	bits, err := unix.PrctlRetInt(unix.PR_GET_SECUREBITS, 0, 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_SECUREBITS, uintptr(bits|noSetuidFixup), 0, 0, 0)
	}
	return persona{possible: err == nil}
}

// as runs fork with the effective user id given, of the calling thread alone;
// for 0, and where it is not possible, as it is.
func (p persona) as(user int64, fork func() error) error {
	if user == 0 || !p.possible {
		return fork()
	}
	if err := setEffective(user); err != nil {
		return err
	}
	// The real user, root, may return at any time.
	defer func() { _ = setEffective(0) }()
	return fork()
}

func setEffective(user int64) error {
	const keep = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, keep, uintptr(user), keep); errno != 0 {
		return errno
	}
	// The change has made the process undumpable, and that is inherited: the
	// child could not open its own files in /proc.
	return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)
}
