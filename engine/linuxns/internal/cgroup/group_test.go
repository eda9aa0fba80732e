//go:build linux

package cgroup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// here returns the places of this machine and a tag, or skips the test.
func here(t *testing.T) (Places, string) {
	t.Helper()
	tag, err := Tag(uint64(time.Now().UnixNano()))
	require.NoError(t, err)
	p := Find("").Choose(func(p Place) error {
		g := Places{List: []Place{p}}.Group(Name(tag, 0))
		if err := g.Make(someLimits); err != nil {
			return err
		}
		return g.Remove()
	})
	if len(p.List) == 0 {
		t.Skipf("this program may not make control groups here: %v", p.Missing)
	}
	t.Cleanup(func() { require.NoError(t, p.Sweep(tag, time.Second)) })
	return p, tag
}

// start starts a program in a group. A Go program cannot have its child enter
// version 1 groups, so the thread that forks it does, for a moment.
func start(t *testing.T, p Places, g Group, args ...string) *exec.Cmd {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	e, err := g.Open()
	require.NoError(t, err)
	defer e.Close()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
	if e.Clone >= 0 {
		cmd.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: e.Clone}
	}
	for _, fd := range e.Tasks {
		_, err := unix.Write(fd, []byte(Enter))
		require.NoError(t, err)
	}
	err = cmd.Start()
	for _, place := range p.List {
		if place.Version == 1 {
			require.NoError(t, write(place.Dir+"/tasks", Enter))
		}
	}
	require.NoError(t, err)
	return cmd
}

func TestGroup(t *testing.T) {
	p, tag := here(t)
	g := p.Group(Name(tag, 1))
	require.NoError(t, g.Make(someLimits))
	require.ErrorIs(t, g.Make(someLimits), os.ErrExist)
	for _, control := range []string{Memory, PIDs, CPU} {
		if p.Has(control) {
			require.NoError(t, g.Check(control, someLimits))
		}
	}
	cmd := start(t, p, g, "sleep", "60")
	for i := range p.List {
		require.Equal(t, strconv.Itoa(cmd.Process.Pid)+"\n", content(t, g.dir(&p.List[i])+"/cgroup.procs"))
	}
	require.ErrorIs(t, g.Remove(), unix.EBUSY)
	if p.Accounts() {
		u, err := g.Usage()
		require.NoError(t, err)
		require.Equal(t, 1, u.Processes)
		require.Positive(t, u.MemoryBytes)
	}
	require.NoError(t, cmd.Process.Kill())
	g.Kill()
	require.Error(t, cmd.Wait())
	require.Eventually(t, func() bool { return g.Remove() == nil }, time.Second, time.Millisecond)
	require.NoError(t, g.Remove(), "twice")
	_, err := g.Open()
	if p.Has(Core) {
		require.ErrorIs(t, err, unix.ENOENT)
	}
}

func TestShown(t *testing.T) {
	tag, err := Tag(1)
	require.NoError(t, err)
	name := Name(tag, 0)
	require.Equal(t, "a group in /g/above", shown("/g/above/"+name))
	require.Equal(t, "memory.max of a group in /g/above", shown("/g/above/"+name+"/memory.max"))
	require.Equal(t, "/g/agb-x/memory.max", shown("/g/agb-x/memory.max"))
}

// TestMakeLeavesNothing: what cannot be made in one place is not left in others.
func TestMakeLeavesNothing(t *testing.T) {
	p, tag := here(t)
	p.List = append(p.List, Place{Dir: "/does/not/exist", Version: 2, Controls: []string{"x"}})
	g := p.Group(Name(tag, 1))
	require.ErrorIs(t, g.Make(someLimits), unix.ENOENT)
	for i := range p.List {
		require.NoDirExists(t, g.dir(&p.List[i]))
	}
}

