package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernel calls the large parts of the kernel: bpf, filters, uring, perf or others.
func kernel(which []string) {
	page := make([]byte, 4096)
	at := uintptr(unsafe.Pointer(&page[0]))
	for _, name := range which {
		switch name {
		case "bpf":
			for cmd := uintptr(0); cmd < 40; cmd++ {
				clear(page)
				if cmd == 0 { // an array of one
					*(*[5]uint32)(unsafe.Pointer(&page[0])) = [5]uint32{2, 4, 4, 1, 0}
				}
				call(fmt.Sprintf("bpf %d", cmd), unix.SYS_BPF, cmd, at, 120)
			}
		case "filters":
			filters()
		case "uring":
			fd, errno := call("io_uring_setup", unix.SYS_IO_URING_SETUP, 4, at)
			if errno != 0 {
				fd = ^uintptr(0)
			}
			call("io_uring_enter", unix.SYS_IO_URING_ENTER, fd, 0, 0, 0)
			call("io_uring_register", unix.SYS_IO_URING_REGISTER, fd, 0, 0, 0)
		case "perf":
			for kind := range uint32(3) {
				attr := &unix.PerfEventAttr{Type: kind, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Bits: 1 << 5}
				for _, pid := range append(targets(), 0, -1) {
					if fd, err := unix.PerfEventOpen(attr, pid, -1, -1, 0); err == nil {
						won("perf_event_open %d of %d: %d", kind, pid, fd)
					}
				}
			}
		case "personality":
			call("personality", unix.SYS_PERSONALITY, 0x0040000)
		case "userfaultfd":
			call("userfaultfd", unix.SYS_USERFAULTFD, 1)
		}
	}
}

// filters has programs compiled that outlive their processes, or are for sockets.
func filters() {
	pass := unix.SockFilter{Code: unix.BPF_RET, K: unix.SECCOMP_RET_ALLOW}
	program := unix.SockFprog{Len: 1, Filter: &pass}
	if pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); err == nil {
		if err := unix.SetsockoptSockFprog(pair[0], unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err == nil {
			won("filter of a socket")
		}
	}
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) // what is lacking then shows below
	call("seccomp listener", unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
}

// vsock asks for a socket to the hypervisor, and connects nowhere.
func vsock([]string) {
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_SEQPACKET} {
		if fd, err := unix.Socket(unix.AF_VSOCK, kind, 0); err == nil {
			won("AF_VSOCK: %d", fd)
		} else {
			fmt.Println("AF_VSOCK:", err)
		}
	}
}

// terminal pushes input into its terminals and into one of its own, which in a
// bare process is its controlling terminal.
func terminal([]string) {
	fds := []int{0, 1, 2}
	for _, path := range []string{"/dev/tty", "/dev/console", "/dev/ptmx"} {
		if fd, err := unix.Open(path, unix.O_RDWR, 0); err == nil {
			fds = append(fds, fd)
		}
	}
	own := fds[len(fds)-1]
	_ = unix.IoctlSetPointerInt(own, unix.TIOCSPTLCK, 0) // not a terminal then
	if n, err := unix.IoctlGetInt(own, unix.TIOCGPTN); err == nil {
		slave, err := unix.Open("/dev/pts/"+strconv.Itoa(n), unix.O_RDWR|unix.O_NOCTTY, 0)
		if err == nil {
			_, _ = unix.Setsid() // it is a leader already, or becomes one
			_ = unix.IoctlSetInt(slave, unix.TIOCSCTTY, 0)
			fds = append(fds, slave)
		}
	}
	char := []byte{'x'}
	for _, fd := range fds {
		for _, cmd := range []uintptr{unix.TIOCSTI, unix.TIOCLINUX, unix.TIOCSETD} {
			for _, high := range []uintptr{0, 1 << 32} {
				call(fmt.Sprintf("ioctl %#x of %d", cmd|high, fd), unix.SYS_IOCTL, uintptr(fd), cmd|high, uintptr(unsafe.Pointer(&char[0])))
			}
		}
	}
}

// deviceCalls makes calls to devices that are not for it.
func deviceCalls([]string) {
	for path, commands := range map[string][]uintptr{
		"/dev/random": {unix.RNDADDTOENTCNT, unix.RNDCLEARPOOL}, "/dev/net/tun": {unix.TUNSETIFF}, "/dev/kvm": {0xae00},
		"/dev/fuse": {0x8004e500}, "/dev/loop-control": {0x4c82}, "/dev/userfaultfd": {0xaa00},
	} {
		fd, err := unix.Open(path, unix.O_RDWR, 0)
		if err != nil {
			fmt.Println(path, err)
			continue
		}
		if path != "/dev/random" { // which is everybody's to write to
			won("opened %s", path)
		}
		if os.Getenv("BARE") == "" {
			for _, command := range commands {
				call(fmt.Sprintf("%s %#x", path, command), unix.SYS_IOCTL, uintptr(fd), command, 0)
			}
		}
	}
}

// privileges asks for more than it has.
func privileges([]string) {
	var now unix.Rlimit
	for which, name := range map[int]string{unix.RLIMIT_NPROC: "nproc", unix.RLIMIT_NOFILE: "nofile", unix.RLIMIT_CORE: "core"} {
		if err := unix.Getrlimit(which, &now); err != nil {
			continue
		}
		more := unix.Rlimit{Cur: now.Max + 1, Max: now.Max + 1}
		if now.Max == unix.RLIM_INFINITY {
			won("%s is not limited", name)
			continue
		}
		_ = unix.Setrlimit(which, &more) // what came of it shows
		if err := unix.Getrlimit(which, &more); err != nil || more.Max > now.Max {
			won("raised %s", name)
		}
	}
	for _, pid := range targets() {
		if unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &now) == nil && unix.Prlimit(pid, unix.RLIMIT_NOFILE, &now, nil) == nil {
			won("set a limit of %d", pid)
		}
		call(fmt.Sprintf("setpriority of %d", pid), unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, uintptr(pid), ^uintptr(19))
	}
	call("nice -20", unix.SYS_SETPRIORITY, unix.PRIO_PROCESS, 0, ^uintptr(19))
	priority := int32(1)
	call("SCHED_FIFO", unix.SYS_SCHED_SETSCHEDULER, 0, 1, uintptr(unsafe.Pointer(&priority)))
	call("ioprio real time", unix.SYS_IOPRIO_SET, 1, 0, 1<<13)
	for _, pid := range targets() {
		var cpus unix.CPUSet
		if pid == 1 {
			continue // of its own session
		}
		if unix.SchedGetaffinity(pid, &cpus) == nil && unix.SchedSetaffinity(pid, &cpus) == nil {
			won("set the processors of %d", pid)
		}
	}
	for _, value := range []string{"-1000", "-1"} {
		if err := os.WriteFile("/proc/self/oom_score_adj", []byte(value), 0); err == nil {
			won("oom_score_adj %s", value)
		}
	}
	for _, err := range []error{unix.Setuid(0), unix.Setgid(0), unix.Setgroups([]int{0})} {
		if err == nil {
			won("became root")
		}
	}
	call("keep capabilities", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, unix.CAP_CHOWN, 0, 0)
}

// status prints what the kernel says of this process. WIN is what a sandbox
// must never have.
func status([]string) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	want := map[string]string{
		"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000",
		"CapBnd": "0000000000000000", "CapAmb": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2",
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if value = strings.TrimSpace(value); want[name] != "" && value != want[name] {
			won("%s is %s", name, value)
		}
	}
}
