//go:build linux

package cgroup

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// maxDepth bounds how many groups above the own one are looked at.
const maxDepth = 32

// Layout is what a machine has, as far as reading tells.
type Layout struct {
	v1   []Place  // the own group of each hierarchy that has one of our controls
	v2   []string // the own group and those above it, up to the top of what is mounted
	top  string   // the root of version 2 itself, where it is in sight
	none map[string]string
}

// mount is one mounted hierarchy.
type mount struct {
	dir, root string
	version   int
	options   []string // of the superblock; for version 1 with the controls
}

// Find reads which groups the calling process is in, and where they are. root
// is put before every path; tests have trees of their own, all others "".
func Find(root string) Layout {
	l := Layout{none: map[string]string{}}
	mounts, err := os.ReadFile(root + "/proc/self/mountinfo")
	if err != nil {
		return l.without(err.Error())
	}
	groups, err := os.ReadFile(root + "/proc/self/cgroup")
	if err != nil {
		return l.without(err.Error())
	}
	own := ownGroups(string(groups))
	for _, m := range parseMounts(string(mounts)) {
		m.dir = root + m.dir
		l.add(m, own)
	}
	if len(l.v1) == 0 && len(l.v2) == 0 {
		return l.without("no control groups are mounted where this program can see its own")
	}
	return l
}

func (l Layout) without(why string) Layout {
	for _, c := range []string{Memory, PIDs, CPU, Core} {
		l.none[c] = why
	}
	return l
}

// add adds the own group in what is mounted at m.
func (l *Layout) add(m mount, own map[string]string) {
	if m.version == 2 {
		group, ok := own[""]
		dir, visible := m.group(group)
		if !ok || !visible || l.v2 != nil {
			return
		}
		for ; len(l.v2) < maxDepth; dir = filepath.Dir(dir) {
			l.v2 = append(l.v2, dir)
			if dir == m.dir {
				break
			}
		}
		if _, err := os.Stat(m.dir + "/cgroup.type"); m.root == "/" && err != nil {
			l.top = m.dir // every other group has that file
		}
		return
	}
	var controls []string
	for _, c := range []string{Memory, PIDs, CPU, CPUAcct, Freezer} {
		if slices.Contains(m.options, c) && !slices.ContainsFunc(l.v1, func(p Place) bool { return p.has(c) }) {
			controls = append(controls, c)
		}
	}
	if controls == nil {
		return
	}
	if dir, visible := m.group(own[controls[0]]); visible {
		l.v1 = append(l.v1, Place{Dir: dir, Version: 1, Controls: controls})
	}
}

// Own returns the groups that the calling process is in: one of version 2, and
// of version 1 one for each hierarchy that has some of our controls.
func (l Layout) Own() []Place {
	own := slices.Clone(l.v1)
	if len(l.v2) > 0 {
		own = append(own, Place{Dir: l.v2[0], Version: 2, Controls: []string{Core}})
	}
	return own
}

// group returns the directory of a group, given by its path from the root of
// the hierarchy.
func (m mount) group(name string) (dir string, visible bool) {
	if name == "" || strings.Contains(name, "/..") {
		return "", false // outside of the cgroup namespace
	}
	if m.root == "/" {
		return filepath.Clean(m.dir + name), true
	}
	below, ok := strings.CutPrefix(name+"/", m.root+"/")
	return filepath.Clean(m.dir + "/" + below), ok
}

// ownGroups reads /proc/PID/cgroup: the path in each hierarchy, by its
// controls; that of version 2 is "".
func ownGroups(text string) map[string]string {
	own := map[string]string{}
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) != 3 || !path.IsAbs(fields[2]) {
			continue
		}
		for _, c := range strings.Split(fields[1], ",") {
			own[c] = fields[2]
		}
	}
	return own
}

// parseMounts reads the mounts of control groups in /proc/PID/mountinfo, see
// proc_pid_mountinfo(5).
func parseMounts(text string) []mount {
	var mounts []mount
	for line := range strings.Lines(text) {
		before, after, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 6 || len(right) < 3 {
			continue
		}
		m := mount{dir: unescape(left[4]), root: unescape(left[3]), options: strings.Split(right[2], ",")}
		switch right[0] {
		case "cgroup":
			m.version = 1
		case "cgroup2":
			m.version = 2
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts
}

// unescape undoes what the kernel does to blanks in paths.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
