//go:build linux && (amd64 || arm64)

package endurance

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest/leak"
)

const (
	// goneWithin is how long anything may survive its owner.
	goneWithin = 2 * time.Second
	patience   = 20 * time.Second
	tick       = 5 * time.Millisecond
)

// process is a process of the host, told from later ones with its pid.
type process struct {
	pid, parent int
	started     string
	zombie      bool
}

// look returns the process with that pid.
func look(pid int) (p process, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return p, false
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return p, false
	}
	parent, err := strconv.Atoi(fields[1])
	return process{pid, parent, fields[19], fields[0] == "Z"}, err == nil
}

// alive reports whether p runs: those that nobody waits for do not.
func (p process) alive() bool {
	same, ok := look(p.pid)
	return ok && same.started == p.started && !same.zombie
}

// everyProcess returns all there are.
func everyProcess(tb testing.TB) (all []process) {
	tb.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(tb, err)
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		require.NoError(tb, err)
		if p, ok := look(pid); ok {
			all = append(all, p)
		}
	}
	return all
}

// below returns all that descend from the process with that pid.
func below(tb testing.TB, pid int) (all []process) {
	tb.Helper()
	children := map[int][]process{}
	for _, p := range everyProcess(tb) {
		children[p.parent] = append(children[p.parent], p)
	}
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		for _, p := range children[next[0]] {
			all, next = append(all, p), append(next, p.pid)
		}
	}
	return all
}

// requireGone requires that none of these is alive soon, and tells after how
// long.
func requireGone(tb testing.TB, all []process) time.Duration {
	tb.Helper()
	start := time.Now()
	require.Eventually(tb, func() bool { return !slices.ContainsFunc(all, process.alive) }, goneWithin, tick)
	return time.Since(start)
}

// arguments returns the command line of a process, empty when it is gone.
func (p process) arguments() string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
	if err != nil {
		return ""
	}
	return string(text)
}

// launcherBelow returns the launcher of an owner.
func launcherBelow(tb testing.TB, owner int) (p process, ok bool) {
	tb.Helper()
	all := below(tb, owner)
	i := slices.IndexFunc(all, func(p process) bool { return strings.HasPrefix(p.arguments(), "agb-launcher\x00") })
	if i < 0 {
		return p, false
	}
	return all[i], true
}

// mark is a command that leaves a process of that name running.
func mark(name string) string {
	return fmt.Sprintf("setsid sh -c 'sleep 1000; :' agb-mark-%s </dev/null >/dev/null 2>&1 &", name)
}

// guestOf returns the guest of the session below an owner that runs a mark.
func guestOf(tb testing.TB, owner int, name string) (p process, ok bool) {
	tb.Helper()
	for _, p := range below(tb, owner) {
		if strings.HasSuffix(p.arguments(), "\x00agb-mark-"+name+"\x00") {
			for found := true; found; p, found = look(p.parent) {
				if p.first() {
					return p, true
				}
			}
		}
	}
	return p, false
}

// first reports whether p is pid 1 of a pid namespace below ours.
func (p process) first() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), "\nNSpid:")
	line, _, _ := strings.Cut(rest, "\n")
	pids := strings.Fields(line)
	return len(pids) > 1 && pids[len(pids)-1] == "1"
}

func requireNoGroups(tb testing.TB, owner int) {
	tb.Helper()
	require.Eventually(tb, func() bool { return len(leak.Groups(owner)) == 0 }, goneWithin, tick)
}
