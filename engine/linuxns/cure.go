//go:build linux && (amd64 || arm64)

package linuxns

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// instead is what is always possible.
const instead = "or use the hosted service by giving the client an API key"

// dockerOptions are what Docker and Podman must be told for sandboxes in their
// containers: by default they forbid new namespaces and cover parts of /proc,
// and then the kernel refuses a fresh one.
const dockerOptions = "--security-opt seccomp=unconfined --security-opt systempaths=unconfined"

// cure says what to do about a layer that could not be set up.
func cure(layer, step string, errno unix.Errno) string {
	switch {
	case layer == layers.Groups:
		return "look at the group that the program is in, and at those above it, for who may make groups there and how many"
	case layer == layers.Clone && errno == unix.ENOSPC:
		return forbiddenNamespaces() + "; " + instead
	case layer == layers.Clone && errno == unix.EINVAL:
		return "this kernel was built without some namespace; use a distribution's kernel, " + instead
	case errno == unix.ENOSYS && !kernelLayer().OK:
		return kernelLayer().Cure
	case layer == layers.SystemCalls:
		return "the kernel needs CONFIG_SECCOMP_FILTER; use a distribution's kernel, " + instead
	case layer == layers.RootFiles && errno == unix.EACCES:
		return "every directory on the way to the root must be searchable by others (chmod o+x): sandboxes are never root"
	case layer == layers.Guest:
		return "the kernel must be able to run programs from memory: see vm.memfd_noexec, and security modules"
	}
	if c := restricted(); c != "" {
		return c
	}
	if layer == layers.Identity && os.Geteuid() == 0 {
		return "root needs CAP_SETUID and CAP_SETGID to give sandboxes ids of their own; add them, or run as another user"
	}
	if inContainer() || layer == layers.Proc {
		return "containers forbid this by default: start this one with " + dockerOptions +
			" (with AppArmor on the host also --security-opt apparmor=unconfined), " + instead
	}
	return "something forbids this: look for a security module, or a system call filter, that applies to this program (" +
		step + "); " + instead
}

// restricted finds the switches that distributions have for keeping ordinary
// users from making namespaces.
func restricted() string {
	if os.Geteuid() == 0 {
		return ""
	}
	if sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1" {
		return apparmorCure()
	}
	if sysctl("kernel/unprivileged_userns_clone") == "0" {
		return "ordinary users may not make user namespaces here: sysctl kernel.unprivileged_userns_clone=1, " +
			"or run as root, " + instead
	}
	if c := forbiddenNamespaces(); c != "" {
		return c + "; " + instead
	}
	return ""
}

// apparmorCure names the program in a profile, as nobody else can: it is the
// importer's.
func apparmorCure() string {
	path, err := os.Executable()
	if err != nil {
		path = "/path/to/program"
	}
	name := "agb-" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, filepath.Base(path))
	return fmt.Sprintf(`AppArmor keeps ordinary users from using namespaces here (kernel.apparmor_restrict_unprivileged_userns=1). `+
		`Allow it to this program: put

abi <abi/4.0>,
include <tunables/global>
profile %s %q flags=(unconfined) {
  userns,
}

into /etc/apparmor.d/%[1]s and run: apparmor_parser -r /etc/apparmor.d/%[1]s
Or allow it to all: sysctl kernel.apparmor_restrict_unprivileged_userns=0. Or run as root, %[3]s`, name, path, instead)
}

// forbiddenNamespaces names the kinds of namespace of which none are allowed,
// with the cure, or returns "".
func forbiddenNamespaces() string {
	var settings []string
	for _, kind := range []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"} {
		key := "user/max_" + kind + "_namespaces"
		if sysctl(key) == "0" {
			settings = append(settings, "sysctl "+strings.ReplaceAll(key, "/", ".")+"=10000")
		}
	}
	if settings == nil {
		return ""
	}
	return "this machine allows no namespaces of some kinds: " + strings.Join(settings, " && ")
}

// sysctl returns the value of a kernel setting, or "" when there is none.
func sysctl(key string) string {
	b, err := os.ReadFile("/proc/sys/" + key)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func inContainer() bool {
	for _, path := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return os.Getenv("container") != "" || os.Getenv("KUBERNETES_SERVICE_HOST") != ""
}
