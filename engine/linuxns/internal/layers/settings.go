//go:build linux && (amd64 || arm64)

package layers

import (
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// setting is a file below /proc/sys that belongs to a namespace of the
// sandbox's own.
type setting struct{ name, value string }

// userSettings bound what the kernel counts for the owner of the user
// namespace, too: one sandbox could use up what all have together, and what is
// left to the owner. See namespaces(7), inotify(7) and fanotify(7).
var userSettings = []setting{
	{"user/max_cgroup_namespaces", "0"},
	{"user/max_ipc_namespaces", "0"},
	{"user/max_mnt_namespaces", "0"},
	{"user/max_net_namespaces", "0"},
	{"user/max_pid_namespaces", "0"},
	{"user/max_time_namespaces", "0"},
	{"user/max_uts_namespaces", "0"},
	{"user/max_fanotify_groups", "0"},
	{"user/max_fanotify_marks", "0"},
	{"user/max_inotify_watches", "8192"},
}

// A root owner's sandboxes count against nobody else, see [IDs]; those of an
// ordinary owner against the 128 or so that each user has.
const (
	inotifyOwn    = "64"
	inotifyShared = "8"
)

// ipcSettings bound memory of the kernel that belongs to no process: shared
// memory of 64 MiB, a few message queues, and some thousand semaphores, see
// sysvipc(7). Before Linux 6.9, and for ordinary owners, they are the host's
// root's to set, and only the memory limit bounds this.
var ipcSettings = []setting{
	{"kernel/shmmax", "67108864"},
	{"kernel/shmall", "16384"},
	{"kernel/shmmni", "128"},
	{"kernel/msgmni", "32"},
	{"kernel/msgmnb", "16384"},
	{"kernel/sem", "250 4096 100 64"},
}

// settings makes the settings, which are read-only afterwards. Kernels without
// one of them have nothing there to bound.
func (b *builder) settings(ids IDs) {
	// The filter refuses nested user namespaces; this is the second line.
	b.write("/proc/sys/user/max_user_namespaces", "0", 0, 0)
	instances := inotifyShared
	if ids.Range {
		instances = inotifyOwn
	}
	b.set(setting{"user/max_inotify_instances", instances})
	for _, s := range userSettings {
		b.set(s)
	}
	if ids.Range {
		for _, s := range ipcSettings {
			b.set(s)
		}
	}
}

func (b *builder) set(s setting) {
	path := "/proc/sys/" + s.name
	b.Add(tape.Call{
		Step: "open " + path, Nr: unix.SYS_OPENAT, Save: true, Optional: true,
		Args: [6]uintptr{atCWD, b.String(path), unix.O_WRONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW},
	})
	b.Add(tape.Call{
		Step: "write " + path, Nr: unix.SYS_WRITE, Saved: true, Optional: true,
		Args: [6]uintptr{0, b.String(s.value), uintptr(len(s.value))},
	})
	b.Add(tape.Call{Step: "close " + path, Nr: unix.SYS_CLOSE, Saved: true, Optional: true})
}
