package drivertest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

// Each limit is tested at its value and one beyond.

func (s *suite) diskLimit() {
	t := s.t
	spec := Spec
	spec.Limits.FileBytes = spec.Limits.DiskBytes
	b := Create(t, s.runtime(), spec)
	// Across places: they share one limit, of which directories have a few pages.
	const near = 128 << 10
	put := func(path string, size int64) string {
		return fmt.Sprintf("head -c %d /dev/zero > %s", size, path)
	}
	half := spec.Limits.DiskBytes / 2
	for _, places := range [][2]string{{"/tmp/f", "/dev/shm/f"}, {"/home/user/f", "/var/tmp/f"}} {
		b.Output(t, put(places[0], half)+" && "+put(places[1], half-near))
		got := b.Run(t, put(places[1], half+1))
		require.NotZero(t, got.Exit.Code)
		require.Contains(t, got.Stderr, "No space left")
		b.Output(t, "rm "+places[0]+" "+places[1])
	}
	b.Output(t, put("/home/user/f", 1024))
}

func (s *suite) inodeLimit() {
	t := s.t
	b := s.sandbox()
	n := int(Spec.Limits.DiskInodes)
	script := func(from, to int) string {
		return "i=" + strconv.Itoa(from) + "; while [ $i -lt " + strconv.Itoa(to) + " ]; do : > /tmp/$i || exit 1; i=$((i+1)); done"
	}
	b.Output(t, script(0, n))
	require.NotZero(t, b.Run(t, script(n, n+1)).Exit.Code)
	require.NotZero(t, b.Run(t, "mkdir /dev/shm/d").Exit.Code, "one limit for all places")
}

func (s *suite) fileLimit() {
	t := s.t
	b := s.sandbox()
	n := Spec.Limits.FileBytes
	b.Output(t, "head -c "+strconv.FormatInt(n, 10)+" /dev/zero > /tmp/f")
	require.NotZero(t, b.Run(t, "head -c "+strconv.FormatInt(n+1, 10)+" /dev/zero > /tmp/f").Exit.Code)
	require.Equal(t, strconv.FormatInt(n, 10), strings.TrimSpace(b.Output(t, "wc -c < /tmp/f")))
}

func (s *suite) dataLimit() {
	t := s.t
	spec := Spec
	spec.Limits.DataBytes, spec.Limits.MemoryBytes = 512<<20, 1<<30
	b := Create(t, s.runtime(), spec)
	n := spec.Limits.DataBytes
	require.Equal(t, strconv.FormatInt(n>>10, 10)+"\n", b.Output(t, "ulimit -d"))
	const program = 8 << 20 // its own data
	require.Equal(t, strconv.FormatInt(n-program, 10), b.Output(t, fill(n-program)))
	got := b.Run(t, fill(n))
	require.NotZero(t, got.Exit.Code)
	require.Zero(t, got.Exit.Signal, "it was refused, and not killed for want of memory")
	require.Empty(t, got.Stdout)
}

// fill returns a command that has n bytes of memory, and says so.
func fill(n int64) string {
	return fmt.Sprintf("exec perl -e '$x = q(); vec($x, %d, 8) = 1; print length $x'", n-1)
}

func (s *suite) openFilesLimit() {
	t := s.t
	b := s.sandbox()
	require.Equal(t, strconv.Itoa(Spec.Limits.OpenFiles)+"\n", b.Output(t, "ulimit -n"))
	require.Equal(t, strconv.Itoa(Spec.Limits.OpenFiles)+"\n", b.Output(t, "ulimit -H -n"))
	// The highest descriptor is one less than there may be.
	open := func(n int) string {
		return "exec bash -c 'i=3; while [ $i -lt " + strconv.Itoa(n) + " ]; do eval \"exec $i</dev/null\" || exit 9; i=$((i+1)); done; echo $i'"
	}
	require.Equal(t, strconv.Itoa(Spec.Limits.OpenFiles)+"\n", b.Output(t, open(Spec.Limits.OpenFiles)))
	got := b.Run(t, open(Spec.Limits.OpenFiles+1))
	require.NotZero(t, got.Exit.Code)
	require.Empty(t, got.Stdout)
}

// processTries is how often the processes of a sandbox are counted while they
// reach their limit: a thread of the guest that comes or goes then spoils it.
const processTries = 5

func (s *suite) processLimit() {
	t := s.t
	n := Spec.Limits.Processes
	// After each process the shell tells how many there are of its own and
	// how many threads the guest has; it ends when there can be no further one.
	script := "i=1; while [ $i -le " + strconv.Itoa(n) + " ]; do sleep 60 >/dev/null 2>&1 & i=$((i+1)); " +
		"while read k v; do [ $k != Threads: ] || echo $i $v; done </proc/1/status; done; echo all of them"
	r := s.runtime()
	for try := range processTries {
		b := Create(t, r, Spec)
		require.Equal(t, strconv.Itoa(n)+"\n", b.Output(t, "ulimit -u 2>/dev/null || bash -c 'ulimit -u'"))
		out := b.Run(t, script).Stdout
		require.NotContains(t, out, "all", "more processes than the limit")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		var own, threads int
		_, err := fmt.Sscan(lines[len(lines)-1], &own, &threads)
		require.NoError(t, err)
		b.Destroy(t)
		t.Logf("%d processes and %d threads of the guest", own, threads)
		if own+threads == n {
			return
		}
		require.Less(t, try+1, processTries, "as many as the limit, and not one more")
	}
}
