//go:build linux

package seccomp

import "golang.org/x/sys/unix"

const nativeABI = unix.AUDIT_ARCH_AARCH64

var otherABIs []span

// Everything that this architecture has, both have.
var (
	allowedHere, refusedHere, missingHere []group

	byArgumentsHere []examined
)
