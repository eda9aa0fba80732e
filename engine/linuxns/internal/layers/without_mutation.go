//go:build linux && (amd64 || arm64) && agbmutation

package layers

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/guest/agent"
)

// Parts are all that can be left out.
var Parts = []string{
	driver.Seccomp, driver.Landlock, partNetwork, partPID, driver.ProcessLimit, driver.MemoryLimit,
	driver.CPULimit, driver.DiskLimit, driver.Capabilities, driver.NoNewPrivs, partDev, driver.Descriptors, driver.ReadOnlyRoot,
	driver.GuestHidden,
}

// WithoutEnv is the variable in a launcher's environment that names the part
// to leave out.
const WithoutEnv = agent.WithoutEnv

var missing = os.Getenv(WithoutEnv)

// Without reports whether a part of the isolation is left out.
func Without(part string) bool { return part == missing }

// guestEnv has the agent leave out its share.
func guestEnv(env []string) []string {
	return append(env[:len(env):len(env)], agent.WithoutEnv+"="+missing)
}

// leaveOpen leaves a descriptor open that leads to the host's files.
func (b *builder) leaveOpen() {
	const outOfTheWay = 100
	b.open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	b.openedCall("keep it through the exec", unix.SYS_FCNTL, unix.F_DUPFD, outOfTheWay)
}

// keepCapabilities makes every capability one that programs get.
func (b *builder) keepCapabilities(last int) {
	mask := uint64(1)<<(last+1) - 1
	half := func(v uint64) unix.CapUserData {
		return unix.CapUserData{Effective: uint32(v), Permitted: uint32(v), Inheritable: uint32(v)}
	}
	b.setCapabilities("keep capabilities", [2]unix.CapUserData{half(mask), half(mask >> 32)})
	for c := 0; c <= last; c++ {
		b.call("keep a capability", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c), 0, 0)
	}
}
