//go:build linux && (amd64 || arm64)

package layers

import (
	"golang.org/x/sys/unix"
)

// Parts of /proc that tell about the machine or change it. The kernel decides
// which of them exist.
var (
	procHidden = []string{
		"acpi", "asound", "config.gz", "iomem", "ioports", "kallsyms", "kcore", "key-users", "keys", "kmsg",
		"kpagecgroup", "kpagecount", "kpageflags", "latency_stats", "sched_debug", "scsi", "slabinfo",
		"sysrq-trigger", "timer_list", "timer_stats", "vmallocinfo",
	}
	procReadOnly = []string{"sys", "irq", "bus", "fs"}
)

// empty is a directory to show in place of what is hidden.
const empty = "/.empty"

// proc mounts a /proc of the sandbox's own pid namespace. The kernel refuses
// when the host's /proc is itself covered in places, as in containers.
func (b *builder) proc(ids IDs) {
	b.Layer(Proc)
	if Without(partPID) {
		b.bind(old+"/proc", "/proc", unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
	} else {
		b.mount("proc", "/proc", plain|unix.MS_NOEXEC, "")
	}
	b.settings(ids)
	b.mkdir(empty, 0o555)
	for _, name := range procHidden {
		path := "/proc/" + name
		var st unix.Stat_t
		if unix.Lstat(path, &st) != nil || !ids.mayUse(&st) {
			continue
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			b.bind(empty, path, readOnly)
		} else {
			b.bind("/dev/null", path, 0) // restricted already, and shown again it remains so
		}
	}
	for _, name := range procReadOnly {
		path := "/proc/" + name
		if unix.Access(path, unix.F_OK) == nil {
			b.bind(path, path, readOnly|unix.MOUNT_ATTR_NOEXEC)
		}
	}
	b.rmdir(empty)
}

// mayUse reports whether a sandbox, without capabilities, could use the file.
// Most of what is to be hidden is root's alone, and sandboxes are not root:
// that costs no mount.
func (ids IDs) mayUse(st *unix.Stat_t) bool {
	return st.Mode&0o007 != 0 || !ids.Range && (int(st.Uid) == ids.UID || st.Mode&0o070 != 0)
}
