//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// prefix begins the names of all groups.
const prefix = "agb-"

// process is a process as groups name it: what tells it from all others on the
// machine, before and after.
type process struct {
	namespace uint64 // inode of its pid namespace
	pid       int
	started   uint64 // in ticks since the start of the machine
}

// Tag returns what the names of the groups of one launcher begin with: they
// name the calling process as their owner, and seq tells launchers of the same
// owner apart.
func Tag(seq uint64) (string, error) {
	p, err := self()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%d-%d-%d-%d", prefix, p.namespace, p.pid, p.started, seq), nil
}

// Name returns the name of the group of sandbox id of the launcher with that tag.
func Name(tag string, id uint64) string { return tag + "-" + strconv.FormatUint(id, 10) }

// self returns the calling process.
func self() (process, error) {
	var ns unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &ns); err != nil {
		return process{}, fmt.Errorf("cgroup: find the pid namespace: %w", err)
	}
	// With the /proc of another pid namespace this is not the same number, and
	// nobody can be told from anybody.
	pid, err := os.Readlink("/proc/self")
	if err != nil || pid != strconv.Itoa(os.Getpid()) {
		return process{}, fmt.Errorf("cgroup: /proc is of another pid namespace: %w", errors.Join(err, os.ErrInvalid))
	}
	started, err := startTime(os.Getpid())
	if err != nil {
		return process{}, err
	}
	return process{ns.Ino, os.Getpid(), started}, nil
}

// startTime reads field 22 of /proc/PID/stat, see proc_pid_stat(5).
func startTime(pid int) (uint64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("cgroup: %w", err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("cgroup: start time of %d: %w", pid, os.ErrInvalid)
	}
	started, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cgroup: start time of %d: %w", pid, err)
	}
	return started, nil
}

// owner returns the owner that the name of a group names.
func owner(name string) (process, bool) {
	rest, ok := strings.CutPrefix(name, prefix)
	fields := strings.Split(rest, "-")
	if !ok || len(fields) != 5 {
		return process{}, false
	}
	var n [5]uint64
	for i, f := range fields {
		var err error
		if n[i], err = strconv.ParseUint(f, 10, 64); err != nil || strconv.FormatUint(n[i], 10) != f {
			return process{}, false
		}
	}
	if n[1] == 0 || n[1] > maxPID {
		return process{}, false
	}
	return process{n[0], int(n[1]), n[2]}, true
}

// shown says in errors where a file is. The name of a group means nothing to
// those who read them, and the group is often gone by then: what matters is
// where it is made.
func shown(path string) string {
	dir, file := filepath.Split(path)
	dir = filepath.Clean(dir)
	if _, ok := owner(file); ok {
		return "a group in " + dir
	}
	if _, ok := owner(filepath.Base(dir)); ok {
		return file + " of a group in " + filepath.Dir(dir)
	}
	return path
}

// maxPID is the kernel's PID_MAX_LIMIT.
const maxPID = 1 << 22

// dead reports whether p is proven to have ended. What cannot be seen from the
// pid namespace of the caller, me, is not.
func (p process) dead(me process) bool {
	if p.namespace != me.namespace || p == me {
		return false
	}
	// Signal 0, because /proc may hide the processes of others.
	if errors.Is(unix.Kill(p.pid, 0), unix.ESRCH) {
		return true
	}
	started, err := startTime(p.pid)
	return err == nil && started != p.started
}
