// Package linuxns isolates sandboxes with what the Linux kernel offers to
// everybody: namespaces, a private root, resource limits and a system call
// filter. It needs no root, no daemon and no other program.
//
// # Processes
//
//	owner (your program)
//	  └─ launcher            a sealed copy of your program, started on demand
//	       ├─ guest          pid 1 of a sandbox, from the same copy
//	       └─ guest          ...
//
// The launcher forks sandboxes, because forking from a large owner is slow; see
// internal/launcher. The child of a fork sets up its own isolation with a
// prepared list of system calls (internal/tape, internal/layers) and becomes
// the guest by one exec. The owner holds one end of each guest's stream.
//
// Nothing survives the owner, however it ends: the launcher sees the end of
// its control socket, kills every sandbox, waits for them, and exits. If the
// launcher itself is killed, the kernel kills what it forked, the owner closes
// the streams, and the next Create starts another launcher.
//
// Copies of a program do not reach its main function, nor the initialisers of
// packages that sort after this one; see internal/reexec. Nothing of the
// owner's environment or descriptors reaches launcher or guest.
//
// # What a sandbox is
//
// New user, mount, pid, network (loopback only), ipc, uts and cgroup
// namespaces. The root is read-only and shows /usr with its links, and of /etc
// a list of files that programs need and that holds no secrets; not /home,
// /root, /var, /run, /opt, /srv, /mnt, /sys. One file system in memory, limited
// in bytes and inodes, holds /tmp, /var/tmp, /home/user, /dev/shm and /run.
// /proc is the sandbox's own, with the parts that tell about the machine
// hidden; /dev has the harmless nodes. Everything runs as user 1000, which
// outside is never root: the ids of a sandbox are the owner's own id, or for an
// owner that is root, ids from 100000 on. (A root that is confined to a user
// namespace without those ids is an ordinary owner here.) There are no
// capabilities, and no way to get any. The kernel does not let an ordinary
// owner drop its supplementary groups: what they may read of the files shown,
// the sandbox may.
//
// Limits.Processes counts threads, and the guest's own: about six.
//
// A Spec.Root directory takes the place of the host's programs. The ids above
// must be able to reach it.
package linuxns

import "log/slog"

// name is the runtime's name.
const name = "linuxns"

// Config configures a [Runtime]. The zero value is ready to use.
type Config struct {
	// Logger receives what the operator should know, such as the death of a
	// launcher. Nil means silence.
	Logger *slog.Logger
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}
