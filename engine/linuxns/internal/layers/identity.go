//go:build linux && (amd64 || arm64)

package layers

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// RangeSize is how many ids the sandbox of a root owner has: id i inside is
// first+i outside, so that nothing in it is ever real root.
const RangeSize = 1 << 16

// The ids that sandboxes of a root owner are given outside. Nobody else hands
// them out: systemd leaves 1879048192 to 2147352575 unused (UIDS-GIDS.md), of
// which SSSD may map users of a directory to those up to 2000200000
// (ldap_idmap_range_max in sssd-ldap(5)).
const (
	areaStart = 30521 * RangeSize // 2000224256
	areaEnd   = 32766 * RangeSize // 2147352576
)

// An owner that is root in a user namespace without these ids uses the highest
// that there are, if they make at least minRanges, above those that distributions
// give to users.
const (
	lowestRange = 16 * RangeSize
	minRanges   = 64
)

// IDs says how the ids of sandboxes are mapped.
type IDs struct {
	// Range maps RangeSize ids, other ones for each sandbox, out of those from
	// First to below End, which are multiples of RangeSize; the launcher
	// writes the map, which takes privileges. Otherwise UID and GID are the
	// only ids there are: the child writes the map, and is user 1000 to itself.
	Range      bool
	First, End int64
	UID, GID   int
}

// FindIDs finds out what the calling process, as an owner, can map. Root gets
// ranges, unless root is confined to a user namespace that has too few ids.
func FindIDs() IDs {
	ids := IDs{UID: os.Geteuid(), GID: os.Getegid()}
	if ids.UID != 0 {
		return ids
	}
	ids.First, ids.End = area(extents("/proc/self/uid_map"), extents("/proc/self/gid_map"))
	ids.Range = ids.First < ids.End
	return ids
}

// extent are the ids from first to below end.
type extent struct{ first, end int64 }

// extents returns the ids that there are in this user namespace.
func extents(path string) []extent {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // read only
	return parseExtents(f)
}

func parseExtents(r io.Reader) []extent {
	var list []extent
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var inside, outside, count int64
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &count); err != nil {
			return nil
		}
		list = append(list, extent{inside, inside + count})
	}
	return list
}

// area returns the ids to take ranges from; none when there are too few. The
// kernel wants a range to be in one extent of either map.
func area(users, groups []extent) (first, end int64) {
	for _, u := range users {
		for _, g := range groups {
			from := (max(u.first, g.first, lowestRange) + RangeSize - 1) / RangeSize * RangeSize
			to := min(u.end, g.end, areaEnd) / RangeSize * RangeSize
			from = max(from, to-(areaEnd-areaStart))
			if to-from >= minRanges*RangeSize && to > end {
				first, end = from, to
			}
		}
	}
	return first, end
}

// RangeMap is what the launcher writes into the uid_map and gid_map of the
// child of a root owner.
func RangeMap(first int64) string { return fmt.Sprintf("0 %d %d", first, RangeSize) }

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
	if Without(driver.Descriptors) {
		b.leaveOpen()
	}
	b.closeOthers()
}

func (b *builder) closeOthers() {
	if Without(driver.Descriptors) {
		return
	}
	b.call("close descriptors", unix.SYS_CLOSE_RANGE, StreamFD, uintptr(^uint32(0)), 0)
}
