//go:build linux && (amd64 || arm64)

package hostile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// group is the containment's cgroup: a directory in each hierarchy that lets
// itself be used, below where this process is.
type group struct {
	dirs, from []string // from is where the process was
}

// newGroup makes a group with the containment's limits. An ordinary user has
// none.
func newGroup() (*group, error) {
	g := &group{}
	if os.Getuid() != 0 {
		return g, nil
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || parts[1] == "cpuset" { // groups of cpuset are empty at first
			continue
		}
		mount := filepath.Join("/sys/fs/cgroup", strings.TrimPrefix(parts[1], "name="))
		if parts[1] == "" {
			if _, err := os.Stat(mount + "/cgroup.procs"); err != nil {
				mount += "/unified"
			}
		}
		from := filepath.Join(mount, parts[2])
		dir := filepath.Join(from, fmt.Sprintf("agb-hostile-%d", os.Getpid()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			continue // not to be had
		}
		g.dirs, g.from = append(g.dirs, dir), append(g.from, from)
		limitGroup(dir)
	}
	return g, nil
}

// limitGroup sets what limits the hierarchy has.
func limitGroup(dir string) {
	for name, value := range map[string]int{
		"memory.limit_in_bytes": memoryBytes, "memory.max": memoryBytes, "pids.max": processes,
	} {
		if f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY, 0); err == nil {
			_, _ = f.WriteString(strconv.Itoa(value)) // a machine may refuse what another takes
			_ = f.Close()
		}
	}
}

// enter moves this process into the group. leave brings it back.
func (g *group) enter() (leave func()) {
	self := []byte(strconv.Itoa(os.Getpid()))
	var entered []string
	for i, dir := range g.dirs {
		if os.WriteFile(dir+"/cgroup.procs", self, 0) == nil {
			entered = append(entered, g.from[i])
		}
	}
	return func() {
		for _, from := range entered {
			_ = os.WriteFile(from+"/cgroup.procs", self, 0) // it was there a moment ago
		}
	}
}

// remove removes the group with what is left below it.
func (g *group) remove() {
	for _, top := range g.dirs {
		var dirs []string
		_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
				fmt.Fprintf(os.Stderr, "hostile: remove %s: %v\n", dir, err)
			}
		}
	}
}
