//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns"
	"github.com/agb-go/sdk/internal/guest"
)

// Programs that run inside sandboxes and want much: the test program itself.
// The number of bytes wanted is in hogEnv.
const hogEnv = "AGB_TEST_HOG_BYTES"

func init() {
	for name, hog := range hogs {
		owners["hog-"+name] = func() {
			n, err := strconv.Atoi(os.Getenv(hogEnv))
			fail(err)
			hog(n)
		}
	}
	owners["threads"] = threads
	owners["sockets"] = sockets
}

// hogs use memory of every kind. A call that fails ends them.
var hogs = map[string]func(n int){
	"private": func(n int) { touch(mapMemory(-1, n, unix.MAP_PRIVATE|unix.MAP_ANON)) },
	"shared":  func(n int) { touch(mapMemory(-1, n, unix.MAP_SHARED|unix.MAP_ANON)) },
	"memfd": func(n int) {
		fd, err := unix.MemfdCreate("hog", 0)
		fail(err)
		fail(unix.Ftruncate(fd, int64(n)))
		touch(mapMemory(fd, n, unix.MAP_SHARED))
	},
	"written memfd": func(n int) {
		fd, err := unix.MemfdCreate("hog", 0)
		fail(err)
		writeAll(os.NewFile(uintptr(fd), "hog"), n)
	},
	"tmpfs": func(n int) {
		f, err := os.Create("/dev/shm/hog")
		fail(err)
		fail(os.Remove(f.Name()))
		writeAll(f, n)
	},
	"system V": func(n int) {
		id, err := unix.SysvShmGet(unix.IPC_PRIVATE, n, 0o600)
		fail(err)
		b, err := unix.SysvShmAttach(id, 0, 0)
		fail(err)
		_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil) // when this program ends
		fail(err)
		touch(b)
	},
}

func mapMemory(fd, n, flags int) []byte {
	b, err := unix.Mmap(fd, 0, n, unix.PROT_READ|unix.PROT_WRITE, flags)
	fail(err)
	return b
}

func touch(b []byte) {
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
}

func writeAll(f *os.File, n int) {
	chunk := bytes.Repeat([]byte{1}, 1<<20)
	for ; n > 0; n -= len(chunk) {
		_, err := f.Write(chunk)
		fail(err)
	}
}

// threads starts threads until there are no more to be had, which ends a Go
// program.
func threads() {
	for {
		go func() {
			runtime.LockOSThread()
			fail(unix.Pause())
		}()
		time.Sleep(time.Microsecond)
	}
}

// hogSpec has room for the test program, and for more in files than in memory.
func hogSpec() driver.Spec {
	spec := drivertest.Spec
	spec.Limits.MemoryBytes, spec.Limits.DiskBytes, spec.Limits.FileBytes = 40<<20, 512<<20, 512<<20
	spec.Limits.DataBytes, spec.Limits.Processes = 1<<30, 64
	return spec
}

// bring puts the test program into a sandbox.
func bring(t *testing.T, b *drivertest.Box) {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	require.NoError(t, err)
	defer func() { require.NoError(t, self.Close()) }()
	_, err = b.Client.Write(t.Context(), "/tmp/hog", guest.CreateNew, 0o755, self)
	require.NoError(t, err)
}

// hog runs a part of the test program in a sandbox.
func hog(t *testing.T, b *drivertest.Box, name string, n int64) guest.Exit {
	t.Helper()
	var stderr bytes.Buffer
	exit, err := b.Client.Run(t.Context(), guest.Command{
		Args: []string{"/tmp/hog"}, Env: []string{ownerEnv + "=" + name, hogEnv + "=" + strconv.FormatInt(n, 10)},
		Timeout: drivertest.Timeout, Stderr: &stderr,
	})
	require.NoError(t, err)
	t.Logf("%s with %d bytes: exit code %d %.200s", name, n, exit.Code, stderr.String())
	return exit
}

