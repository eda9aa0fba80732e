//go:build linux && (amd64 || arm64)

package layers

import (
	"strconv"

	"github.com/agb-go/sdk/engine/driver"
)

// writable are the places that a sandbox may write to. They are directories of
// one file system in memory, so that one limit holds for all together.
var writable = []struct {
	name, path string
	perm       uintptr
}{
	{"tmp", "/tmp", 0o1777},
	{"vartmp", "/var/tmp", 0o1777},
	{"home", home, 0o700},
	{"shm", "/dev/shm", 0o1777},
	{"run", "/run", 0o755},
}

// private mounts the sandbox's own writable places.
func (b *builder) private(l driver.Limits) {
	b.Layer(Private)
	const at = "/.private"
	b.mkdir(at, 0o700)
	// The directories that are there from the start are not the sandbox's.
	size, inodes := l.DiskBytes, l.DiskInodes+int64(len(writable))+1
	if Without(driver.DiskLimit) {
		size, inodes = 0, 0
	}
	b.mount("tmpfs", at, plain,
		"mode=0700,size="+strconv.FormatInt(size, 10)+",nr_inodes="+strconv.FormatInt(inodes, 10))
	for _, w := range writable {
		dir := at + "/" + w.name
		b.mkdir(dir, w.perm)
		b.own(dir)
		b.bind(dir, w.path, 0)
	}
	b.unmount(at, 0)
	b.rmdir(at)
}
