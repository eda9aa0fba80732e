//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns"
	"github.com/agb-go/sdk/engine/linuxns/internal/seccomp"
	"github.com/agb-go/sdk/internal/guest"
)

// These tests run owners on machines that are not as they should be, as far as
// namespaces can make such machines.

// told is what an owner says of its attempt to create, on descriptor 3.
type told struct {
	Code          apierr.Code
	Message, Hint string
	IDMap         string // of a sandbox that was made
	Layers        []driver.Layer
}

func createAndTell() {
	r, err := linuxns.New(linuxns.Config{})
	fail(err)
	var what told
	sb, err := r.Create(context.Background(), drivertest.Spec)
	if err == nil {
		var out bytes.Buffer
		_, err = guest.NewClient(sb.Conn()).Run(context.Background(), guest.Command{
			Args: []string{"cat", "/proc/self/uid_map"}, Stdout: &out,
		})
		what.IDMap, what.Layers = out.String(), sb.Layers()
	}
	var e *apierr.Error
	if errors.As(err, &e) {
		what.Code, what.Message, what.Hint = e.Code, e.Message, e.Hint
	} else {
		fail(err)
	}
	fail(r.Close())
	fail(json.NewEncoder(os.NewFile(3, "answer")).Encode(what))
}

// on runs an owner and returns what it tells.
func on(t *testing.T, machine string, flags uintptr) told {
	t.Helper()
	drivertest.SkipUnavailable(t, newRuntime(t))
	self, err := os.Executable()
	require.NoError(t, err)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env, cmd.ExtraFiles, cmd.Stderr = append(os.Environ(), ownerEnv+"="+machine), []*os.File{w}, &stderr
	if flags != 0 {
		one := func(id int) []syscall.SysProcIDMap { return []syscall.SysProcIDMap{{HostID: id, Size: 1}} }
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: flags, UidMappings: one(os.Getuid()), GidMappings: one(os.Getgid()),
		}
	}
	require.NoError(t, cmd.Start())
	require.NoError(t, w.Close())
	var what told
	decodeErr := json.NewDecoder(r).Decode(&what)
	require.NoError(t, cmd.Wait(), stderr.String())
	require.NoError(t, decodeErr)
	t.Logf("%s: %s; %s", what.Code, what.Message, what.Hint)
	return what
}

// TestRootWithoutRange is root in a container of an ordinary user.
func TestRootWithoutRange(t *testing.T) {
	what := on(t, "creates", unix.CLONE_NEWUSER)
	require.Empty(t, what.Message)
	require.Regexp(t, `^\s*1000\s+\d+\s+1\n$`, what.IDMap)
}

func forbidden() {
	fail(os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0))
	createAndTell()
}

func TestNamespacesForbidden(t *testing.T) {
	what := on(t, "forbidden", unix.CLONE_NEWUSER)
	require.Equal(t, apierr.IsolationUnavailable, what.Code)
	require.Contains(t, what.Message, "namespaces: clone3")
	require.Contains(t, what.Hint, "user.max_user_namespaces")
}

func coveredProc() {
	fail(unix.Mount("/dev/null", "/proc/kallsyms", "", unix.MS_BIND, ""))
	createAndTell()
}

func TestCoveredProc(t *testing.T) {
	what := on(t, "covered", unix.CLONE_NEWUSER|unix.CLONE_NEWNS)
	require.Equal(t, apierr.IsolationUnavailable, what.Code)
	require.Contains(t, what.Message, "proc: mount /proc")
	require.Contains(t, what.Hint, "--security-opt systempaths=unconfined")
	require.Contains(t, what.Hint, "--security-opt seccomp=unconfined")
}

// filtered lives under a filter, as in a container.
func filtered() {
	filter, err := seccomp.Filter()
	fail(err)
	runtime.LockOSThread()
	fail(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	prog := &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(prog)))
	if errno != 0 {
		fail(errno)
	}
	createAndTell()
}

func TestFiltered(t *testing.T) {
	what := on(t, "filtered", 0)
	require.Equal(t, apierr.IsolationUnavailable, what.Code)
	require.Contains(t, what.Message, "namespaces: clone3")
	require.NotEmpty(t, what.Hint)
}

func noExec() {
	fail(os.WriteFile("/proc/sys/vm/memfd_noexec", []byte("2"), 0))
	createAndTell()
}

func TestNoProgramsInMemory(t *testing.T) {
	if _, err := os.Stat("/proc/sys/vm/memfd_noexec"); err != nil || os.Geteuid() != 0 {
		t.Skip("only root can set vm.memfd_noexec, on Linux 6.3 or newer")
	}
	what := on(t, "noexec", unix.CLONE_NEWUSER|unix.CLONE_NEWPID)
	require.Equal(t, apierr.IsolationUnavailable, what.Code)
	require.Contains(t, what.Message, "sealed copy")
	require.Contains(t, what.Hint, "vm.memfd_noexec=1")
}

func closedStandard() {
	for fd := range 3 {
		fail(unix.Close(fd))
	}
	createAndTell()
}

func TestClosedStandardDescriptors(t *testing.T) {
	require.Empty(t, on(t, "closed", 0).Message)
}

// fewDescriptors has a lower hard limit than sandboxes are to have.
func fewDescriptors() {
	fail(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}))
	createAndTell()
}

func TestFewDescriptors(t *testing.T) {
	require.Empty(t, on(t, "few", 0).Message)
}

func readOnlyGroups() {
	readOnly := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	fail(unix.MountSetattr(unix.AT_FDCWD, "/sys/fs/cgroup", unix.AT_RECURSIVE, readOnly))
	createAndTell()
}

func noGroups() {
	fail(unix.Mount("none", "/sys/fs/cgroup", "tmpfs", 0, ""))
	createAndTell()
}

// TestNoUsableGroups: sandboxes are made all the same, and say what they lack.
func TestNoUsableGroups(t *testing.T) {
	for _, machine := range []string{"read-only groups", "no groups"} {
		what := on(t, machine, unix.CLONE_NEWUSER|unix.CLONE_NEWNS)
		require.Empty(t, what.Message)
		i := slices.IndexFunc(what.Layers, func(l driver.Layer) bool { return l.Name == driver.MemoryLimit })
		require.GreaterOrEqual(t, i, 0)
		require.False(t, what.Layers[i].OK, machine)
		require.NotEmpty(t, what.Layers[i].Cure)
		t.Logf("%s: %s; %s", machine, what.Layers[i].Detail, what.Layers[i].Cure)
	}
}
