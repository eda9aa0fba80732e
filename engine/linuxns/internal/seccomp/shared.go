//go:build linux && (amd64 || arm64)

package seccomp

import "golang.org/x/sys/unix"

// Here are arguments that reach what all sandboxes of a machine share and no
// limit of theirs covers: its page cache, its huge pages and its budget for
// compiled programs.

// secureComputing examines seccomp(unsigned int operation, unsigned int flags,
// void *). Filters of one's own end with the processes that have them, but a
// listener keeps its filter for as long as anybody has the descriptor: one
// process could use up the budget for compiled programs.
var secureComputing = without(low(1), unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, refuse(unix.EINVAL))

// Huge pages are the machine's, and memory limits do not count them.
var (
	// mmap examines mmap(void *, size_t, int protection, unsigned long flags,
	// ...). It answers as where no huge page is free.
	mmap = without(low(3), unix.MAP_HUGETLB, refuse(unix.ENOMEM))

	// memfdCreate examines memfd_create(const char *, unsigned int flags). It
	// answers as before Linux 4.14.
	memfdCreate = without(low(1), unix.MFD_HUGETLB, refuse(unix.EINVAL))
)

// fadvise examines fadvise64(int fd, loff_t, size_t, int advice). The advice to
// drop a file from the page cache would drop it for everybody. A session's own
// files are in memory, where it does nothing anyway.
var fadvise = &choice{on: low(3), cases: each(pretend, unix.FADV_DONTNEED), otherwise: allow}

// preadv2 examines preadv2(int fd, const struct iovec *, int, unsigned long
// low, unsigned long high, int flags). To read without waiting tells what others
// have in the page cache.
var preadv2 = without(low(5), unix.RWF_NOWAIT, refuse(unix.EOPNOTSUPP))

// without refuses a flag of a word.
func without(on word, flag uint32, refusal verdict) *choice {
	return &choice{on: on, mask: flag, cases: each(allow, 0), otherwise: refusal}
}
