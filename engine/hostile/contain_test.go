//go:build linux && (amd64 || arm64)

package hostile

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
)

// The containment is three processes. The one that the go command starts makes
// namespaces for the second, which is pid 1 in them and alone has the privilege
// to set them up; the third runs the tests, with no more privilege than its
// user has. When any of them ends, so do those below it.

// Bounds of the containment.
const (
	wallTime    = 10 * time.Minute
	fileBytes   = 2 << 30 // RLIMIT_FSIZE
	memoryBytes = 4 << 30 // of the containment's cgroup
	processes   = 4096    // of the containment's cgroup
)

// handover is what the tests are given by whoever started them.
type handover struct {
	Work   string // directory that all may enter: the tests' copy and the attack program
	Temp   string // the user's own directory
	Key    string // token in the keyring
	Attack string // path of the attack program
}

const handoverEnv = "AGB_HOSTILE_HANDOVER"

// given is what this process was given.
var given handover

func (h handover) env(stage string) []string {
	text, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings and numbers
	}
	return append(os.Environ(), stageEnv+"="+stage, handoverEnv+"="+string(text))
}

// receiveHandover takes what was handed over, leaving nothing of it in the
// environment.
func receiveHandover() error {
	err := json.Unmarshal([]byte(os.Getenv(handoverEnv)), &given)
	return errors.Join(err, os.Unsetenv(handoverEnv), os.Unsetenv(stageEnv))
}

// runContained runs the tests and returns their exit code. Where no sandbox can
// be made there is nothing to test; a containment that cannot be made is a
// failure, since nothing runs without.
func runContained() int {
	report, err := engine.Probe(context.Background())
	if err == nil && !report.Available {
		i := slices.IndexFunc(report.Layers, func(l driver.Layer) bool { return !l.OK })
		fmt.Printf("hostile: skipped: %s: %s\n", report.Layers[i].Name, report.Layers[i].Detail)
		return 0
	}
	var code int
	if err == nil {
		code, err = runIn(os.TempDir())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		return 2
	}
	return code
}

// runIn runs the tests with a directory of theirs below dir.
func runIn(dir string) (int, error) {
	work, err := os.MkdirTemp(dir, "agb-hostile")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(work) }()
	h := handover{Work: work, Temp: filepath.Join(work, "own"), Key: rand.Text(), Attack: filepath.Join(work, "attack")}
	err = errors.Join(os.Chmod(work, 0o711), os.Mkdir(h.Temp, 0o700), buildAttack(h.Attack))
	if err != nil {
		return 0, err
	}
	return h.run()
}

// buildAttack builds the program that makes system calls for the attacks.
func buildAttack(path string) error {
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./testdata/attack")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if os.Getenv("HOME") == "" && os.Getenv("GOCACHE") == "" {
		build.Env = append(build.Env, "GOCACHE="+path+".cache")
	}
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the attack program: %w\n%s", err, out)
	}
	return os.Chmod(path, 0o755)
}

// run runs the tests in a containment and returns their exit code.
func (h handover) run() (int, error) {
	self := filepath.Join(h.Work, "tests")
	if err := copySelf(self); err != nil {
		return 0, err
	}
	group, err := newGroup()
	if err != nil {
		return 0, err
	}
	defer group.remove()
	ctx, cancel := context.WithTimeout(context.Background(), wallTime)
	defer cancel()
	runtime.LockOSThread() // the child dies with the thread
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, self, flags()...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = h.env(stageInit), os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Pdeathsig:  syscall.SIGKILL,
	}
	if uid := os.Getuid(); uid != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: uid, HostID: uid, Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN}
	}
	// The group is entered by the child's own process, before there are more.
	leave := group.enter()
	err = cmd.Start()
	leave()
	if err != nil {
		return 0, fmt.Errorf("start the containment: %w", err)
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// flags are those of this run, but for the go command's log, which is this
// process's to write.
func flags() []string {
	return slices.DeleteFunc(slices.Clone(os.Args[1:]), func(flag string) bool {
		return strings.HasPrefix(strings.TrimLeft(flag, "-"), "test.testlogfile")
	})
}

// copySelf puts a copy of this program where every user can start it.
func copySelf(to string) error {
	text, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(to, text, 0o755)
	}
	if err == nil {
		err = os.Chmod(to, 0o755)
	}
	return err
}
