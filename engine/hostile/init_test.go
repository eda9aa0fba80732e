//go:build linux && (amd64 || arm64)

package hostile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The addresses of the outside that are served in the containment, where
// nothing else could answer.
const (
	metadataAddr = "169.254.169.254"
	internalAddr = "10.99.0.1"
)

// firstPID is about the number of the first process that the containment starts.
const firstPID = 20_000

// keyName is what the owner has in its session keyring, and envName what it
// has in its environment. Both hold tokens.
const (
	keyName = "relcanary"
	envName = "RELCANARY"
)

// initContainment is pid 1 of the containment.
func initContainment() int {
	runtime.LockOSThread() // keyrings and capabilities are a thread's
	if err := receiveHandover(); err != nil {
		return failInit(err)
	}
	if err := errors.Join(contain(), plantKey(given.Key)); err != nil {
		return failInit(err)
	}
	cmd, err := startTests()
	if err != nil {
		return failInit(err)
	}
	for { // whatever else loses its parent is reaped here
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return failInit(err)
		case pid == cmd.Process.Pid && status.Signaled():
			return 128 + int(status.Signal())
		case pid == cmd.Process.Pid:
			return status.ExitStatus()
		}
	}
}

func failInit(err error) int {
	fmt.Fprintln(os.Stderr, "hostile: contain:", err)
	return 2
}

// contain sets up everything that needs privilege.
func contain() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	if err := loopback(); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	for name, value := range map[string]string{"ip_unprivileged_port_start": "0", "ping_group_range": "0 2147483647"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return err // without all groups mapped, the second is refused
		}
	}
	// Numbers of processes out here are none that a sandbox has too.
	err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(firstPID)), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: fileBytes, Max: fileBytes})
}

// loopback brings the interface up and gives it the addresses of the outside.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up); err != nil {
		return err
	}
	for i, addr := range []string{metadataAddr, internalAddr} {
		if err := addAddress(fd, fmt.Sprintf("lo:%d", i+1), addr); err != nil {
			return fmt.Errorf("add %s: %w", addr, err)
		}
	}
	return nil
}

func addAddress(fd int, label, addr string) error {
	for _, step := range []struct {
		request uint
		addr    string
	}{{unix.SIOCSIFADDR, addr}, {unix.SIOCSIFNETMASK, "255.255.255.255"}} {
		req, err := unix.NewIfreq(label)
		if err != nil {
			return err
		}
		var a [4]byte
		if _, err := fmt.Sscanf(step.addr, "%d.%d.%d.%d", &a[0], &a[1], &a[2], &a[3]); err != nil {
			return err
		}
		if err := req.SetInet4Addr(a[:]); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(fd, step.request, req); err != nil {
			return err
		}
	}
	return nil
}

// plantKey gives this thread, and what it starts, a session keyring with the
// canary in it. Where keys are not to be had, there is none, and the attack on
// it finds nothing in a bare process either.
func plantKey(token string) error {
	if _, err := unix.KeyctlJoinSessionKeyring("agb-hostile"); err != nil {
		return nil //nolint:nilerr // see above
	}
	_, err := unix.AddKey("user", keyName, []byte(token), unix.KEY_SPEC_SESSION_KEYRING)
	return err
}

// startTests starts the tests with no privilege but their user's.
func startTests() (*exec.Cmd, error) {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return nil, err
	}
	cmd := exec.Command(os.Args[0], os.Args[1:]...) //nolint:noctx // pid 1 ends with it
	for _, v := range given.env(stageTests) {
		if name, _, _ := strings.Cut(v, "="); name != "HOME" && name != "TMPDIR" {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "HOME="+given.Temp, "TMPDIR="+given.Temp)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Args[0] = filepath.Base(os.Args[0])
	return cmd, cmd.Start()
}
