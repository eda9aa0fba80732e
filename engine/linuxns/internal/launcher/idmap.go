//go:build linux && (amd64 || arm64)

package launcher

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// openMapPipe makes the pipe that a child waits at until its ids are mapped.
// Each child has its own: with a common one a child could take another's byte.
func openMapPipe() error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return at(layers.Identity, "make a pipe", err)
	}
	if err := move(p[0], layers.MappedFD); err != nil {
		return err
	}
	return move(p[1], layers.MapDoneFD)
}

func closeMapPipe() {
	_ = take(layers.NullFD, layers.MappedFD) // dup3 between open descriptors does not fail
	_ = take(layers.NullFD, layers.MapDoneFD)
}

// mapIDs maps the range that begins with first into a child's user namespace
// and lets it go on.
func mapIDs(pid int, first int64) error {
	for _, name := range []string{"gid_map", "uid_map"} {
		if err := write(fmt.Sprintf("/proc/%d/%s", pid, name), layers.RangeMap(first)); err != nil {
			return at(layers.Identity, "write "+name, err)
		}
	}
	if _, err := unix.Write(layers.MapDoneFD, []byte{1}); err != nil {
		return at(layers.Identity, "tell that ids are mapped", err)
	}
	return nil
}

func write(path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(text))
	_ = unix.Close(fd) // these files take their text at write
	return err
}