// TestMemoryOfEveryKind: what fits is had, what does not ends the program, and
// nothing but the program.
func TestMemoryOfEveryKind(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	r := grouped(t)
	spec := hogSpec()
	b := drivertest.Create(t, r, spec)
	bring(t, b)
	equals := b.Output(t, guestScore) == b.Output(t, "cat /proc/self/oom_score_adj")
	for name := range hogs {
		t.Run(name, func(t *testing.T) {
			if equals && (name == "tmpfs" || name == "written memfd") {
				t.Skip("the guest has no lower oom_score_adj than commands, and the kernel does not see who has files")
			}
			before, err := b.Sandbox.Usage(t.Context())
			require.NoError(t, err)
			const program = 8 << 20 // its own memory
			exit := hog(t, b, "hog-"+name, spec.Limits.MemoryBytes-before.MemoryBytes-program)
			require.Zero(t, exit.Code)
			exit = hog(t, b, "hog-"+name, spec.Limits.MemoryBytes+linuxns.MemoryReserve+4<<20)
			require.Equal(t, int(unix.SIGKILL), exit.Signal)
			after, err := b.Sandbox.Usage(t.Context())
			require.NoError(t, err)
			require.Equal(t, before.OOMKills+1, after.OOMKills)
			// The kernel lets a few pages more pass than it has to.
			require.LessOrEqual(t, after.PeakBytes, spec.Limits.MemoryBytes+linuxns.MemoryReserve+64<<10)
			require.Equal(t, "still there\n", b.Output(t, "echo still there"))
		})
	}
}

// sockets fills the buffers of many connections and says how much they took.
func sockets() {
	ctx := context.Background()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	fail(err)
	total, piece := 0, make([]byte, 64<<10)
	for range 100 {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		fail(err)
		_, err = l.Accept() // and never read
		fail(err)
		fail(c.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)))
		for err = nil; err == nil; {
			var n int
			n, err = c.Write(piece)
			total += n
		}
	}
	_, err = os.Stdout.WriteString(strconv.Itoa(total))
	fail(err)
}

// TestSocketBuffers: what waits in sockets is bounded by the limit of memory.
func TestSocketBuffers(t *testing.T) {
	r := grouped(t)
	spec := hogSpec()
	spec.Limits.OpenFiles = 1024
	b := drivertest.Create(t, r, spec)
	bring(t, b)
	total, err := strconv.ParseInt(b.Output(t, ownerEnv+"=sockets /tmp/hog"), 10, 64)
	require.NoError(t, err)
	t.Logf("%d bytes in 100 connections", total)
	require.Positive(t, total)
	require.Less(t, total, spec.Limits.MemoryBytes)
}

// TestThreads: threads are processes, too.
func TestThreads(t *testing.T) {
	r := grouped(t)
	b := drivertest.Create(t, r, hogSpec())
	bring(t, b)
	exit := hog(t, b, "threads", 0)
	require.NotZero(t, exit.Code)
	require.False(t, exit.TimedOut)
	require.Equal(t, "still there\n", b.Output(t, "echo still there"))
}

// atAllLimits wants all the processor time, memory and processes there are.
const atAllLimits = `for i in 1 2 3 4 5 6 7 8; do (while :; do :; done) & done
	(while :; do ` + ownerEnv + `="hog-private" ` + hogEnv + `=1000000000 /tmp/hog; done) &
	bomb() { bomb | bomb & }; while :; do bomb; sleep 0.01; done`

// TestNeighbour: a sandbox at all of its limits is no burden to another.
func TestNeighbour(t *testing.T) {
	r := grouped(t)
	spec := hogSpec()
	spec.Limits.MemoryBytes = 128 << 20 // with the race detector the guest is larger than its reserve
	bad, good := drivertest.Create(t, r, spec), drivertest.Create(t, r, drivertest.Spec)
	bring(t, bad)
	const long = 3 * time.Second
	end, ended := time.Now().Add(long), make(chan error, 1)
	go func() {
		for time.Now().Before(end) { // the shell may be the one that is killed for the memory
			_, err := bad.Client.Run(t.Context(), guest.Command{Args: []string{"/bin/sh", "-c", atAllLimits}, Timeout: time.Until(end)})
			if err != nil && bad.Client.Err() != nil { // else there are no processes left for it
				break
			}
		}
		ended <- bad.Client.Err()
	}()
	var slowest time.Duration
	for over := false; !over; {
		select {
		case err := <-ended:
			require.NoError(t, err)
			over = true
		default:
			start := time.Now()
			require.Equal(t, "hi\n", good.Output(t, "echo hi"))
			slowest = max(slowest, time.Since(start))
		}
	}
	t.Logf("the slowest echo took %v", slowest)
	require.Less(t, slowest, time.Second)
	// A bomb whose shell was killed for the memory may go on: the guest answers
	// all the same.
	_, err := bad.Client.Stat(t.Context(), "/", false)
	require.NoError(t, err)
	start := time.Now()
	bad.Destroy(t)
	require.Less(t, time.Since(start), 5*time.Second)
}
