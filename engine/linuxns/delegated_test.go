//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
)

// nobody is an ordinary user.
const nobody = 65534

// limited is what an owner tells of a sandbox of its.
type limited struct {
	UID    int
	Dirs   []string
	Layers []driver.Layer
	Usage  driver.Usage
}

// tellLimits makes a sandbox and tells about it on standard output.
func tellLimits() {
	r, err := linuxns.New(linuxns.Config{})
	fail(err)
	sb, err := r.Create(context.Background(), drivertest.Spec)
	fail(err)
	what := limited{UID: os.Getuid(), Dirs: linuxns.GroupDirs(sb), Layers: sb.Layers()}
	fail(sb.Pause(context.Background()))
	fail(sb.Resume(context.Background()))
	what.Usage, err = sb.Usage(context.Background())
	fail(err)
	fail(sb.Destroy(context.Background()))
	fail(r.Close())
	fail(json.NewEncoder(os.Stdout).Encode(what))
}

// delegate makes a group in every hierarchy and gives it to a user, as systemd
// does; and returns where it is.
func delegate(t *testing.T, uid int) (cgroup.Places, cgroup.Group) {
	t.Helper()
	tag, err := cgroup.Tag(uint64(time.Now().UnixNano()))
	require.NoError(t, err)
	places := cgroup.Find("").Choose(func(cgroup.Place) error { return nil })
	group := places.Group(cgroup.Name(tag, 1))
	require.NoError(t, group.Make(cgroup.Limits{}))
	t.Cleanup(func() { require.NoError(t, places.Sweep(tag, goneWithin)) })
	for _, p := range places.List {
		require.NoError(t, filepath.WalkDir(p.Dir+"/"+cgroup.Name(tag, 1), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(path, uid, uid)
		}))
	}
	return places, group
}

// TestDelegated: an ordinary user to whom groups were given has all limits.
func TestDelegated(t *testing.T) {
	grouped(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can give groups to another user")
	}
	places, group := delegate(t, nobody)
	entrance, err := group.Open()
	require.NoError(t, err)
	defer entrance.Close()
	self, err := os.Open("/proc/self/exe") // its path may be out of the user's reach
	require.NoError(t, err)
	defer func() { require.NoError(t, self.Close()) }()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "/proc/self/fd/3")
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr, cmd.Dir = []*os.File{self}, &stdout, &stderr, "/"
	cmd.Env = []string{ownerEnv + "=limits"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, UseCgroupFD: entrance.Clone >= 0, CgroupFD: entrance.Clone,
	}
	runtime.LockOSThread() // the thread that forks enters the version 1 groups for a moment
	for _, fd := range entrance.Tasks {
		_, err := unix.Write(fd, []byte(cgroup.Enter))
		require.NoError(t, err)
	}
	startErr := cmd.Start()
	for _, p := range places.List {
		if p.Version == 1 {
			require.NoError(t, os.WriteFile(p.Dir+"/tasks", []byte(cgroup.Enter), 0))
		}
	}
	runtime.UnlockOSThread()
	require.NoError(t, startErr)
	require.NoError(t, cmd.Wait(), stderr.String())
	var what limited
	require.NoError(t, json.Unmarshal(stdout.Bytes(), &what))
	require.Equal(t, nobody, what.UID)
	require.NotEmpty(t, what.Dirs)
	require.Positive(t, what.Usage.MemoryBytes)
	for _, l := range what.Layers {
		require.True(t, l.OK, "%+v", l)
	}
	for _, dir := range what.Dirs {
		require.Equal(t, "agb-", filepath.Base(filepath.Dir(dir))[:4], "below the group that was given")
		require.NoDirExists(t, dir)
	}
}
