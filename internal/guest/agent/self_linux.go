package agent

import (
	"bytes"
	"context"
	"encoding/binary"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// Hello implements [guest.Handler]. It tries and looks, and asks nobody. What
// it cannot find out is as if it were not in place.
func (a *agent) Hello(context.Context) (guest.Hello, error) {
	s := guest.Self{
		Refused:      refused(),
		Landlock:     restricted(),
		ReadOnlyRoot: rootIsReadOnly(),
		LoopbackOnly: loopbackOnly(),
		OpenFiles:    a.inherited,
		Dumpable:     dumpable(),
		Processes:    commandsMost(),
	}
	s.DiskBytes, s.DiskInodes = disk("/tmp", "/var/tmp", "/dev/shm", "/run", a.home)
	for i := range s.Capabilities {
		s.Capabilities[i] = ^uint64(0)
	}
	var buf [selfRead]byte
	parseStatus(head("/proc/self/status", buf[:]), &s)
	for i, path := range namespaces {
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil {
			s.Namespaces[i] = st.Ino
		}
	}
	return guest.Hello{Version: guest.Version, Self: s}, nil
}

// selfRead is how much of a file of /proc is read. What matters comes first.
const selfRead = 4096

// namespaces are in the order of [guest.Self].
var namespaces = [...]string{
	"/proc/self/ns/user", "/proc/self/ns/mnt", "/proc/self/ns/pid", "/proc/self/ns/net", "/proc/self/ns/ipc",
	"/proc/self/ns/uts", "/proc/self/ns/cgroup",
}

// head returns the beginning of a file, as much as fits in buf.
func head(path string, buf []byte) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer closeFD(fd)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return nil
	}
	return buf[:n]
}

// parseStatus takes what it finds from the text of /proc/self/status, see
// proc_pid_status(5). Lines that are cut off count as absent.
func parseStatus(text []byte, s *guest.Self) {
	for {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return
		}
		text = rest
		key, value, _ := bytes.Cut(line, []byte(":\t"))
		switch string(key) {
		case "Uid":
			s.UID = sameIDs(value)
		case "Gid":
			s.GID = sameIDs(value)
		case "CapInh":
			s.Capabilities[0] = capabilities(value)
		case "CapPrm":
			s.Capabilities[1] = capabilities(value)
		case "CapEff":
			s.Capabilities[2] = capabilities(value)
		case "CapBnd":
			s.Capabilities[3] = capabilities(value)
		case "CapAmb":
			s.Capabilities[4] = capabilities(value)
		case "NoNewPrivs":
			s.NoNewPrivs = string(value) == "1"
		case "Seccomp":
			if len(value) == 1 && value[0] >= '0' && value[0] <= '2' {
				s.Seccomp = int(value[0] - '0')
			}
		}
	}
}

// sameIDs returns the id that real, effective, saved and file system id are
// alike, or else 0.
func sameIDs(value []byte) int {
	first, rest, _ := bytes.Cut(value, []byte("\t"))
	for range 3 {
		var next []byte
		if next, rest, _ = bytes.Cut(rest, []byte("\t")); !bytes.Equal(next, first) {
			return 0
		}
	}
	id, err := strconv.ParseUint(string(first), 10, 32)
	if err != nil {
		return 0
	}
	return int(id)
}

func capabilities(value []byte) uint64 {
	set, err := strconv.ParseUint(string(value), 16, 64)
	if err != nil {
		return ^uint64(0)
	}
	return set
}

// refused makes a call that the filter forbids to all. Without a filter the
// kernel would say that there is no such process.
func refused() bool {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, 0, 0, 0, 0, 0)
	return errno == unix.EPERM
}

// trial is the name of what must not come to be.
const trial = ".agb-trial"

// restricted makes a device of the one kind that everybody may make (a
// whiteout, see mknod(2)) where everything else may be made.
func restricted() bool {
	err := unix.Mknod("/tmp/"+trial, unix.S_IFCHR, 0)
	if err == nil {
		_ = unix.Unlink("/tmp/" + trial) // made a moment ago
	}
	return err == unix.EACCES
}

func rootIsReadOnly() bool {
	err := unix.Mkdir("/"+trial, 0o700)
	if err == nil {
		_ = unix.Rmdir("/" + trial) // made a moment ago
	}
	return err == unix.EROFS
}

// loopbackOnly reports whether no other interface is up. There may be others:
// some drivers make one in every network namespace, which nobody can use.
func loopbackOnly() bool {
	var buf [selfRead]byte
	text := head("/proc/self/net/dev", buf[:])
	if len(text) == 0 || len(text) == len(buf) {
		return false
	}
	const headings = 2
	for i := 0; len(text) > 0; i++ {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		name, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		if i >= headings && string(name) != "lo" && up(name) {
			return false
		}
	}
	return true
}

// up reports whether an interface is up, or cannot be asked.
func up(name []byte) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer closeFD(fd)
	req, err := unix.NewIfreq(string(name))
	if err != nil {
		return true
	}
	return unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, req) != nil || req.Uint16()&unix.IFF_UP != 0
}

func dumpable() bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_PRCTL, unix.PR_GET_DUMPABLE, 0, 0, 0, 0, 0)
	return errno != 0 || n != 0
}

// unknownFiles stands for a number of descriptors that cannot be found out.
const unknownFiles = 1 << 16

// openFiles counts the descriptors that are open. Those by which the Go
// runtime waits are its own and do not count.
func openFiles() int {
	fd, err := unix.Open("/proc/self/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return unknownFiles
	}
	defer closeFD(fd)
	count := 0
	var buf [selfRead]byte
	for {
		n, err := unix.Getdents(fd, buf[:])
		switch {
		case err != nil:
			return unknownFiles
		case n == 0:
			return count
		}
		for list := buf[:n]; len(list) > 0; {
			// struct linux_dirent64: inode and offset, 8 bytes each, length 2, type 1, name.
			const length, name = 16, 19
			size := binary.NativeEndian.Uint16(list[length:])
			entry, _, _ := bytes.Cut(list[name:size], []byte{0})
			if entry[0] != '.' && string(entry) != strconv.Itoa(fd) && !waits(string(entry)) {
				count++
			}
			list = list[size:]
		}
	}
}

func waits(fd string) bool {
	var buf [64]byte
	n, err := unix.Readlink("/proc/self/fd/"+fd, buf[:])
	target := string(buf[:max(n, 0)])
	return err == nil && (target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]")
}
