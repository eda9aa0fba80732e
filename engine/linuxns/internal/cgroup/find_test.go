//go:build linux

package cgroup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// machine is a tree that looks like a machine's: files by their paths; paths
// that end in "/" are directories.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = root + path
		if strings.HasSuffix(path, "/") {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return root
}

// v2 adds the files of version 2 groups.
func v2(files map[string]string, dir, controllers, enabled, procs string) map[string]string {
	files[dir+"/cgroup.controllers"] = controllers + "\n"
	files[dir+"/cgroup.subtree_control"] = enabled + "\n"
	files[dir+"/cgroup.procs"] = procs
	if dir != "/sys/fs/cgroup" {
		files[dir+"/cgroup.type"] = "domain\n"
	}
	return files
}

const (
	mountV2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
	own     = "/user.slice/user-7.slice/user@7.service/app.slice/run-1.scope"
)

// session is what systemd makes of a user's scope, with these controls handed on.
func session(enabled string) map[string]string {
	files := map[string]string{"/proc/self/mountinfo": mountV2, "/proc/self/cgroup": "0::" + own + "\n"}
	for dir := own; dir != "/"; dir = filepath.Dir(dir) {
		procs, handed := "", enabled
		if dir == own {
			procs, handed = "12\n", ""
		}
		v2(files, "/sys/fs/cgroup"+dir, enabled, handed, procs)
	}
	files["/sys/fs/cgroup/user.slice/user-7.slice/user@7.service/app.slice/other.service/"] = ""
	return v2(files, "/sys/fs/cgroup", "cpu io memory pids", "cpu memory pids", "1\n")
}

func TestLayouts(t *testing.T) {
	const v1 = "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
		"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
		"36 31 0:33 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n" +
		"39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
		"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
	const groupsV1 = "9:name=systemd:/\n8:pids:/p\n6:freezer:/\n4:memory:/m/n\n1:cpu,cpuacct:/\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		works func(Place) error
		want  map[string]string // by control: version and directory
	}{
		{
			name:  "version 2",
			files: session("cpu memory pids"),
			want: map[string]string{
				Memory: "2 " + filepath.Dir(own), PIDs: "2 " + filepath.Dir(own), CPU: "2 " + filepath.Dir(own),
				Core: "2 " + filepath.Dir(own),
			},
		},
		{
			name:  "version 2, not all delegated",
			files: session("memory pids"),
			works: func(p Place) error {
				if strings.HasSuffix(p.Dir, "/sys/fs/cgroup") || strings.HasSuffix(p.Dir, ".slice/user-7.slice") {
					return unix.EACCES
				}
				return nil
			},
			want: map[string]string{Memory: "2 " + filepath.Dir(own), PIDs: "2 " + filepath.Dir(own), Core: "2 " + filepath.Dir(own)},
		},
		{
			name:  "version 2, nothing handed on",
			files: session(""),
			works: func(p Place) error {
				if p.has(Memory) {
					return unix.EACCES
				}
				return nil
			},
			want: map[string]string{Core: "2 " + own},
		},
		{
			name: "version 2, alone in a delegated group",
			files: v2(v2(map[string]string{
				"/proc/self/mountinfo": strings.Replace(mountV2, "0:26 /", "0:26 /docker/x", 1),
				"/proc/self/cgroup":    "0::/docker/x/main\n",
			}, "/sys/fs/cgroup", "cpu memory pids", "cpu memory pids", ""), "/sys/fs/cgroup/main", "cpu memory pids", "", "1\n"),
			want: map[string]string{Memory: "2 /", PIDs: "2 /", CPU: "2 /", Core: "2 /"},
		},
		{
			name: "version 2, root of a container",
			files: v2(map[string]string{
				"/proc/self/mountinfo": strings.Replace(mountV2, "0:26 /", "0:26 /docker/x", 1), "/proc/self/cgroup": "0::/docker/x\n",
				"/sys/fs/cgroup/cgroup.type": "domain\n",
			}, "/sys/fs/cgroup", "cpu memory pids", "", "1\n"),
			want: map[string]string{Core: "2 /"},
		},
		{
			name: "version 1",
			files: map[string]string{
				"/proc/self/mountinfo": v1, "/proc/self/cgroup": groupsV1,
			},
			want: map[string]string{
				Memory: "1 /memory/m/n", PIDs: "1 /pids/p", CPU: "1 /cpu,cpuacct", CPUAcct: "1 /cpu,cpuacct", Freezer: "1 /freezer",
			},
		},
		{
			name: "hybrid",
			files: v2(map[string]string{
				"/proc/self/mountinfo": v1 + strings.Replace(mountV2, "/sys/fs/cgroup", "/sys/fs/cgroup/unified", 1),
				"/proc/self/cgroup":    groupsV1 + "0::/\n",
			}, "/sys/fs/cgroup/unified", "hugetlb", "", "1\n"),
			want: map[string]string{
				Memory: "1 /memory/m/n", PIDs: "1 /pids/p", CPU: "1 /cpu,cpuacct", Core: "2 /unified",
			},
		},
		{
			name: "read-only",
			files: map[string]string{
				"/proc/self/mountinfo": v1, "/proc/self/cgroup": groupsV1,
			},
			works: func(Place) error { return unix.EROFS },
		},
		{
			name:  "outside of the control group namespace",
			files: map[string]string{"/proc/self/mountinfo": v1 + mountV2, "/proc/self/cgroup": "0::/../x\n4:memory:/../..\n"},
		},
		{
			name:  "none",
			files: map[string]string{"/proc/self/mountinfo": "23 1 8:1 / / rw - ext4 /dev/root rw\n", "/proc/self/cgroup": "0::/\n"},
		},
		{name: "no /proc", files: map[string]string{"/empty/": ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := machine(t, c.files)
			places := Find(root).Choose(func(p Place) error {
				if c.works != nil {
					return c.works(p)
				}
				return nil
			})
			got := map[string]string{}
			for _, p := range places.List {
				for _, control := range p.Controls {
					require.Empty(t, got[control], "%s twice", control)
					dir := strings.TrimPrefix(strings.TrimPrefix(p.Dir, root), "/sys/fs/cgroup")
					got[control] = string(rune('0'+p.Version)) + " " + "/" + strings.TrimPrefix(dir, "/")
				}
			}
			if c.want == nil {
				c.want = map[string]string{}
			}
			require.Equal(t, c.want, got)
			for _, control := range []string{Memory, PIDs, CPU} {
				require.Equal(t, places.Has(control), places.Missing[control] == "", "%s: %s", control, places.Missing[control])
			}
		})
	}
}

