//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/drivertest"
)

// TestSystemCalls makes calls from inside that must be refused, as raw calls
// from a process of its own each.
func TestSystemCalls(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	if b.Run(t, "python3 -c 'import ctypes'").Exit.Code != 0 {
		t.Skip("no python3 with ctypes in the sandbox")
	}
	const high = 1 << 32
	calls := []struct {
		name  string
		nr    uint64
		args  []uint64
		errno unix.Errno
	}{
		{"mount", unix.SYS_MOUNT, nil, unix.EPERM},
		{"umount2", unix.SYS_UMOUNT2, nil, unix.EPERM},
		{"pivot_root", unix.SYS_PIVOT_ROOT, nil, unix.EPERM},
		{"chroot", unix.SYS_CHROOT, nil, unix.EPERM},
		{"open_tree", unix.SYS_OPEN_TREE, nil, unix.EPERM},
		{"fsopen", unix.SYS_FSOPEN, nil, unix.EPERM},
		{"unshare user", unix.SYS_UNSHARE, []uint64{unix.CLONE_NEWUSER}, unix.EPERM},
		{"setns", unix.SYS_SETNS, nil, unix.EPERM},
		{"clone user", unix.SYS_CLONE, []uint64{unix.CLONE_NEWUSER}, unix.EPERM},
		{"clone3", unix.SYS_CLONE3, nil, unix.ENOSYS},
		{"ptrace", unix.SYS_PTRACE, []uint64{16, 1}, unix.EPERM},
		{"process_vm_readv", unix.SYS_PROCESS_VM_READV, []uint64{1}, unix.EPERM},
		{"pidfd_getfd", unix.SYS_PIDFD_GETFD, nil, unix.EPERM},
		{"keyctl", unix.SYS_KEYCTL, nil, unix.EPERM},
		{"add_key", unix.SYS_ADD_KEY, nil, unix.EPERM},
		{"bpf", unix.SYS_BPF, nil, unix.EPERM},
		{"perf_event_open", unix.SYS_PERF_EVENT_OPEN, nil, unix.EPERM},
		{"io_uring_setup", unix.SYS_IO_URING_SETUP, nil, unix.EPERM},
		{"userfaultfd", unix.SYS_USERFAULTFD, nil, unix.EPERM},
		{"open_by_handle_at", unix.SYS_OPEN_BY_HANDLE_AT, nil, unix.EPERM},
		{"reboot", unix.SYS_REBOOT, nil, unix.EPERM},
		{"clock_settime", unix.SYS_CLOCK_SETTIME, nil, unix.EPERM},
		{"syslog", unix.SYS_SYSLOG, []uint64{3}, unix.EPERM},
		{"TIOCSTI", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI}, unix.EPERM},
		{"TIOCSTI with high bits", unix.SYS_IOCTL, []uint64{0, unix.TIOCSTI | high}, unix.EPERM},
		{"vsock", unix.SYS_SOCKET, []uint64{unix.AF_VSOCK, unix.SOCK_STREAM}, unix.EAFNOSUPPORT},
		{"packet socket", unix.SYS_SOCKET, []uint64{unix.AF_PACKET, unix.SOCK_RAW}, unix.EAFNOSUPPORT},
		{"alg socket", unix.SYS_SOCKET, []uint64{unix.AF_ALG, unix.SOCK_SEQPACKET}, unix.EAFNOSUPPORT},
		{"netlink socket", unix.SYS_SOCKET, []uint64{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE}, unix.EAFNOSUPPORT},
		{"filter for a socket", unix.SYS_SETSOCKOPT, []uint64{0, unix.SOL_SOCKET | high, unix.SO_ATTACH_FILTER | high}, unix.ENOPROTOOPT},
		{"listener", unix.SYS_SECCOMP, []uint64{unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER}, unix.EINVAL},
		{"huge pages", unix.SYS_MMAP, []uint64{0, 2 << 20, 0, unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_HUGETLB}, unix.ENOMEM},
		{"file of huge pages", unix.SYS_MEMFD_CREATE, []uint64{0, unix.MFD_HUGETLB}, unix.EINVAL},
		{"read from the page cache", unix.SYS_PREADV2, []uint64{0, 0, 0, 0, 0, unix.RWF_NOWAIT}, unix.EOPNOTSUPP},
		{"raw socket", unix.SYS_SOCKET, []uint64{unix.AF_INET, unix.SOCK_RAW, 1}, unix.EPERM},
		{"personality", unix.SYS_PERSONALITY, []uint64{0x0040000}, unix.EPERM},
		{"sched_setscheduler", unix.SYS_SCHED_SETSCHEDULER, []uint64{0, 1}, 0},
		{"unknown", 5000, nil, unix.ENOSYS},
	}
	var script strings.Builder
	script.WriteString("import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n" +
		"def call(*a):\n  ctypes.set_errno(0)\n  r = libc.syscall(*[ctypes.c_long(x) for x in a])\n" +
		"  print(ctypes.get_errno() if r == -1 else 'ok', flush=True)\n")
	for _, c := range calls {
		args := []string{fmt.Sprint(c.nr)}
		for i := range 6 {
			arg := uint64(0)
			if i < len(c.args) {
				arg = c.args[i]
			}
			args = append(args, fmt.Sprint(arg))
		}
		fmt.Fprintf(&script, "call(%s)\n", strings.Join(args, ","))
	}
	got := strings.Fields(b.Output(t, "python3 -c \""+script.String()+"\""))
	require.Len(t, got, len(calls))
	for i, c := range calls {
		if c.errno == 0 {
			require.NotEqual(t, "ok", got[i], c.name)
			continue
		}
		require.Equal(t, fmt.Sprint(int(c.errno)), got[i], c.name)
	}
}

