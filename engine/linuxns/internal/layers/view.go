//go:build linux && (amd64 || arm64)

package layers

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// hostDirs are the host's programs and libraries.
var hostDirs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"}

// copyLimit is the size, in bytes, up to which a file of /etc is copied: that
// is cheaper than a mount.
const copyLimit = 4096

// view is the part of a tape that shows the host's programs, and of /etc what
// they need. Looking takes longer than a fork, so it is kept until one of the
// directories changes.
type view struct {
	kept   *tape.Tape
	stamps map[string]unix.Timespec // modification times of directories
}

// tape returns the view as it is now.
func (v *view) tape() (*tape.Tape, error) {
	if v.kept != nil && v.current() {
		return v.kept, nil
	}
	v.kept, v.stamps = nil, map[string]unix.Timespec{}
	v.stamp("/")
	v.stamp("/etc")
	b := &builder{tape.New(ReportFD)}
	b.Layer(RootFiles)
	for _, dir := range hostDirs {
		if err := b.show(dir, dir); err != nil {
			return nil, err
		}
	}
	if err := v.etc(b); err != nil {
		return nil, err
	}
	v.kept = b.Tape
	return v.kept, nil
}

func (v *view) current() bool {
	for dir, before := range v.stamps {
		if now, ok := modified(dir); !ok || now != before {
			return false
		}
	}
	return true
}

func (v *view) stamp(dir string) {
	if now, ok := modified(dir); ok {
		v.stamps[dir] = now
	}
}

func modified(dir string) (unix.Timespec, bool) {
	var st unix.Stat_t
	err := unix.Stat(dir, &st)
	return st.Mtim, err == nil
}

// etc makes the sandbox's /etc, without its stubs.
func (v *view) etc(b *builder) error {
	b.mkdir("/etc", 0o755)
	made := []string{"/etc"}
	for _, pattern := range etcFiles {
		paths := []string{"/etc/" + pattern}
		if strings.Contains(pattern, "*") {
			var err error
			if paths, err = filepath.Glob(paths[0]); err != nil {
				return err
			}
		}
		for _, path := range paths {
			info, err := os.Lstat(path)
			if err != nil {
				continue
			}
			for _, dir := range parents(path) {
				if !slices.Contains(made, dir) {
					made = append(made, dir)
					v.stamp(dir)
					b.mkdir(dir, 0o755)
				}
			}
			if text, ok := small(path, info); ok {
				b.file(path, text)
			} else if err := b.show(path, path); err != nil {
				return err
			}
		}
	}
	b.symlink("/proc/self/mounts", "/etc/mtab")
	return nil
}

// parents returns the directories between /etc and path, outermost first.
func parents(path string) []string {
	dir := filepath.Dir(path)
	if dir == "/etc" {
		return nil
	}
	return append(parents(dir), dir)
}

// small returns the text of a file that is to be copied. The launcher may read
// more than the sandbox: only what everybody may read is copied, all else is
// left to the kernel's judgement.
func small(path string, info os.FileInfo) (string, bool) {
	if !info.Mode().IsRegular() || info.Size() > copyLimit || info.Mode().Perm()&0o004 == 0 {
		return "", false
	}
	text, err := os.ReadFile(path)
	return string(text), err == nil && len(text) <= copyLimit
}