func TestNotWritable(t *testing.T) {
	if os.Geteuid() == 0 {
		// Root may write everything in a tree of files; the kernel's own refusal is
		// met in the case "read-only".
		require.NoError(t, unix.Access("/", unix.W_OK))
		return
	}
	root := machine(t, session("memory"))
	scope := root + "/sys/fs/cgroup" + filepath.Dir(own)
	require.NoError(t, os.Chmod(scope, 0o555))
	t.Cleanup(func() { require.NoError(t, os.Chmod(scope, 0o755)) })
	places := Find(root).Choose(func(p Place) error {
		require.NotEqual(t, scope, p.Dir)
		return nil
	})
	require.True(t, places.Has(Memory))
}

// TestHandOn: only groups that nobody else uses are told to hand controls on.
func TestHandOn(t *testing.T) {
	root := machine(t, session(""))
	app := root + "/sys/fs/cgroup" + filepath.Dir(own)
	require.NoError(t, os.WriteFile(app+"/cgroup.controllers", []byte("memory\n"), 0o644))
	Find(root).Choose(func(Place) error { return nil })
	text, err := os.ReadFile(app + "/cgroup.subtree_control")
	require.NoError(t, err)
	require.Equal(t, "\n", string(text))
	require.NoError(t, os.Remove(app+"/other.service"))
	Find(root).Choose(func(Place) error { return nil })
	text, err = os.ReadFile(app + "/cgroup.subtree_control")
	require.NoError(t, err)
	require.Equal(t, "+memory", string(text))
}

func TestParseMounts(t *testing.T) {
	mounts := parseMounts("garbage\n30 23 0:26 /a\\040b /sys/fs/cg\\134x rw,nosuid - cgroup cgroup rw,cpu,cpuacct\n" +
		"30 23 0:26 / /x rw master:1 - cgroup2 none rw\n1 2 3 4 5 - cgroup2\n")
	require.Equal(t, []mount{
		{dir: `/sys/fs/cg\x`, root: "/a b", version: 1, options: []string{"rw", "cpu", "cpuacct"}},
		{dir: "/x", root: "/", version: 2, options: []string{"rw"}},
	}, mounts)
}

func TestGroupBelowMountRoot(t *testing.T) {
	for _, c := range []struct {
		root, group, want string
		visible           bool
	}{
		{"/", "/", "/m", true},
		{"/", "/a/b", "/m/a/b", true},
		{"/a", "/a", "/m", true},
		{"/a", "/a/b", "/m/b", true},
		{"/a", "/ab", "", false},
		{"/a", "/", "", false},
		{"/", "/../x", "", false},
		{"/", "", "", false},
	} {
		dir, visible := mount{dir: "/m", root: c.root}.group(c.group)
		require.Equal(t, c.visible, visible, "%+v", c)
		if c.visible {
			require.Equal(t, c.want, dir, "%+v", c)
		}
	}
}

// TestFallback: a place that does not work gives way to the next.
func TestFallback(t *testing.T) {
	root := machine(t, session("cpu memory pids"))
	var tried []string
	places := Find(root).Choose(func(p Place) error {
		tried = append(tried, p.Dir)
		if len(tried) == 1 {
			return errors.New("this one does not")
		}
		return nil
	})
	require.Len(t, tried, 2)
	require.Equal(t, filepath.Dir(tried[0]), tried[1])
	require.Equal(t, 2, places.Version(Memory))
	require.Empty(t, places.Missing[Memory])
}
