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
// owner that is root, a range of 65536 ids that no other sandbox on the machine
// has at the time, out of 2000224256 to 2147352575, without those that
// /etc/subuid, /etc/subgid, /etc/passwd or /etc/group give to somebody. (Root
// in a user namespace without those ids uses the highest that there are, and is
// an ordinary owner where there are fewer than four million.) Owners keep out of
// each other's way by locks on /run/agb-id-ranges. There are no capabilities,
// and no way to get any. The kernel does not let an ordinary owner drop its
// supplementary groups: what they may read of the files shown, the sandbox may.
//
// From Linux 5.19 on, where Landlock is not switched off, a ruleset around the
// whole sandbox says the same again: read and execute below its root, write to
// the places above; from 6.12 on also signals and abstract sockets of the
// sandbox alone.
//
// A Spec.Root directory takes the place of the host's programs. The ids above
// must be able to reach it. File systems of the kernel, such as proc, cannot be
// one, nor be mounted in one where they would be shown.
//
// # Limits
//
// Memory, processes and processor time are limited, counted and frozen by
// control groups of the kernel, version 2, version 1 or both, where the program
// may make some: as root, or in what systemd delegates to a user or a service.
// See internal/cgroup for which are taken. Sandbox.Layers tells which limits a
// sandbox has, as read from the kernel. Without control groups there is no
// limit of memory but Limits.DataBytes for each process, none of processor
// time, and no Usage; processes are limited by RLIMIT_NPROC, and Pause works by
// signals. The guest has a small share of its own on top: 16 MiB of memory and
// 24 processes. Limits.Processes counts threads. What is written to files counts
// as memory, too.
//
// What the kernel counts for a user or for the machine is bounded for each
// sandbox: inotify instances (64, or 8 with an ordinary owner, whose sandboxes
// and other programs share one account), inotify watches (8192), pending signals
// and timers (1024), locked memory (64 KiB a process), System V shared memory
// (64 MiB), semaphores and messages (for root, from Linux 6.9 on); POSIX message
// queues, fanotify and further namespaces are not to be had at all.
//
// When the machine itself is out of memory, commands end first, then guests.
// What precedence an owner has over other programs, sandboxes do not have.
package linuxns

import "log/slog"

// name is the runtime's name.
const name = "linuxns"

// Config configures a [Runtime]. The zero value is ready to use.
type Config struct {
	// Logger receives what the operator should know, such as the death of a
	// launcher. Nil means silence.
	Logger *slog.Logger

	// GuestBinary is the path of a program to run as the guest, in place of a
	// copy of this one: one made from this module's internal/guest/cmd, with
	// CGO_ENABLED=0, of the same version. It is read with the first Create.
	// Sandboxes start faster with it when this program is large, or has much
	// to initialise; and where this one is dynamically linked, no directory can
	// be an image without it.
	GuestBinary string
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}
