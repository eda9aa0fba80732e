//go:build linux && (amd64 || arm64)

package launcher

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// someGroups returns groups that are plain directories in dir, without controls.
func someGroups(t *testing.T) (g *groups, dir string) {
	t.Helper()
	dir = t.TempDir()
	g = &groups{tag: "agb-1-2-3-4", places: cgroup.Places{List: []cgroup.Place{{Dir: dir, Version: 2}}}}
	return g, dir
}

var limits = driver.Limits{MemoryBytes: 1 << 20, Processes: 1, MilliCPU: 1}

// in makes the group of a sandbox, as far as it goes.
func in(t *testing.T, g *groups, id uint64, fork func(*cgroup.Entrance) error) error {
	t.Helper()
	_, err := g.in(id, limits, fork)
	return err
}

func TestGroupOfAFork(t *testing.T) {
	g, dir := someGroups(t)
	mine := dir + "/agb-1-2-3-4-7"
	require.NoError(t, in(t, g, 7, func(e *cgroup.Entrance) error {
		require.Equal(t, -1, e.Clone, "there is no version 2 group to enter")
		require.Empty(t, e.Tasks)
		require.DirExists(t, mine)
		return nil
	}))
	require.DirExists(t, mine)
	failed := errors.New("no fork")
	require.ErrorIs(t, in(t, g, 8, func(*cgroup.Entrance) error { return failed }), failed)
	require.NoDirExists(t, dir+"/agb-1-2-3-4-8")
	err := in(t, g, 7, func(*cgroup.Entrance) error { return nil })
	var f *tape.Failure
	require.ErrorAs(t, err, &f)
	require.Equal(t, cgroup.Layer, f.Layer)
	require.Equal(t, unix.EEXIST, f.Errno)
}

func TestBusyGroups(t *testing.T) {
	g, dir := someGroups(t)
	nop := func(*cgroup.Entrance) error { return nil }
	require.NoError(t, in(t, g, 1, nop))
	busy := dir + "/agb-1-2-3-4-1"
	require.NoError(t, os.Mkdir(busy+"/below", 0o755))
	g.remove(g.places.Group("agb-1-2-3-4-1"))
	require.Len(t, g.busy, 1)
	for want := busyPoll; want < busyPollMax; want *= 2 {
		require.Equal(t, want, g.timeout())
		g.retry()
	}
	require.Equal(t, busyPollMax, g.timeout())
	g.retry()
	require.Equal(t, busyPollMax, g.timeout())
	require.NoError(t, os.Remove(busy+"/below"))
	start := time.Now()
	g.finish()
	require.Less(t, time.Since(start), busyTimeout)
	require.NoDirExists(t, busy)
	require.Equal(t, -1, g.timeout())
}

func TestBusyLimit(t *testing.T) {
	g, dir := someGroups(t)
	nop := func(*cgroup.Entrance) error { return nil }
	g.busy = make([]cgroup.Group, busyLimit-1)
	require.NoError(t, in(t, g, 1, nop))
	g.busy = make([]cgroup.Group, busyLimit)
	require.ErrorIs(t, in(t, g, 2, nop), unix.EBUSY)
	require.NoDirExists(t, dir+"/agb-1-2-3-4-2")
}

func TestWithoutPlaces(t *testing.T) {
	g := findGroups("")
	require.NotEmpty(t, g.places.Missing[cgroup.Memory])
	require.NoError(t, in(t, g, 1, func(e *cgroup.Entrance) error {
		require.Equal(t, -1, e.Clone)
		return nil
	}))
	require.Equal(t, -1, g.timeout())
	g.finish()
}
