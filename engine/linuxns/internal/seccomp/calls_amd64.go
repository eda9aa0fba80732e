//go:build linux

package seccomp

import "golang.org/x/sys/unix"

const (
	nativeABI = unix.AUDIT_ARCH_X86_64

	// x32Bit is __X32_SYSCALL_BIT. Numbers from there to the end of int are x32
	// calls, beyond they are negative and no calls at all.
	x32Bit  = 0x40000000
	x32Last = 0x7fffffff
)

var otherABIs = []span{{x32Bit, x32Last, kill}}

var allowedHere = []group{
	{"older forms of what both architectures have", []uint32{
		unix.SYS_OPEN, unix.SYS_CREAT, unix.SYS_STAT, unix.SYS_LSTAT, unix.SYS_ACCESS, unix.SYS_MKDIR, unix.SYS_RMDIR,
		unix.SYS_MKNOD, unix.SYS_LINK, unix.SYS_UNLINK, unix.SYS_SYMLINK, unix.SYS_READLINK, unix.SYS_RENAME,
		unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT,
		unix.SYS_GETDENTS, unix.SYS_DUP2, unix.SYS_PIPE, unix.SYS_EVENTFD, unix.SYS_SIGNALFD, unix.SYS_INOTIFY_INIT,
		unix.SYS_POLL, unix.SYS_SELECT, unix.SYS_EPOLL_CREATE, unix.SYS_EPOLL_WAIT, unix.SYS_FORK, unix.SYS_VFORK,
		unix.SYS_GETPGRP, unix.SYS_PAUSE, unix.SYS_ALARM, unix.SYS_TIME,
	}},
	// Anywhere else it ends the process. From 6.14 on no filter is asked.
	{"what Linux 6.11 to 6.13 inserts into programs that the machine's owner traces", []uint32{unix.SYS_URETPROBE}},
}

var refusedHere = []group{
	{"segments and ports of the processor", []uint32{unix.SYS_MODIFY_LDT, unix.SYS_IOPL, unix.SYS_IOPERM}},
	{"old ways to libraries, file systems and devices", []uint32{unix.SYS_USELIB, unix.SYS_USTAT, unix.SYS_SYSFS}},
}

var missingHere = []group{
	{"never in the kernel, or removed from it", []uint32{
		unix.SYS_CREATE_MODULE, unix.SYS_GET_KERNEL_SYMS, unix.SYS_QUERY_MODULE, unix.SYS__SYSCTL, unix.SYS_GETPMSG,
		unix.SYS_PUTPMSG, unix.SYS_AFS_SYSCALL, unix.SYS_TUXCALL, unix.SYS_SECURITY, unix.SYS_VSERVER,
		unix.SYS_SET_THREAD_AREA, unix.SYS_GET_THREAD_AREA, unix.SYS_EPOLL_CTL_OLD, unix.SYS_EPOLL_WAIT_OLD,
	}},
	{"what the kernel inserts as above, on kernels that ask no filter", []uint32{unix.SYS_UPROBE}},
}

var byArgumentsHere = []examined{{unix.SYS_ARCH_PRCTL, archPrctl}}

// archPrctl examines arch_prctl(int option, ...). The options are ranges of
// asm/prctl.h. It leaves out the one for checkpoints at 0x2001, which maps the
// vdso of another ABI.
var archPrctl = &choice{on: low(0), otherwise: forbidden, cases: []span{
	{0x1001, 0x1004, allow},               // thread-local storage: the FS and GS bases
	{0x1011, 0x1012, allow},               // whether cpuid works
	{0x1021, 0x1025, allow},               // large registers, which have to be asked for
	{0x4001, 0x4004, allow},               // tags in addresses
	{0x5001, 0x5005, allow},               // shadow stacks
	{0x3001, 0x3001, refuse(unix.EINVAL)}, // an early form of these, which libraries ask for at every start
}}
