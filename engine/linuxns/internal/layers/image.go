//go:build linux && (amd64 || arm64)

package layers

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ours are the places that every sandbox has for itself, by parent; a root
// directory's own content of that name is not shown.
var ours = map[string][]string{
	"/":     {"proc", "dev", "sys", "tmp", "run", "home", "var"},
	"/home": {user},
	"/var":  {"tmp"},
}

// Hides reports whether a path of an image, with "/" for its root, is not shown
// because it is, or is in, what every sandbox has for itself.
func Hides(path string) bool {
	for dir, names := range ours {
		for _, name := range names {
			place := filepath.Join(dir, name)
			if path == place || strings.HasPrefix(path, place+"/") {
				return true
			}
		}
	}
	return false
}

// imageView shows the entries of a root directory, and mounts the sandbox's
// own small files over those of the directory.
func (b *builder) imageView(root, hostname string) error {
	if err := b.entries(root, "/"); err != nil {
		return err
	}
	for _, dir := range []string{"/home", "/var"} {
		info, err := os.Lstat(root + dir)
		if err != nil || !info.IsDir() {
			continue
		}
		if err := b.entries(root+dir, dir); err != nil {
			return err
		}
	}
	b.coverStubs(root, hostname)
	return nil
}

// entries shows what is in a directory of the image, but for what is ours.
func (b *builder) entries(dir, at string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("layers: look at the root: %w", err)
	}
	names, err := d.Readdirnames(EntryLimit + 1)
	_ = d.Close() // read only
	if len(names) == 0 && err != nil && at == "/" {
		return fmt.Errorf("layers: look at the root: %w", err)
	}
	if len(names) > EntryLimit {
		return fmt.Errorf("layers: %s has more than %d entries", dir, EntryLimit)
	}
	slices.Sort(names)
	for _, name := range names {
		if slices.Contains(ours[at], name) {
			continue
		}
		path := "/" + name
		if at != "/" {
			path = at + path
		}
		if err := b.show(dir+"/"+name, path); err != nil {
			return err
		}
	}
	return nil
}

// coverStubs hides the image's own passwd and the like. What the image does
// not have cannot be added, as its /etc is read-only.
func (b *builder) coverStubs(root, hostname string) {
	const dir = "/.etc"
	b.mkdir(dir, 0o755)
	for _, s := range stubFiles(hostname) {
		info, err := os.Lstat(root + "/etc/" + s.name)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		b.file(dir+"/"+s.name, s.text)
		b.bind(dir+"/"+s.name, "/etc/"+s.name, readOnly)
		b.call("remove "+s.name, unix.SYS_UNLINKAT, atCWD, b.String(dir+"/"+s.name), 0)
	}
	b.rmdir(dir)
}
