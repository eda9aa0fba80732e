package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// namespaces makes new ones, in every way there is, and uses what it has won.
func namespaces([]string) {
	for _, flag := range []int{
		unix.CLONE_NEWUSER, unix.CLONE_NEWNET, unix.CLONE_NEWNS, unix.CLONE_NEWPID, unix.CLONE_NEWIPC,
		unix.CLONE_NEWUTS, unix.CLONE_NEWCGROUP, unix.CLONE_NEWTIME,
	} {
		if err := unix.Unshare(flag); err == nil {
			won("unshare %#x", flag)
		} else {
			fmt.Printf("unshare %#x: %v\n", flag, err)
		}
	}
	// A child that comes to life ends at once.
	for _, flag := range []uintptr{unix.CLONE_NEWUSER, unix.CLONE_NEWUSER | unix.CLONE_NEWNET, 1<<32 | unix.CLONE_NEWUSER} {
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flag|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno == 0 && pid == 0 {
			unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
		}
		if errno == 0 {
			won("clone %#x", flag)
		} else {
			fmt.Println("clone:", errno)
		}
	}
	args := [11]uint64{unix.CLONE_NEWUSER, 0, 0, 0, uint64(unix.SIGCHLD)}
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
	if errno == 0 && pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	if errno == 0 {
		won("clone3")
	}
	for _, family := range []int{unix.AF_PACKET, unix.AF_NETLINK} {
		for _, protocol := range []int{unix.NETLINK_ROUTE, unix.NETLINK_NETFILTER} {
			if fd, err := unix.Socket(family, unix.SOCK_RAW, protocol); err == nil {
				won("socket of family %d, protocol %d: %d", family, protocol, fd)
			}
		}
	}
}

// setNS enters namespaces of every process, also by pidfd. Without privilege, it
// first becomes root of a user namespace.
func setNS(args []string) {
	if len(args) == 0 && os.Getuid() != 0 {
		fmt.Println("with a user namespace:", again(unix.CLONE_NEWUSER|unix.CLONE_NEWNET, "setns", "inside"))
	}
	paths, _ := filepath.Glob("/proc/[0-9]*/ns/*") // the pattern is right
	for _, path := range paths {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			continue
		}
		if err := unix.Setns(fd, 0); err == nil {
			won("setns %s", path)
		}
		_ = unix.Close(fd)
	}
	for _, pid := range append(targets(), os.Getpid()) {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		for _, flag := range []int{unix.CLONE_NEWNET, unix.CLONE_NEWUTS, unix.CLONE_NEWIPC, unix.CLONE_NEWNS} {
			if err := unix.Setns(fd, flag); err == nil {
				won("setns to process %d, %#x", pid, flag)
			}
		}
		_ = unix.Close(fd)
	}
}

// peek reads and stops other processes.
func peek([]string) {
	for _, pid := range targets() {
		for _, file := range []string{"mem", "environ", "maps", "auxv", "stack", "syscall"} {
			path := fmt.Sprintf("/proc/%d/%s", pid, file)
			if f, err := os.Open(path); err == nil {
				line, err := bufio.NewReader(f).Peek(1)
				if err == nil || file == "mem" {
					won("opened %s: %q", path, line)
				}
				_ = f.Close()
			}
		}
		for _, link := range []string{"cwd", "root", "exe", "fd/0", "ns/net"} {
			if target, err := os.Readlink(fmt.Sprintf("/proc/%d/%s", pid, link)); err == nil {
				won("%s of %d is %s", link, pid, target)
			}
		}
		address, buf := addressOf(pid), make([]byte, 8)
		local := []unix.Iovec{{Base: &buf[0], Len: 8}}
		remote := []unix.RemoteIovec{{Base: address, Len: 8}}
		if n, err := unix.ProcessVMReadv(pid, local, remote, 0); err == nil {
			won("process_vm_readv of %d: %d bytes", pid, n)
		}
		if n, err := unix.ProcessVMWritev(pid, local, remote, 0); err == nil {
			won("process_vm_writev of %d: %d bytes", pid, n)
		}
		if fd, err := unix.PidfdOpen(pid, 0); err == nil {
			if _, err := unix.PidfdGetfd(fd, 0, 0); err == nil {
				won("pidfd_getfd of %d", pid)
			}
		}
		call(fmt.Sprintf("ptrace seize %d", pid), unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid))
		call(fmt.Sprintf("ptrace attach %d", pid), unix.SYS_PTRACE, unix.PTRACE_ATTACH, uintptr(pid))
	}
	call("ptrace traceme", unix.SYS_PTRACE, unix.PTRACE_TRACEME)
}

// addressOf returns an address that the process has in use.
func addressOf(pid int) uintptr {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0x400000
	}
	first, _, _ := strings.Cut(string(maps), "-")
	address, _ := strconv.ParseUint(first, 16, 64) // 0 will do as well
	return uintptr(address)
}

// keys looks for the owner's keys, and makes some.
func keys([]string) {
	if id, err := unix.RequestKey("user", "relcanary", "", 0); err == nil {
		won("request_key: %d", id)
		buf := make([]byte, 256)
		if n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, buf, 0); err == nil {
			fmt.Printf("key: %s\n", buf[:n])
		}
	}
	for _, ring := range []int{unix.KEY_SPEC_SESSION_KEYRING, unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING} {
		if id, err := unix.KeyctlGetKeyringID(ring, false); err == nil {
			won("keyring %d is %d", ring, id)
		}
		if _, err := unix.KeyctlSearch(ring, "user", "relcanary", 0); err == nil {
			won("found the key in %d", ring)
		}
	}
	if _, err := unix.AddKey("user", "x", []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING); err == nil {
		won("add_key")
	}
	if text, err := os.ReadFile("/proc/keys"); err == nil && len(text) > 0 {
		won("/proc/keys: %s", strings.ReplaceAll(string(text), "\n", "|"))
	}
}
