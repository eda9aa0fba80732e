//go:build linux && (amd64 || arm64)

package linuxns

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/engine/linuxns/internal/reexec"
)

// self is the file that is running, whatever has become of its path since.
const self = "/proc/self/exe"

// newImage returns a copy of a program in memory that nobody can change any
// more, not even through /proc/self/exe of a process that runs it, nor open to
// read it, unless privileged.
func newImage(program string) (*os.File, error) {
	fd, err := unix.MemfdCreate(reexec.ImageName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate(reexec.ImageName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
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
	image := os.NewFile(uintptr(fd), program)
	if err := fill(image, program); err != nil {
		_ = image.Close() // useless
		return nil, err
	}
	return image, nil
}

func fill(image *os.File, program string) error {
	file, err := os.Open(program)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // read only
	if _, err := io.Copy(image, file); err != nil {
		return fmt.Errorf("copy the program: %w", err)
	}
	if err := image.Chmod(0o111); err != nil {
		return fmt.Errorf("make the copy unreadable: %w", err)
	}
	return seal(image)
}

// How often the kernel is asked to seal an image, and the pause between.
const (
	sealAttempts = 50
	sealPause    = 10 * time.Millisecond
)

// seal forbids every change of an image. The kernel refuses it with EBUSY while
// anything may still write to a page: also for a moment when it has to do with
// one itself, as on a busy machine. It waits 0.15 s for that to be over, each
// time that it is asked.
func seal(image *os.File) error {
	const seals = unix.F_SEAL_WRITE | unix.F_SEAL_GROW | unix.F_SEAL_SHRINK | unix.F_SEAL_SEAL
	for attempt := 1; ; attempt++ {
		_, err := unix.FcntlInt(image.Fd(), unix.F_ADD_SEALS, seals)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EBUSY) || attempt == sealAttempts:
			return fmt.Errorf("seal the copy: %w", err)
		}
		time.Sleep(sealPause)
	}
}
