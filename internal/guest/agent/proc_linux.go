package agent

import (
	"bytes"
	"strconv"

	"golang.org/x/sys/unix"
)

// procEntry is what /proc/PID/stat says of a process.
type procEntry struct {
	pid, parent int
	dead        bool   // a zombie, or about to be one, with all threads
	cpu         uint64 // ticks, of it and of children it waited for
}

// processes reads all of /proc. Processes that vanish meanwhile are left out.
func processes() ([]procEntry, error) {
	var list []procEntry
	err := eachPID(func(fd, pid int) {
		var buf [1024]byte
		if e, ok := parseStat(readProc(fd, strconv.Itoa(pid)+"/stat", buf[:])); ok && e.pid == pid {
			list = append(list, e)
		}
	})
	return list, err
}

// eachPID calls f with a descriptor of /proc and the number of every process.
func eachPID(f func(fd, pid int)) error {
	fd, err := unix.Open("/proc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	return eachName(fd, func(name string) error {
		if pid, err := strconv.Atoi(name); err == nil {
			f(fd, pid)
		}
		return nil
	})
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
	const state, parent, utime, cstime, threads = 3, 4, 14, 17, 20
	f := bytes.Fields(b[name+1:])
	if len(f) <= threads-state {
		return procEntry{}, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(string(f[i-state])); return n } // of the kernel
	pid, err := strconv.Atoi(string(b[:space]))
	if err != nil {
		return procEntry{}, false
	}
	e := procEntry{
		pid: pid, parent: number(parent),
		dead: bytes.ContainsAny(f[0], "ZXx") && number(threads) <= 1,
	}
	for i := utime; i <= cstime; i++ {
		e.cpu += uint64(max(number(i), 0))
	}
	return e, true
}
