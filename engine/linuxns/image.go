//go:build linux && (amd64 || arm64)

package linuxns

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// newImage returns a copy of this program in memory that nobody can change any
// more, not even through /proc/self/exe of a process that runs it. The copy is
// of the file that is running, whatever has become of its path since.
func newImage() (*os.File, error) {
	fd, err := unix.MemfdCreate("agb", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate("agb", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	// Below, starting a launcher would put another descriptor in its place.
	if fd < layers.ReservedFD {
		low := fd
		fd, err = unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, layers.ReservedFD)
		_ = unix.Close(low) // its copy stays
		if err != nil {
			return nil, fmt.Errorf("duplicate a descriptor: %w", err)
		}
	}
	image := os.NewFile(uintptr(fd), "agb")
	if err := fill(image); err != nil {
		_ = image.Close() // useless
		return nil, err
	}
	return image, nil
}

func fill(image *os.File) error {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer func() { _ = self.Close() }() // read only
	if _, err := io.Copy(image, self); err != nil {
		return fmt.Errorf("copy the program: %w", err)
	}
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	if _, err := unix.FcntlInt(image.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return fmt.Errorf("seal the copy: %w", err)
	}
	return nil
}
