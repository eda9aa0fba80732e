//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata/syscalls_*.txt as found")

// table is the file of what becomes of every system call in a sandbox: lines of
// a number, its name, and the outcome by each entry of the kernel.
var table = filepath.Join("testdata", "syscalls_"+runtime.GOARCH+".txt")

const tableHead = `# What becomes of every system call in a sandbox when all its arguments are 0, by
# the entry of the kernel: "passes" all filters, is answered with an error or
# with "success", or ends the process by a signal.
#
# Number, name, %s
`

// Kernels from 6.14 on ask no filter about the calls that they insert into
// traced programs. Elsewhere these calls fail in their own ways, in the place of
// which the table has what older kernels are told.
var unfiltered = map[string]struct{ found, filter string }{
	"uretprobe": {"SIGILL", "passes"},
	"uprobe":    {"ENXIO", "ENOSYS"},
}

// entry is what the table has of a call for an outcome.
func entry(name, way string, by map[string]syscall.WaitStatus) string {
	got := outcome(by[way])
	if way == "64-bit" {
		got = said(by)
	}
	switch {
	case way == "64-bit" && got == unfiltered[name].found:
		return unfiltered[name].filter
	case way == "i386" && got == "SIGSEGV": // a kernel without this entry
		return "SIGSYS"
	}
	return got
}

// compare tells every difference between the table and what was found. What is
// to pass may be absent when the kernel lacks it, too.
func compare(t *testing.T, found *outcomes, ways []string, lacking func(nr int) bool) {
	t.Helper()
	text, err := os.ReadFile(table)
	if os.IsNotExist(err) {
		t.Skipf("%s was never recorded: run with -update on such a machine", table)
	}
	require.NoError(t, err)
	nr := 0
	var differences []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if fields[0] == "#" {
			continue
		}
		require.Len(t, fields, 2+len(ways), "malformed: %s", line)
		require.Equal(t, strconv.Itoa(nr), fields[0])
		name, want := fields[1], fields[2:]
		for i, way := range ways {
			got := entry(name, way, found[nr])
			if got == want[i] || way == "64-bit" && want[i] == passes && got == absent && lacking(nr) {
				continue
			}
			differences = append(differences, fmt.Sprintf("%s call %d (%s): %s, and %s says %s", way, nr, name, got, table, want[i]))
		}
		nr++
	}
	require.Equal(t, lastCall+1, nr, "lines")
	if len(differences) > 0 {
		require.FailNow(t, "not as the table says; if that is meant, run the test with -update", strings.Join(differences, "\n"))
	}
}

// written is the table of what was found.
func written(t *testing.T, found *outcomes, ways []string) []byte {
	t.Helper()
	names := callNames(t)
	var b bytes.Buffer
	fmt.Fprintf(&b, tableHead, strings.Join(ways, ", "))
	for nr, by := range found {
		name := names[nr]
		if name == "" {
			name = "-"
		}
		fmt.Fprintf(&b, "%-3d %-23s", nr, name)
		for _, way := range ways {
			fmt.Fprintf(&b, " %-12s", entry(name, way, by))
		}
		b.Truncate(len(bytes.TrimRight(b.Bytes(), " ")))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// callNames are the names of system calls, from the source of the package that
// has their numbers.
func callNames(t *testing.T) map[int]string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", "golang.org/x/sys/unix").Output()
	require.NoError(t, err)
	source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "zsysnum_linux_"+runtime.GOARCH+".go"))
	require.NoError(t, err)
	names := map[int]string{}
	for _, m := range regexp.MustCompile(`(?m)^\tSYS_(\w+)\s*=\s*(\d+)$`).FindAllStringSubmatch(string(source), -1) {
		nr, err := strconv.Atoi(m[2])
		require.NoError(t, err)
		names[nr] = strings.ToLower(m[1])
	}
	return names
}
