//go:build linux && (amd64 || arm64)

// Probe makes every system call of a range of numbers, each with all arguments
// 0 and in a process of its own, and prints what became of them: lines of a
// way, a number and a wait status, as wait(2) has it.
//
// The ways:
//   - 64-bit: a call that goes no further than the filters. Its exit code is the
//     errno that they answer, or ENOSYS where they allow it.
//   - x32, i386: the same by other entries of the kernel, on amd64.
//   - made: a 64-bit call that the kernel carries out if it may. Its errno is the
//     exit code; what blocks ends by SIGALRM.
//
// Where the first way says ENOSYS, the last tells whether that is the filters'.
//
// It needs nothing but the standard library, so that it compiles anywhere.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
)

func main() {
	if len(os.Args) != 3 {
		fail("usage: probe FIRST LAST", nil)
	}
	first, last := number(os.Args[1]), number(os.Args[2])
	runtime.LockOSThread() // the thread that has the additional filter
	if err := watch(); err != nil {
		fail("watch", err)
	}
	out := bufio.NewWriter(os.Stdout)
	for nr := first; nr <= last; nr++ {
		for _, w := range ways {
			status, err := tryPatiently(w, nr)
			if err != nil {
				fail("try", err)
			}
			fmt.Fprintf(out, "%s %d %d\n", w.name, nr, status)
		}
	}
	if err := out.Flush(); err != nil {
		fail("write", err)
	}
}

func number(text string) uintptr {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		fail("number", err)
	}
	return uintptr(n)
}

func fail(what string, err error) {
	fmt.Fprintln(os.Stderr, "probe:", what, err)
	os.Exit(1)
}

// A way is how calls are made.
type way struct {
	name  string
	bits  uintptr // to be set in the number
	i386  bool
	watch uintptr // the sixth argument; 0 lets the kernel carry the call out
}
