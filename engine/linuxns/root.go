//go:build linux && (amd64 || arm64)

package linuxns

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// kernelFiles are directories of the host whose files are not files of a
// system, but the kernel's: no image is in there. "/run" itself holds sockets
// of everything that runs.
var kernelFiles = []string{"/proc", "/sys", "/dev"}

// kernelKinds are file systems that show or change the kernel, or hold devices.
var kernelKinds = []string{
	"autofs", "binder", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs",
	"fusectl", "mqueue", "nsfs", "proc", "pstore", "resctrl", "rpc_pipefs", "securityfs", "selinuxfs", "smackfs", "sysfs", "tracefs",
}

// checkRoot says what is wrong with a directory that is to be an image.
func checkRoot(root string) error {
	if !filepath.IsAbs(root) || len(root) > control.RootLimit {
		return errors.New("is not an absolute path")
	}
	info, err := os.Stat(root)
	if err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	if !info.IsDir() {
		return errors.New("is not a directory")
	}
	if host, err := os.Stat("/"); err != nil || os.SameFile(host, info) {
		return errors.New("is the host's own root")
	}
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return fmt.Errorf("cannot be used: %w", err)
	}
	for _, dir := range kernelFiles {
		if within(dir, resolved) {
			return fmt.Errorf("is in %s", dir)
		}
	}
	if resolved == "/run" {
		return errors.New("is where the host's programs have their sockets")
	}
	return checkMounts("/proc/self/mountinfo", resolved)
}

// within reports whether path is dir or below it.
func within(dir, path string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}

// checkMounts looks through a mountinfo for file systems of the kernel that
// would be shown with an
// image, because they are mounted in it.
func checkMounts(mountinfo, root string) error {
	f, err := os.Open(mountinfo)
	if err != nil {
		return fmt.Errorf("cannot be looked into: %w", err)
	}
	defer func() { _ = f.Close() }() // read only
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, mountLimit)
	around := "/" // the mount that root is in: the last of the innermost
	var aroundKind string
	for lines.Scan() {
		at, kind := mountOf(lines.Text())
		if within(at, root) && len(at) >= len(around) {
			around, aroundKind = at, kind
		}
		if !slices.Contains(kernelKinds, kind) || at == root || !within(root, at) {
			continue
		}
		if inside := strings.TrimPrefix(at, root); !layers.Hides(inside) {
			return fmt.Errorf("has a file system %q mounted at %q", kind, at)
		}
	}
	if slices.Contains(kernelKinds, aroundKind) {
		return fmt.Errorf("is in a file system %q", aroundKind)
	}
	return lines.Err()
}

// mountLimit bounds, in bytes, the description of one mount.
const mountLimit = 1 << 20

// mountOf returns the place and the kind of a mount, see proc_pid_mountinfo(5).
func mountOf(line string) (at, kind string) {
	fields := strings.Fields(line)
	const place, optional = 4, 6
	if len(fields) <= optional {
		return "", ""
	}
	for i, f := range fields[optional:] {
		if f == "-" && optional+i+1 < len(fields) {
			return unescape.Replace(fields[place]), fields[optional+i+1]
		}
	}
	return "", ""
}

// unescape undoes what the kernel does to blanks and the like in paths.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