// TestPrograms runs what people run.
func TestPrograms(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	for _, c := range []struct{ program, script string }{
		{"python3", `python3 -c 'import socket, ssl; print(socket.getaddrinfo("localhost", 80)[0][0].name)'`},
		{"node", `node -e 'console.log(require("os").cpus().length, require("os").userInfo().username)'`},
		{"bash", "bash -c 'cat <(echo fine)'"},
		{"perl", "perl -e 'print getpwuid($<), \"\\n\"'"},
		{"git", "cd /tmp && git init -q r && cd r && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m m"},
		{"java", "java -version"},
	} {
		if b.Run(t, "command -v "+c.program).Exit.Code != 0 {
			continue
		}
		spec := drivertest.Spec
		spec.Limits.DataBytes, spec.Limits.FileBytes, spec.Limits.DiskBytes = 4<<30, 1<<30, 64<<20
		spec.Limits.DiskInodes, spec.Limits.OpenFiles = 1000, 1024
		roomy := drivertest.Create(t, usable(t), spec)
		got := roomy.Run(t, c.script)
		require.Zero(t, got.Exit.Code, "%s: %s", c.program, got.Stderr)
	}
}

func TestMounts(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	for line := range strings.Lines(b.Output(t, "cat /proc/self/mountinfo")) {
		fields := strings.Fields(line)
		at, options := fields[4], strings.Split(fields[5], ",")
		require.Contains(t, options, "nosuid", at)
		if !strings.HasPrefix(at, "/dev/") && !strings.HasPrefix(at, "/proc/") || at == "/dev/shm" {
			require.Contains(t, options, "nodev", at)
		}
		switch at {
		case "/proc", "/tmp", "/var/tmp", "/home/user", "/run", "/dev/shm", "/dev/pts":
		default:
			require.Contains(t, options, "ro", at)
		}
	}
	for _, hidden := range []string{"/proc/kcore", "/proc/kallsyms", "/proc/keys", "/proc/timer_list", "/sys"} {
		require.Empty(t, b.Run(t, "cat "+hidden+" | head -c 1; ls "+hidden+"/").Stdout, hidden)
	}
	require.Equal(t, []string{"hostname", "hosts"}, strings.Fields(b.Output(t, "cd /etc; ls hostname hosts shadow ssl/private 2>/dev/null; true")))
	require.Empty(t, b.Output(t, "cat /etc/resolv.conf"))
	require.Equal(t, "user\n", b.Output(t, "id -un"))
}

