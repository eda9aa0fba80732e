//go:build linux

package agent

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest"
)

// percentiles times f and reports the median and the 99th percentile.
func percentiles(b *testing.B, f func()) {
	b.Helper()
	times := make([]time.Duration, 0, 1<<10)
	for b.Loop() {
		begin := time.Now()
		f()
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkRunTrue(b *testing.B) {
	s := start(b)
	percentiles(b, func() {
		if _, err := s.Run(b.Context(), guest.Command{Args: []string{"/bin/true"}}); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkOSExec is what BenchmarkRunTrue is to be compared with.
func BenchmarkOSExec(b *testing.B) {
	percentiles(b, func() {
		if err := exec.CommandContext(b.Context(), "/bin/true").Run(); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkRunEcho(b *testing.B) {
	s := start(b)
	percentiles(b, func() {
		var out bytes.Buffer
		if _, err := s.Run(b.Context(), guest.Command{Args: []string{"/bin/echo", "hello"}, Stdout: &out}); err != nil || out.Len() != 6 {
			b.Fatal(err)
		}
	})
}

func BenchmarkStat(b *testing.B) {
	s := start(b)
	percentiles(b, func() {
		if _, err := s.Stat(b.Context(), "/", true); err != nil {
			b.Fatal(err)
		}
	})
}

const big = 1 << 30

func BenchmarkRead1GiB(b *testing.B) {
	s := start(b)
	name := memory(b) + "/big"
	require.NoError(b, os.WriteFile(name, nil, 0o600))
	require.NoError(b, os.Truncate(name, big))
	b.SetBytes(big)
	for b.Loop() {
		n, err := s.Read(b.Context(), name, 0, 0, io.Discard)
		if err != nil || n != big {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkWrite1GiB(b *testing.B) {
	s := start(b)
	name := memory(b) + "/big"
	b.SetBytes(big)
	for b.Loop() {
		_, err := s.Write(b.Context(), name, guest.Overwrite, 0o600, io.LimitReader(endless{}, big))
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOutput is output of a command through pipe, agent and stream.
func BenchmarkOutput(b *testing.B) {
	s := start(b)
	const size = 256 << 20
	b.SetBytes(size)
	for b.Loop() {
		_, err := s.Run(b.Context(), guest.Command{Args: []string{"head", "-c", strconv.Itoa(size), "/dev/zero"}, Stdout: io.Discard, OutputLimit: size})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIdle reports what an agent in a binary of its own has for itself,
// and its threads: when it is new, after commands, and after work.
func BenchmarkIdle(b *testing.B) {
	binary := b.TempDir() + "/guest"
	build := exec.CommandContext(b.Context(), "go", "build", "-o", binary, "./testdata/guest")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(b, err, string(out))
	s := start(b, func(cmd *exec.Cmd) { cmd.Path = binary })
	fresh := private(b, s.pid)
	for b.Loop() {
		if _, err := s.Run(b.Context(), guest.Command{Args: []string{"/bin/true"}, Dir: "/"}); err != nil {
			b.Fatal(err)
		}
	}
	const quiet = 1500 * time.Millisecond
	<-time.After(quiet)
	used := private(b, s.pid)
	ctx := context.WithoutCancel(b.Context())
	_, err = s.Search(ctx, guest.SearchQuery{Dir: "/usr/lib", Pattern: "*.x"})
	require.NoError(b, err)
	_, err = s.Run(ctx, guest.Command{Args: []string{"head", "-c", "100000000", "/dev/zero"}, Dir: "/"})
	require.NoError(b, err)
	<-time.After(quiet)
	threads, err := os.ReadDir("/proc/" + strconv.Itoa(s.pid) + "/task")
	require.NoError(b, err)
	for unit, n := range map[string]int{
		"new-KiB": fresh, "used-KiB": used, "worked-KiB": private(b, s.pid), "threads": len(threads),
	} {
		b.ReportMetric(float64(n), unit)
	}
}

// private returns how many KiB of memory a process shares with nobody, its
// binary left out, which other agents use, too.
func private(tb testing.TB, pid int) int {
	tb.Helper()
	f, err := os.Open("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	require.NoError(tb, err)
	defer func() { require.NoError(tb, f.Close()) }()
	total := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, rest, _ := strings.Cut(lines.Text(), ":"); name == "Anonymous" {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(tb, err)
			total += n
		}
	}
	return total
}

// BenchmarkFirstOutput is the time to the first output of a command that goes
// on.
func BenchmarkFirstOutput(b *testing.B) {
	s := start(b)
	times := make([]time.Duration, 0, 1<<10)
	for b.Loop() {
		begin := time.Now()
		var first time.Duration
		_, err := s.Run(b.Context(), guest.Command{Args: []string{"sh", "-c", "echo x; exec sleep 0.03"}, Stdout: writerFunc(func(p []byte) (int, error) {
			first = time.Since(begin)
			return len(p), nil
		})})
		require.NoError(b, err)
		times = append(times, first)
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}
