package leak

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// numbers are cut from names, so that one socket counts like another.
var numbers = regexp.MustCompile(`\[?[0-9]+\]?`)

// descriptors counts open files by what they are, and inotify watches.
func (s Snapshot) descriptors() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue // the one that listed them
		}
		s["descriptor "+numbers.ReplaceAllString(target, "")]++
		if info, err := os.ReadFile("/proc/self/fdinfo/" + e.Name()); err == nil {
			s["inotify watch"] += bytes.Count(info, []byte("inotify wd:"))
		}
	}
}

// goroutines counts them by the function that started them, and threads no
// further than the kernel's: Go keeps idle threads, so that a few more are no
// leak.
func (s Snapshot) goroutines() {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		lines := strings.Split(strings.TrimSpace(stack), "\n")
		by := "main"
		for _, line := range lines {
			if rest, ok := strings.CutPrefix(line, "created by "); ok {
				by, _, _ = strings.Cut(rest, " in goroutine")
			}
		}
		s["goroutine of "+by]++
	}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	const step = 64
	s[fmt.Sprintf("%d threads", step)] = (len(tasks) + step - 1) / step
}

// process is what /proc tells of one.
type process struct {
	name   string
	parent int
	netns  string
}

// processes counts what descends from this process, or all, and their network
// namespaces. The dead who nobody has waited for count too.
func (s Snapshot) processes(everything bool) {
	all := readProcesses()
	self, namespaces := os.Getpid(), map[string]bool{}
	for pid, p := range all {
		if pid != self && (everything || descends(all, pid, self)) {
			s["process "+p.name]++
			if p.netns != "" {
				namespaces[p.netns] = true
			}
		}
	}
	s["network namespace"] = len(namespaces)
}

func readProcesses() map[int]process {
	all := map[int]process{}
	paths, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return all
	}
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(path))
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(path + "/stat")
		open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
		if err != nil || open < 0 || end < open {
			continue
		}
		fields := strings.Fields(string(stat[end+1:]))
		parent, err := strconv.Atoi(fields[1])
		if err != nil {
			continue
		}
		netns, err := os.Readlink(path + "/ns/net")
		if err != nil {
			netns = ""
		}
		all[pid] = process{string(stat[open+1 : end]), parent, netns}
	}
	return all
}

func descends(all map[int]process, pid, from int) bool {
	for range len(all) {
		p, ok := all[pid]
		if !ok {
			return false
		}
		if p.parent == from {
			return true
		}
		pid = p.parent
	}
	return false
}

func (s Snapshot) mounts() {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			s["mount "+fields[4]]++
		}
	}
}

// cgroups counts the groups below this process's own in every hierarchy. Below
// the root of one they may be anybody's, and are not counted.
func (s Snapshot) cgroups() {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 || parts[2] == "/" {
			continue
		}
		for _, mount := range hierarchies(parts[1]) {
			s.tree("cgroup", filepath.Join(mount, parts[2]))
		}
	}
}

// hierarchies returns where the hierarchy of a controller may be mounted.
func hierarchies(controllers string) []string {
	const root = "/sys/fs/cgroup"
	if controllers == "" {
		return []string{root, root + "/unified"}
	}
	return []string{filepath.Join(root, strings.TrimPrefix(controllers, "name="))}
}

// tree counts what is below a directory: of cgroups, the groups.
func (s Snapshot) tree(kind, dir string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir // gone meanwhile
		case path != dir && (kind != "cgroup" || d.IsDir()):
			s[kind+" "+path]++
		}
		return nil
	})
}

// groups counts the control groups of this process's sandboxes.
func (s Snapshot) groups() {
	for _, dir := range Groups(os.Getpid()) {
		s["cgroup "+dir]++
	}
}

// Groups returns the directories of all control groups of sandboxes whose owner
// is, or was, the process with that pid, of this pid namespace.
func Groups(owner int) (dirs []string) {
	namespace, err := os.Readlink("/proc/self/ns/pid") // pid:[4026531836]
	if err != nil {
		return nil
	}
	prefix := fmt.Sprintf("agb-%s-%d-", strings.Trim(namespace, "pid:[]"), owner)
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), prefix) {
			dirs = append(dirs, path)
		}
		return nil // groups of others come and go
	})
	return dirs
}
