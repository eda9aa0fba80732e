//go:build linux && (amd64 || arm64)

package layers

import (
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
)

// EntryLimit bounds how many things one directory of a root may show: each is
// a mount.
const EntryLimit = 512

// old is where the host's files are while the root is being built.
const old = "/.host"

// The root itself holds mount points, links and a few small files.
const rootOptions = "mode=0755,size=4m,nr_inodes=8192"

const plain = unix.MS_NOSUID | unix.MS_NODEV

// startRoot makes a small file system the root, with the host's files at old.
func (b *builder) startRoot() {
	b.Layer(RootFiles)
	none := b.String("")
	b.call("detach from the host's mounts", unix.SYS_MOUNT, none, b.String("/"), none, unix.MS_REC|unix.MS_PRIVATE, none)
	// Any directory will do as the place: after pivot_root it is not covered
	// any more. /proc exists wherever this runs.
	b.mount("tmpfs", "/proc", plain, rootOptions)
	b.mkdir("/proc"+old, 0o700)
	b.call("pivot_root", unix.SYS_PIVOT_ROOT, b.String("/proc"), b.String("/proc"+old))
	b.chdir("/")
	for _, dir := range []string{"/proc", "/dev", "/tmp", "/run", "/home", home, "/var", "/var/tmp"} {
		b.mkdir(dir, 0o755)
	}
}

// show shows source at path: directories and files as mounts, symbolic links
// as they are. What does not exist, or is something else, is left out.
func (b *builder) show(source, path string) error {
	info, err := os.Lstat(source)
	if err != nil {
		return ignoreMissing(err)
	}
	switch info.Mode().Type() {
	case fs.ModeDir:
		b.bindDir(old+source, path)
	case 0:
		b.bindFile(old+source, path)
	case fs.ModeSymlink:
		target, err := os.Readlink(source)
		if err != nil {
			return ignoreMissing(err)
		}
		b.symlink(target, path)
	}
	return nil
}

func ignoreMissing(err error) error {
	if os.IsNotExist(err) {
		return nil
	}
	return fmt.Errorf("layers: look at the root: %w", err)
}

// finishRoot takes the host's files away and makes the root read-only.
func (b *builder) finishRoot() {
	b.Layer(RootFiles)
	b.unmount(old, unix.MNT_DETACH)
	b.rmdir(old)
	if !Without(driver.ReadOnlyRoot) {
		b.attributes("/", readOnly, 0)
	}
	b.chdir("/")
}
