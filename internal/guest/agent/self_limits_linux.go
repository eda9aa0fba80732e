package agent

import (
	"slices"

	"golang.org/x/sys/unix"
)

// commandsMost returns how many processes commands may have: their hard limit,
// less what the agent keeps of it.
func commandsMost() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &l); err != nil {
		return unix.RLIM_INFINITY
	}
	if l.Max == unix.RLIM_INFINITY || l.Max <= ThreadReserve {
		return l.Max
	}
	return l.Max - ThreadReserve
}

// disk returns how many bytes and files the file systems of places can hold,
// each counted once; 0 when one of them has no limit or cannot be asked. See
// tmpfs(5).
func disk(places ...string) (bytes, files uint64) {
	var seen []uint64
	unlimitedBytes, unlimitedFiles := false, false
	for _, path := range places {
		var st unix.Stat_t
		var fs unix.Statfs_t
		if unix.Stat(path, &st) != nil || unix.Statfs(path, &fs) != nil {
			return 0, 0
		}
		if slices.Contains(seen, st.Dev) {
			continue
		}
		seen = append(seen, st.Dev)
		bytes += fs.Blocks * uint64(fs.Bsize)
		files += fs.Files
		unlimitedBytes = unlimitedBytes || fs.Blocks == 0
		unlimitedFiles = unlimitedFiles || fs.Files == 0
	}
	if unlimitedBytes {
		bytes = 0
	}
	if unlimitedFiles {
		files = 0
	}
	return bytes, files
}
