package agent

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// procEntry is what /proc/PID/stat says of a process.
type procEntry struct {
	pid, parent, group, session int
	dead                        bool   // a zombie, or about to be one
	cpu                         uint64 // ticks, of it and of children it waited for
	started                     uint64 // ticks since boot
}

// processes reads all of /proc. Processes that vanish meanwhile are left out.
func processes() ([]procEntry, error) {
	fd, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer closeFD(fd)
	var list []procEntry
	err = eachName(fd, func(name string) error {
		pid, err := strconv.Atoi(name)
		if err != nil {
			return nil //nolint:nilerr // not a process
		}
		var buf [1024]byte
		if e, ok := parseStat(readProc(fd, name+"/stat", buf[:])); ok && e.pid == pid {
			list = append(list, e)
		}
		return nil
	})
	return list, err
}

// readProc reads a small file of /proc, of whose directory fd is a
// descriptor, as far as it fits into buf.
func readProc(fd int, name string, buf []byte) []byte {
	file, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer closeFD(file)
	total := 0
	for total < len(buf) {
		n, err := retry(func() (int, error) { return unix.Read(file, buf[total:]) })
		if n <= 0 || err != nil {
			break
		}
		total += n
	}
	return buf[:total]
}

// parseStat takes a line of /proc/PID/stat apart. The name of the program is
// in parentheses and may contain anything.
func parseStat(b []byte) (procEntry, bool) {
	space, name := bytes.IndexByte(b, ' '), bytes.LastIndexByte(b, ')')
	if space < 0 || name < space {
		return procEntry{}, false
	}
	// Fields are numbered as in proc(5), from the third on.
	const state, parent, group, session, utime, cstime, start = 3, 4, 5, 6, 14, 17, 22
	f := bytes.Fields(b[name+1:])
	if len(f) <= start-state {
		return procEntry{}, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(string(f[i-state])); return n } // of the kernel
	pid, err := strconv.Atoi(string(b[:space]))
	if err != nil {
		return procEntry{}, false
	}
	e := procEntry{
		pid: pid, parent: number(parent), group: number(group), session: number(session),
		dead:    bytes.ContainsAny(f[0], "ZXx"),
		started: uint64(number(start)),
	}
	for i := utime; i <= cstime; i++ {
		e.cpu += uint64(max(number(i), 0))
	}
	return e, true
}

// parseTag returns the soft limit of pending signals from /proc/PID/limits.
func parseTag(b []byte) (uint64, bool) {
	_, rest, ok := bytes.Cut(b, []byte("Max pending signals"))
	if !ok {
		return 0, false
	}
	f := bytes.Fields(rest)
	if len(f) == 0 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(f[0]), 10, 64)
	return n, err == nil
}
