//go:build linux && (amd64 || arm64)

package layers

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// The range that a root owner's sandboxes live in, so that nothing in them is
// ever real root: id i inside is RangeStart+i outside.
const (
	RangeStart = 100000
	RangeSize  = 65536
)

// IDs says how the ids of a sandbox are mapped.
type IDs struct {
	// Range maps RangeSize ids; the launcher writes the map, which takes
	// privileges. Otherwise UID and GID are the only ids there are: the child
	// writes the map, and is user 1000 to itself.
	Range    bool
	UID, GID int
}

// FindIDs finds out what the calling process, as an owner, can map. Root gets
// the range, unless root is confined to a user namespace that does not have it.
func FindIDs() IDs {
	ids := IDs{UID: os.Geteuid(), GID: os.Getegid()}
	ids.Range = ids.UID == 0 && maps("/proc/self/uid_map") && maps("/proc/self/gid_map")
	return ids
}

// maps reports whether one line of an id map holds the whole range.
func maps(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // read only
	return holdsRange(f)
}

func holdsRange(r io.Reader) bool {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var inside, outside, count int64
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &count); err != nil {
			return false
		}
		if inside <= RangeStart && inside+count >= RangeStart+RangeSize {
			return true
		}
	}
	return false
}

// RangeMap is what the launcher writes into the uid_map and gid_map of the
// child of a root owner.
func RangeMap() string { return fmt.Sprintf("0 %d %d", RangeStart, RangeSize) }

func (b *builder) identity(ids IDs) {
	b.Layer(Identity)
	b.call("umask", unix.SYS_UMASK, 0)
	if !ids.Range {
		b.write("/proc/self/setgroups", "deny", 0, 0)
		b.write("/proc/self/gid_map", oneID(ids.GID), 0, 0)
		b.write("/proc/self/uid_map", oneID(ids.UID), 0, 0)
		return
	}
	// The writing end first: else a launcher that dies leaves a reader forever.
	b.call("wait for the id map", unix.SYS_CLOSE, MapDoneFD)
	b.Add(tape.Call{
		Step: "wait for the id map", Nr: unix.SYS_READ, Want: 1,
		Args: [6]uintptr{MappedFD, tape.Hold(b.Tape, new([1]byte)), 1},
	})
	b.call("become group 0 of the sandbox", unix.SYS_SETRESGID, 0, 0, 0)
	b.call("become user 0 of the sandbox", unix.SYS_SETRESUID, 0, 0, 0)
}

func oneID(outside int) string { return strconv.Itoa(UserID) + " " + strconv.Itoa(outside) + " 1" }

// descriptors gives the child the guest's descriptors and takes all others,
// but for the program and the report, which go at exec.
func (b *builder) descriptors() {
	b.call("set descriptor 3", unix.SYS_DUP3, StreamFD, ControlFD, 0)
	for fd := uintptr(0); fd <= 2; fd++ {
		b.call("set standard descriptors", unix.SYS_DUP3, NullFD, fd, 0)
	}
	b.closeOthers()
}

func (b *builder) closeOthers() {
	b.call("close descriptors", unix.SYS_CLOSE_RANGE, StreamFD, uintptr(^uint32(0)), 0)
}
