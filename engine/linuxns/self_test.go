//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// TestSelf compares what a guest says of itself with what a command sees, and
// what the host sees of both.
func TestSelf(t *testing.T) {
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	hello, err := b.Client.Hello(t.Context())
	require.NoError(t, err)
	self := hello.Self
	require.Equal(t, []int{layers.UserID, layers.UserID}, []int{self.UID, self.GID})
	require.Zero(t, self.Capabilities)
	require.True(t, self.NoNewPrivs && self.Refused && self.ReadOnlyRoot && self.LoopbackOnly)
	require.Equal(t, 2, self.Seccomp)
	require.Equal(t, layers.LandlockABI() >= layers.LandlockLeast, self.Landlock)
	require.False(t, self.Dumpable)
	limits := drivertest.Spec.Limits
	require.Equal(t, []uint64{uint64(limits.Processes), uint64(limits.DiskBytes)}, []uint64{self.Processes, self.DiskBytes})
	const places = 6 // the directories that are there from the start, with the one that they are in
	require.EqualValues(t, limits.DiskInodes+places, self.DiskInodes)
	for i, kind := range []string{"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"} {
		inode := kind + ":[" + strconv.FormatUint(self.Namespaces[i], 10) + "]"
		require.Equal(t, inode, strings.TrimSpace(b.Output(t, "readlink /proc/self/ns/"+kind)))
		own, err := os.Readlink(filepath.Join("/proc/self/ns", kind))
		require.NoError(t, err)
		require.NotEqual(t, own, inode)
	}
	again, err := b.Client.Hello(t.Context())
	require.NoError(t, err)
	require.Equal(t, self, again.Self)
	require.Empty(t, b.Output(t, "ls -A /tmp"), "nothing is left of the trials")
}

// TestSelfCost: a guest's look at itself is part of every creation.
func TestSelfCost(t *testing.T) {
	const looks, most = 50, 5 * time.Millisecond
	b := drivertest.Create(t, usable(t), drivertest.Spec)
	took := make([]time.Duration, looks)
	for i := range took {
		start := time.Now()
		_, err := b.Client.Hello(t.Context())
		require.NoError(t, err)
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	t.Logf("median %v, from %v to %v", took[looks/2], took[0], took[looks-1])
	require.LessOrEqual(t, took[looks/2], most)
}