func TestFreeze(t *testing.T) {
	p, tag := here(t)
	if !p.Freezes() {
		t.Skip("no control group that can be frozen")
	}
	g := p.Group(Name(tag, 1))
	require.ErrorIs(t, g.Freeze(t.Context()), unix.ENOENT)
	require.NoError(t, g.Make(someLimits))
	cmd := start(t, p, g, "sh", "-c", "while :; do :; done")
	require.NoError(t, g.Freeze(t.Context()))
	require.NoError(t, g.Freeze(t.Context()), "twice")
	before := content(t, fmt.Sprintf("/proc/%d/schedstat", cmd.Process.Pid))
	require.Never(t, func() bool {
		return before != content(t, fmt.Sprintf("/proc/%d/schedstat", cmd.Process.Pid))
	}, 100*time.Millisecond, 20*time.Millisecond)
	require.NoError(t, g.Thaw())
	require.NoError(t, g.Thaw(), "twice")
	require.Eventually(t, func() bool {
		return before != content(t, fmt.Sprintf("/proc/%d/schedstat", cmd.Process.Pid))
	}, time.Second, time.Millisecond)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, g.Freeze(ctx), context.Canceled)
	require.NoError(t, g.Freeze(t.Context()))
	require.NoError(t, cmd.Process.Kill())
	g.Kill()
	require.Error(t, cmd.Wait(), "it dies although it was frozen")
}

func TestNames(t *testing.T) {
	me, err := self()
	require.NoError(t, err)
	tag, err := Tag(7)
	require.NoError(t, err)
	got, ok := owner(Name(tag, 9))
	require.True(t, ok)
	require.Equal(t, me, got)
	for _, name := range []string{
		"", "agb-", "agb-1-2-3-4", "agb-1-2-3-4-5-6", "xgb-1-2-3-4-5", "agb-01-2-3-4-5", "agb--2-3-4-5", "agb-1-0-3-4-5",
		"agb-1-4194305-3-4-5", "agb-1-2-3-4-5x", "agb-1-2-3-4-18446744073709551616", strings.Repeat("9", 300),
	} {
		_, ok := owner(name)
		require.False(t, ok, name)
	}
}

func FuzzOwner(f *testing.F) {
	f.Add("agb-1-2-3-4-5")
	f.Fuzz(func(t *testing.T, name string) {
		if p, ok := owner(name); ok {
			require.True(t, strings.HasPrefix(name, fmt.Sprintf("agb-%d-%d-%d-", p.namespace, p.pid, p.started)))
		}
	})
}

func TestDead(t *testing.T) {
	me, err := self()
	require.NoError(t, err)
	require.False(t, me.dead(me))
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, cmd.Start())
	started, err := startTime(cmd.Process.Pid)
	require.NoError(t, err)
	other := process{me.namespace, cmd.Process.Pid, started}
	require.False(t, other.dead(me))
	require.True(t, process{me.namespace, other.pid, started - 1}.dead(me), "another process with its pid")
	require.False(t, process{me.namespace + 1, other.pid, started - 1}.dead(me), "out of sight")
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.True(t, other.dead(me))
	require.False(t, process{me.namespace + 1, other.pid, started}.dead(me), "out of sight")
}

// TestSweepDead leaves the groups of the living alone.
func TestSweepDead(t *testing.T) {
	p, tag := here(t)
	me, err := self()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "true")
	require.NoError(t, cmd.Run())
	name := func(namespace uint64) string {
		return fmt.Sprintf("agb-%d-%d-%d-%d-1", namespace, cmd.Process.Pid, me.started, time.Now().UnixNano())
	}
	mine, dead, unseen := p.Group(Name(tag, 1)), p.Group(name(me.namespace)), p.Group(name(me.namespace+1))
	for _, g := range []Group{mine, dead, unseen} {
		require.NoError(t, g.Make(someLimits))
	}
	require.NoError(t, p.SweepDead())
	for i := range p.List {
		require.DirExists(t, mine.dir(&p.List[i]))
		require.NoDirExists(t, dead.dir(&p.List[i]))
		require.DirExists(t, unseen.dir(&p.List[i]))
	}
	require.NoError(t, unseen.Remove())
}

// TestSweepBusy: what is in the groups of a dead launcher is killed, frozen or
// not; and what cannot be removed is told.
func TestSweepBusy(t *testing.T) {
	p, tag := here(t)
	if !p.Has(Core) {
		t.Skip("no control group that can be killed")
	}
	g := p.Group(Name(tag, 1))
	require.NoError(t, g.Make(someLimits))
	cmd := start(t, p, g, "sleep", "60")
	require.NoError(t, g.Freeze(t.Context()))
	below := g.dir(&p.List[0]) + "/below"
	require.NoError(t, os.Mkdir(below, 0o755))
	require.ErrorIs(t, p.Sweep(tag, 10*time.Millisecond), unix.EBUSY)
	require.Error(t, cmd.Wait())
	require.NoError(t, os.Remove(below))
	require.NoError(t, p.Sweep(tag, time.Second))
	require.NoDirExists(t, g.dir(&p.List[0]))
}
