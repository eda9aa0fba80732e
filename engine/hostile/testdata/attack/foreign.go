package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"golang.org/x/sys/unix"
)

// foreignCalls are numbers of the i386 table: what is harmless and what the
// filter refuses, ptrace, mount, unshare, keyctl, bpf and others.
var foreignCalls = []int{20, 26, 21, 52, 61, 102, 217, 286, 287, 288, 310, 336, 341, 342, 346, 347, 348, 357, 374, 425, 426, 427, 438}

// foreign makes each of them in a process of its own, since it may be killed
// for it.
func foreign([]string) {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	for _, nr := range foreignCalls {
		out, err := exec.Command(self, "foreigncall", strconv.Itoa(nr)).CombinedOutput()
		fmt.Printf("%s", out)
		if err != nil {
			fmt.Println(nr, err)
		}
	}
	// x32 is the same entry with a bit in the number.
	call("x32 getpid", unix.SYS_GETPID|0x40000000)
	call("x32 ptrace", 521|0x40000000)
}

// foreignCall makes one call by the 32-bit entry. That it is refused by errno
// is well, unless the errno is one that only the call itself would give.
func foreignCall(args []string) {
	nr := number(args, 0)
	r := int32(int80(uint32(nr)))
	switch errno := unix.Errno(-r); {
	case r >= 0:
		won("i386 call %d: %d", nr, r)
	case errno != unix.EPERM && errno != unix.ENOSYS:
		won("i386 call %d got as far as %v", nr, errno)
	default:
		fmt.Println("i386 call", nr, errno)
	}
}
