//go:build linux && (amd64 || arm64)

package seccomp

import "golang.org/x/sys/unix"

// refused are calls that answer EPERM.
var refused = []group{
	{"mounts and roots: what is mounted is what may be seen", []uint32{
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT,
		unix.SYS_OPEN_TREE, unix.SYS_OPEN_TREE_ATTR, unix.SYS_FSOPEN, unix.SYS_FSMOUNT, unix.SYS_FSCONFIG,
		unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
	}},
	{"namespaces: new ones hold capabilities, and so most of the kernel", []uint32{
		unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
	}},
	{"the memory and descriptors of other processes", []uint32{
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_PROCESS_MADVISE,
		unix.SYS_PROCESS_MRELEASE, unix.SYS_PIDFD_GETFD, unix.SYS_KCMP, unix.SYS_GET_ROBUST_LIST,
	}},
	{"keyrings, which belong to users and not to namespaces", []uint32{
		unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	}},
	{"files by handle, which are not bound to what is mounted", []uint32{
		unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_OPEN_BY_HANDLE_AT,
	}},
	{"watching what others do to files", []uint32{unix.SYS_FANOTIFY_INIT, unix.SYS_FANOTIFY_MARK}},
	{"programs that run in the kernel, or act on faults in it", []uint32{
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	}},
	{"a second way past this filter to files and sockets", []uint32{
		unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	}},
	{"the machine's clock", []uint32{
		unix.SYS_CLOCK_SETTIME, unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
	}},
	{"the machine's kernel, swap, quotas, log and accounting", []uint32{
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD,
		unix.SYS_KEXEC_FILE_LOAD, unix.SYS_REBOOT, unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_QUOTACTL,
		unix.SYS_QUOTACTL_FD, unix.SYS_SYSLOG, unix.SYS_ACCT, unix.SYS_VHANGUP,
	}},
}

// missing are calls that answer ENOSYS, so that programs take another way.
var missing = []group{
	{"clone with its flags in memory, out of a filter's reach; libraries use clone", []uint32{unix.SYS_CLONE3}},
	{"asynchronous I/O, counted for the whole machine: one sandbox could take all; databases use threads", []uint32{
		unix.SYS_IO_SETUP, unix.SYS_IO_DESTROY, unix.SYS_IO_SUBMIT, unix.SYS_IO_CANCEL, unix.SYS_IO_GETEVENTS,
		unix.SYS_IO_PGETEVENTS,
	}},
	{"memory nodes, as on a machine with one; libnuma asks by the error", []uint32{
		unix.SYS_MBIND, unix.SYS_GET_MEMPOLICY, unix.SYS_SET_MEMPOLICY, unix.SYS_SET_MEMPOLICY_HOME_NODE,
		unix.SYS_MIGRATE_PAGES, unix.SYS_MOVE_PAGES,
	}},
	{"user pages in pipes, which let files be overwritten before; uutils' yes and cat then copy", []uint32{
		unix.SYS_VMSPLICE,
	}},
	{"mounts and namespaces by number; libmount reads /proc/self/mountinfo", []uint32{
		unix.SYS_STATMOUNT, unix.SYS_LISTMOUNT, unix.SYS_LISTNS,
	}},
	{"pages that not even the kernel sees; cryptographic libraries use mlock", []uint32{unix.SYS_MEMFD_SECRET}},
	{"what others have in the page cache; tools use mincore", []uint32{unix.SYS_CACHESTAT}},
	{"mappings out of order, emulated since Linux 4.0; programs use mmap", []uint32{unix.SYS_REMAP_FILE_PAGES}},
	{"security modules' attributes; libraries use /proc/self/attr", []uint32{
		unix.SYS_LSM_GET_SELF_ATTR, unix.SYS_LSM_SET_SELF_ATTR, unix.SYS_LSM_LIST_MODULES,
	}},
	{"file attributes by path; tools use ioctl", []uint32{unix.SYS_FILE_GETATTR, unix.SYS_FILE_SETATTR}},
	{"longer time slices, which prctl does not give either", []uint32{unix.SYS_RSEQ_SLICE_YIELD}},
	{"removed from the kernel", []uint32{unix.SYS_NFSSERVCTL, unix.SYS_LOOKUP_DCOOKIE}},
}

// pretended are calls that answer success and do nothing.
var pretended = []group{
	// A session's own files are in memory and end with it: there is nothing of
	// it that could be made to last.
	{"writing out whole file systems, the host's too, which stalls everybody", []uint32{
		unix.SYS_SYNC, unix.SYS_SYNCFS,
	}},
}
