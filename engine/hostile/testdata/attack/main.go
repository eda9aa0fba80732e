// Command attack makes the system calls of attacks that a shell cannot make. It
// prints a line that starts with WIN for every one that succeeds. The first
// argument says what to try.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
)

var attacks = map[string]func(args []string){
	"openwrite": openWrite, "mounts": mounts, "handles": handles, "pages": pages, "links": links,
	"namespaces": namespaces, "setns": setNS, "peek": peek, "keys": keys, "kernel": kernel, "vsock": vsock,
	"terminal": terminal, "foreign": foreign, "foreigncall": foreignCall, "privileges": privileges,
	"limits": limits, "deep": deep, "devicecalls": deviceCalls, "status": status, "descriptors": descriptors,
	"threads": threads, "memory": memory, "spin": spin, "openfiles": openFiles,
	"connect": connect, "send": send, "ask": ask, "listen": listen,
}

func main() {
	runtime.LockOSThread() // much of this is a thread's
	if len(os.Args) < 2 || attacks[os.Args[1]] == nil {
		fmt.Println("attack: which?")
		os.Exit(2)
	}
	attacks[os.Args[1]](os.Args[2:])
}

// won reports a success.
func won(format string, args ...any) { fmt.Printf("WIN "+format+"\n", args...) }

// call makes a system call and reports it when it succeeds.
func call(what string, nr uintptr, args ...uintptr) (uintptr, syscall.Errno) {
	var a [6]uintptr
	copy(a[:], args)
	r, _, errno := syscall.RawSyscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno == 0 {
		won("%s", what)
	} else {
		fmt.Println(what+":", errno)
	}
	return r, errno
}

// again runs this program once more in new namespaces, as root of the user
// namespace among them.
func again(namespaces uintptr, args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: namespaces, UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
	}
	return cmd.Run()
}

// targets are the processes to attack.
func targets() (pids []int) {
	for _, word := range strings.Fields(os.Getenv("TARGETS")) {
		if pid, err := strconv.Atoi(word); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// openWrite opens files for writing, and writes nothing.
func openWrite(paths []string) {
	for _, path := range paths {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			fmt.Println(err)
			continue
		}
		won("opened %s for writing", path)
		_ = f.Close()
	}
}
