package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// number returns an argument that is one.
func number(args []string, i int) int {
	n, err := strconv.Atoi(args[i])
	if err != nil {
		panic(err)
	}
	return n
}

// threads starts more than so many.
func threads(args []string) {
	limit := number(args, 0)
	for n := range limit + 1 {
		started := make(chan struct{})
		go func() {
			runtime.LockOSThread()
			close(started)
			unix.Pause()
		}()
		select {
		case <-started:
		case <-time.After(2 * time.Second): // the kernel refuses, or the runtime has given up
			fmt.Println("threads:", n)
			return
		}
	}
	won("more than %d threads", limit)
}

// memory takes so many MiB and uses them.
func memory(args []string) {
	limit := number(args, 0)
	var kept [][]byte
	for range limit {
		b, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			fmt.Println("memory:", len(kept), err)
			return
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
	won("%d MiB", len(kept))
}

// spin uses as much processor time as it gets for so many milliseconds, and
// wins with more than so many thousandths of one processor.
func spin(args []string) {
	length, most := time.Duration(number(args, 0))*time.Millisecond, number(args, 1)
	const workers = 8
	runtime.GOMAXPROCS(workers)
	start := time.Now()
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for time.Since(start) < length {
			}
		})
	}
	wg.Wait()
	var used unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	share := int(cpu * 1000 / time.Since(start))
	fmt.Println("share:", share)
	if share > most {
		won("%d thousandths of a processor", share)
	}
}

// openFiles opens more than so many at once.
func openFiles(args []string) {
	limit := number(args, 0)
	for n := range limit + 1 {
		if _, err := unix.Open(os.DevNull, unix.O_RDONLY, 0); err != nil {
			fmt.Println("open files:", n, err)
			return
		}
	}
	won("more than %d open files", limit)
}

// limits prints its own. WIN is one that is missing.
func limits([]string) {
	for name, which := range map[string]int{
		"nproc": unix.RLIMIT_NPROC, "nofile": unix.RLIMIT_NOFILE, "fsize": unix.RLIMIT_FSIZE, "data": unix.RLIMIT_DATA,
		"core": unix.RLIMIT_CORE,
	} {
		var now unix.Rlimit
		if err := unix.Getrlimit(which, &now); err != nil {
			panic(err)
		}
		if now.Max == unix.RLIM_INFINITY || which == unix.RLIMIT_CORE && now.Max > 1 {
			won("%s is %d", name, now.Max)
		}
	}
}