// TestOutsideIDs looks at a sandbox's process from outside: it is never root.
func TestOutsideIDs(t *testing.T) {
	drivertest.Create(t, usable(t), drivertest.Spec)
	for _, pid := range agents(t, launcherOf(t).pid) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		require.NoError(t, err)
		for line := range strings.Lines(string(status)) {
			if key, ids, _ := strings.Cut(line, ":"); key == "Uid" || key == "Gid" || key == "Groups" && os.Geteuid() == 0 {
				require.NotContains(t, strings.Fields(ids), "0", line)
			}
		}
	}
}

// TestCoreLimit: with the limit 1, and no other, the kernel starts no handler
// of crashes on the host.
func TestCoreLimit(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	for _, script := range []string{"true", "ulimit -c 0", "ulimit -c unlimited", "ulimit -S -c 0",
		"python3 -c 'import resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0)); r.prlimit(0, r.RLIMIT_CORE, (0, 0))' || true"} {
		got := strings.Fields(b.Output(t, script+" 2>/dev/null; grep core /proc/self/limits"))
		require.Equal(t, []string{"1", "1"}, got[len(got)-3:len(got)-1], script)
	}
}

// TestRoot uses a directory as root.
func TestRoot(t *testing.T) {
	r := withImages(t)
	dir := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(dir), 0o755))
	for _, d := range []string{"etc", "opt/tool", "var/lib/x", "var/tmp", "home/user", "home/other", "proc", "dev", "run", "tmp"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	write("etc/passwd", "secret:x:0:0::/:/bin/sh\n")
	write("etc/image-release", "image\n")
	write("opt/tool/file", "tool\n")
	write("tmp/hidden", "")
	write("home/user/hidden", "")
	write("var/lib/x/file", "var\n")
	write("README", "top\n")
	for _, program := range []string{"/bin/sh", "/bin/cat", "/bin/ls", "/bin/grep"} {
		copyProgram(t, program, dir)
	}
	spec := drivertest.Spec
	spec.Root = dir
	b := drivertest.Create(t, r, spec)
	require.Equal(t, "image\n", b.Output(t, "cat /etc/image-release"))
	require.Equal(t, "tool\n", b.Output(t, "cat /opt/tool/file"))
	require.Equal(t, "var\n", b.Output(t, "cat /var/lib/x/file"))
	require.Equal(t, "top\n", b.Output(t, "cat /README"))
	require.NotContains(t, b.Output(t, "cat /etc/passwd"), "secret")
	require.Empty(t, b.Output(t, "ls -A /tmp /home/user | grep hidden; true"))
	require.Equal(t, []string{"other", "user"}, strings.Fields(b.Output(t, "ls /home")))
	b.Output(t, "echo x > /tmp/f && echo x > /home/user/f && echo x > /var/tmp/f")
	for _, path := range []string{"/f", "/etc/f", "/etc/passwd", "/opt/tool/f", "/var/lib/x/file", "/home/other/f"} {
		require.NotZero(t, b.Run(t, "echo x >> "+path).Exit.Code, path)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "tmp"))
	require.NoError(t, err)
	require.Len(t, entries, 1, "the image is as it was")
}

// copyProgram copies a program and its libraries to the same paths below dir.
func copyProgram(t *testing.T, program, dir string) {
	t.Helper()
	libraries, err := exec.CommandContext(t.Context(), "ldd", program).Output()
	if err != nil {
		t.Skipf("ldd %s: %v", program, err)
	}
	for _, path := range append(strings.Fields(string(libraries)), program) {
		if !filepath.IsAbs(path) {
			continue
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), text, 0o755))
	}
}

// TestRootOutOfReach: sandboxes are not root, so they cannot use what only root
// can reach, and the error says so.
func TestRootOutOfReach(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make what only root can reach")
	}
	spec := drivertest.Spec
	spec.Root = filepath.Join(t.TempDir(), "root") // below a directory of mode 0700
	require.NoError(t, os.MkdirAll(filepath.Join(spec.Root, "usr"), 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(spec.Root)), 0o700))
	_, err := withImages(t).Create(t.Context(), spec)
	require.ErrorIs(t, err, apierr.IsolationUnavailable.Err())
	require.ErrorIs(t, err, unix.EACCES)
	var e *apierr.Error
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Message, "root file system")
	require.Contains(t, e.Hint, "chmod o+x")
}
