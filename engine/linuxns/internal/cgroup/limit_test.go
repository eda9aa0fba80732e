//go:build linux

package cgroup

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
)

var someLimits = Limits{MemoryBytes: 64 << 20, Processes: 40, MilliCPU: 1500}

// files makes a group of plain files in a place and returns the group.
func files(t *testing.T, version int, controls []string, names ...string) (Group, string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(dir+"/agb-x", 0o755))
	for _, name := range names {
		require.NoError(t, os.WriteFile(dir+"/agb-x/"+name, []byte("max\n"), 0o644))
	}
	return Places{List: []Place{{Dir: dir, Version: version, Controls: controls}}}.Group("agb-x"), dir + "/agb-x"
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func TestSetVersion2(t *testing.T) {
	g, dir := files(t, 2, []string{Core, Memory, PIDs, CPU}, "memory.max", "memory.swap.max", "pids.max", "cpu.max")
	require.NoError(t, g.places.List[0].set(dir, someLimits))
	require.Equal(t, "67108864", content(t, dir+"/memory.max"))
	require.Equal(t, "0", content(t, dir+"/memory.swap.max"))
	require.Equal(t, "40", content(t, dir+"/pids.max"))
	require.Equal(t, "150000 100000", content(t, dir+"/cpu.max"))
	for _, control := range []string{Memory, PIDs, CPU} {
		require.NoError(t, g.Check(control, someLimits))
		require.Error(t, g.Check(control, Limits{1, 1, 1}), "the kernel has more than was asked for")
	}
}

func TestSetVersion1(t *testing.T) {
	g, dir := files(t, 1, []string{Memory, PIDs, CPU}, "memory.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes", "pids.max", "cpu.cfs_quota_us", "cpu.cfs_period_us")
	require.NoError(t, os.WriteFile(dir+"/cpu.cfs_period_us", []byte("100000\n"), 0o644))
	require.NoError(t, g.places.List[0].set(dir, someLimits), "there need not be an account of swap")
	require.Equal(t, "67108864", content(t, dir+"/memory.limit_in_bytes"))
	require.Equal(t, "8388608", content(t, dir+"/memory.kmem.tcp.limit_in_bytes"))
	require.Equal(t, "150000", content(t, dir+"/cpu.cfs_quota_us"))
	for _, control := range []string{Memory, PIDs, CPU} {
		require.NoError(t, g.Check(control, someLimits))
		require.Error(t, g.Check(control, Limits{1, 1, 1}))
	}
}

func TestUnlimited(t *testing.T) {
	g, dir := files(t, 2, []string{Core, Memory, PIDs, CPU}, "memory.max", "memory.swap.max", "pids.max", "cpu.max")
	require.NoError(t, os.WriteFile(dir+"/cpu.max", []byte("max 100000\n"), 0o644))
	require.NoError(t, g.places.List[0].set(dir, Limits{}))
	for _, control := range []string{Memory, PIDs, CPU} {
		require.Error(t, g.Check(control, someLimits), "%s is not limited", control)
	}
	g, _ = files(t, 2, []string{Core})
	require.Error(t, g.Check(Memory, someLimits), "no such control")
}

func TestBandwidth(t *testing.T) {
	for _, c := range []struct{ milli, quota, period int64 }{
		{1, 1000, 1_000_000}, {9, 9000, 1_000_000}, {10, 1000, 100_000}, {11, 1100, 100_000},
		{500, 50_000, 100_000}, {1000, 100_000, 100_000}, {64_000, 6_400_000, 100_000},
	} {
		quota, period := bandwidth(c.milli)
		require.Equal(t, c.quota, quota, "%d", c.milli)
		require.Equal(t, c.period, period, "%d", c.milli)
		require.Equal(t, c.milli, quota*1000/period)
	}
}

func TestFor(t *testing.T) {
	l := For(driver.Limits{MemoryBytes: 1<<20 + 1, Processes: 3, MilliCPU: 7})
	require.Equal(t, int64(1<<20+MemoryReserve), l.MemoryBytes, "whole pages")
	require.Greater(t, l.Processes, int64(3), "the guest's own")
	require.Equal(t, int64(7), l.MilliCPU)
}

func TestUsageOfFiles(t *testing.T) {
	g, dir := files(t, 2, []string{Core, Memory, PIDs, CPU})
	for name, text := range map[string]string{
		"memory.current": "5\n", "memory.events": "low 0\nhigh 0\nmax 3\noom 2\noom_kill 1\n",
		"pids.current": "4\n", "cpu.stat": "usage_usec 7\nuser_usec 5\n",
	} {
		require.NoError(t, os.WriteFile(dir+"/"+name, []byte(text), 0o644))
	}
	u, err := g.Usage()
	require.NoError(t, err, "memory.peak need not be there")
	require.Equal(t, driver.Usage{CPU: 7000, MemoryBytes: 5, Processes: 4, OOMKills: 1}, u)
	n, err := g.OOMKills()
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	_, err = Group{}.OOMKills()
	require.ErrorIs(t, err, errNoControl)
	require.NoError(t, os.Remove(dir+"/cpu.stat"))
	_, err = g.Usage()
	require.ErrorIs(t, err, unix.ENOENT)
	require.NoError(t, os.WriteFile(dir+"/cpu.stat", []byte("usage_usec "+strings.Repeat("9", 30)+"\n"), 0o644))
	_, err = g.Usage()
	require.Error(t, err)
}
