//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/guest"
)

// lastCall is the highest number of a system call that is tried.
const lastCall = 600

// outcomes are by number, then by way.
type outcomes [lastCall + 1]map[string]syscall.WaitStatus

// TestEverySystemCall tries every number in a sandbox, as its first command and
// as its fiftieth, and compares with the table. The flag -update writes it.
func TestEverySystemCall(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	probe := compileTest(t, "probe")
	b := drivertest.Create(t, usable(t), toolSpec())
	_, err := b.Client.Write(t.Context(), "/tmp/probe", guest.CreateNew, 0o755, bytes.NewReader(probe))
	require.NoError(t, err)

	start := time.Now()
	first := sweep(t, b)
	t.Logf("tried all in %v", time.Since(start))
	for range 48 {
		require.Zero(t, b.Run(t, "true").Exit.Code)
	}
	fiftieth := sweep(t, b)

	ways := []string{"64-bit"}
	if runtime.GOARCH == "amd64" {
		ways = append(ways, "x32", "i386")
	}
	for nr := range first {
		for _, way := range ways {
			require.Equal(t, outcome(first[nr][way]), outcome(fiftieth[nr][way]), "system call %d by %s: first, fiftieth", nr, way)
		}
		requireMade(t, nr, first[nr])
	}
	if *update {
		require.NoError(t, os.WriteFile(table, written(t, first, ways), 0o644))
	}
	compare(t, first, ways, bare(t, probe))
}

// toolSpec has room for compilers and virtual machines.
func toolSpec() driver.Spec {
	spec := drivertest.Spec
	spec.Limits.Processes, spec.Limits.OpenFiles = 256, 1024
	spec.Limits.DataBytes, spec.Limits.FileBytes, spec.Limits.DiskBytes = 4<<30, 1<<30, 512<<20
	spec.Limits.DiskInodes = 20_000
	spec.Limits.MemoryBytes, spec.Limits.MilliCPU = 2<<30, 2000
	return spec
}

// compileTest returns a program of testdata.
func compileTest(t *testing.T, name string) []byte {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go tool to compile the program with")
	}
	file := filepath.Join(t.TempDir(), name)
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
		"-o", file, "./testdata/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	program, err := os.ReadFile(file)
	require.NoError(t, err)
	return program
}

// sweep runs the probe, as one command.
func sweep(t *testing.T, b *drivertest.Box) *outcomes {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), drivertest.Timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	exit, err := b.Client.Run(ctx, guest.Command{
		Args: []string{"/tmp/probe", "0", strconv.Itoa(lastCall)}, Stdout: &stdout, Stderr: &stderr,
	})
	require.NoError(t, err)
	require.Zero(t, exit.Code, "%s", &stderr)
	return parse(t, stdout.String())
}

// parse reads what the probe prints.
func parse(t *testing.T, text string) *outcomes {
	t.Helper()
	var all outcomes
	for line := range strings.Lines(text) {
		var way string
		var nr, status int
		_, err := fmt.Sscan(line, &way, &nr, &status)
		require.NoError(t, err, line)
		if all[nr] == nil {
			all[nr] = map[string]syscall.WaitStatus{}
		}
		all[nr][way] = syscall.WaitStatus(status)
	}
	return &all
}

// bare returns what tells whether the running kernel lacks a call: it has the
// probe make it outside any sandbox. It is for calls that are meant to pass;
// others may do harm there.
func bare(t *testing.T, probe []byte) func(nr int) bool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "probe")
	require.NoError(t, os.WriteFile(file, probe, 0o755))
	return func(nr int) bool {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), file, strconv.Itoa(nr), strconv.Itoa(nr)).Output()
		require.NoError(t, err)
		return outcome(parse(t, string(out))[nr]["made"]) == absent
	}
}

const (
	// absent is how a kernel without the call answers, a filter that says there
	// is none, and in the probe's first ways one that lets the call pass.
	absent = "ENOSYS"
	passes = "passes"
)

func outcome(s syscall.WaitStatus) string {
	switch {
	case s.Signaled():
		return unix.SignalName(s.Signal())
	case s.ExitStatus() == 0:
		return "success"
	default:
		return unix.ErrnoName(unix.Errno(s.ExitStatus()))
	}
}

// said is what the filters say of a 64-bit call. Where the kernel lacks it, that
// remains unknown and is [absent].
func said(by map[string]syscall.WaitStatus) string {
	got := outcome(by["64-bit"])
	if got == absent && outcome(by["made"]) != absent {
		return passes
	}
	return got
}

// requireMade compares a call that was carried out with what the filters say of
// it: they must not be kinder to the probe than to others.
func requireMade(t *testing.T, nr int, by map[string]syscall.WaitStatus) {
	t.Helper()
	if said(by) == passes {
		require.NotEqual(t, unix.SIGSYS, by["made"].Signal(), "system call %d is allowed and ends its process", nr)
		return
	}
	require.Equal(t, said(by), outcome(by["made"]), "system call %d: said, made", nr)
}
