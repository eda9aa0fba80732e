//go:build linux && (amd64 || arm64)

package layers

import "golang.org/x/sys/unix"

// Terminals that a sandbox may have open at once.
const ptyLimit = "64"

// devices makes a minimal /dev. The nodes are the host's, shown one by one: a
// user namespace cannot make any.
func (b *builder) devices() {
	b.Layer(Devices)
	if Without(partDev) {
		b.bind(old+"/dev", "/dev", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
		return
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		path := "/dev/" + name
		b.mkfile(path)
		b.bind(old+path, path, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	}
	b.mkdir("/dev/shm", 0o755)
	b.mkdir("/dev/pts", 0o755)
	b.mount("devpts", "/dev/pts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,max="+ptyLimit)
	b.symlink("pts/ptmx", "/dev/ptmx")
	b.symlink("/proc/self/fd", "/dev/fd")
	b.symlink("/proc/self/fd/0", "/dev/stdin")
	b.symlink("/proc/self/fd/1", "/dev/stdout")
	b.symlink("/proc/self/fd/2", "/dev/stderr")
}
