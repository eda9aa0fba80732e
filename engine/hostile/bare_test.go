//go:build linux && (amd64 || arm64)

package hostile

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bareWait is how long what a bare process leaves running may hold its output.
const bareWait = 500 * time.Millisecond

// runBare runs the attack without a sandbox, against a world of its own, and
// returns what it wrote. Nothing that it started is left.
func (a attack) runBare(t *testing.T, w *world) []byte {
	t.Helper()
	dir := t.TempDir()
	before := pids()
	var out []byte
	if a.script != "" {
		ctx, cancel := context.WithTimeout(t.Context(), a.wait())
		defer cancel()
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", a.script)
		cmd.Dir, cmd.Env, cmd.WaitDelay = dir, os.Environ(), bareWait
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		vars := w.variables(w.vars["VICTIM"])
		vars["ATTACK"], vars["BARE"], vars["HOME"] = given.Attack, "1", dir
		for name, value := range vars {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		var both bytes.Buffer
		cmd.Stdout, cmd.Stderr = &both, &both
		_ = cmd.Run() // how it ends does not matter
		killNew(t, before)
		out = both.Bytes()
	}
	if a.bare != nil {
		out = append(out, a.bare(dir, w)...)
	}
	return out
}

// pids returns every process of the containment.
func pids() map[int]bool {
	all := map[int]bool{}
	paths, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, path := range paths {
		if pid, err := strconv.Atoi(filepath.Base(path)); err == nil {
			all[pid] = true
		}
	}
	return all
}

// killNew kills all that was not there before, until nothing of it is left.
func killNew(t *testing.T, before map[int]bool) {
	t.Helper()
	require.Eventually(t, func() bool {
		left := false
		for pid := range pids() {
			if before[pid] {
				continue
			}
			stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
			if err != nil || strings.Contains(string(stat), ") Z ") {
				continue
			}
			left = true
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone
		}
		return !left
	}, 10*time.Second, 10*time.Millisecond)
}
