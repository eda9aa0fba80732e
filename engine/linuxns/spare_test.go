//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"cmp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns"
)

// guests returns the first processes of all sandboxes of the launcher that made
// sb, in the order in which they were started.
func guests(t *testing.T, sb driver.Sandbox) []process {
	t.Helper()
	launcher := linuxns.LauncherPID(sb)
	all := slices.DeleteFunc(descendants(t, launcher), func(p process) bool {
		fields := stat(p.pid)
		return fields == nil || fields[1] != strconv.Itoa(launcher)
	})
	slices.SortFunc(all, func(p, q process) int {
		return cmp.Or(cmp.Compare(len(p.started), len(q.started)), cmp.Compare(p.started, q.started), cmp.Compare(p.pid, q.pid))
	})
	return all
}

// oneMore waits until the launcher of a sandbox has one more child than those
// given, and returns it: the spare sandbox.
func oneMore(t *testing.T, sb driver.Sandbox, known []process) process {
	t.Helper()
	var spare process
	require.Eventually(t, func() bool {
		for _, p := range guests(t, sb) {
			if !slices.Contains(known, p) {
				spare = p
				return true
			}
		}
		return false
	}, goneWithin, time.Millisecond)
	return spare
}

// guestOf returns the process of the first sandbox of its launcher.
func guestOf(t *testing.T, sb driver.Sandbox) process {
	t.Helper()
	all := guests(t, sb)
	require.NotEmpty(t, all)
	return all[0]
}

func TestSpareIsUsed(t *testing.T) {
	r := usable(t)
	first := drivertest.Create(t, r, drivertest.Spec)
	known := []process{guestOf(t, first.Sandbox)}
	spare := oneMore(t, first.Sandbox, known)

	second := drivertest.Create(t, r, drivertest.Spec)
	require.Equal(t, "1000\n", second.Run(t, "id -u").Stdout)
	known = append(known, spare)
	next := oneMore(t, second.Sandbox, known)
	require.NoError(t, second.Sandbox.Destroy(t.Context()))
	require.False(t, spare.alive(), "the second sandbox was the spare one")
	require.True(t, next.alive())

	other := drivertest.Spec
	other.Limits.OpenFiles++
	third := drivertest.Create(t, r, other)
	require.False(t, next.alive(), "what does not fit is given up")
	require.Equal(t, "1000\n", third.Run(t, "id -u").Stdout)
}

func TestSpareDies(t *testing.T) {
	r := usable(t)
	first := drivertest.Create(t, r, drivertest.Spec)
	known := []process{guestOf(t, first.Sandbox)}
	spare := oneMore(t, first.Sandbox, known)
	require.NoError(t, unix.Kill(spare.pid, unix.SIGKILL))
	// Not only its first thread, as alive would have it: while there is another,
	// its descriptors are open.
	require.Eventually(t, func() bool {
		fields := stat(spare.pid)
		return fields == nil || fields[19] != spare.started
	}, goneWithin, time.Millisecond)
	second := drivertest.Create(t, r, drivertest.Spec)
	require.Equal(t, "1000\n", second.Run(t, "id -u").Stdout)
	require.Equal(t, "1000\n", first.Run(t, "id -u").Stdout)
}

func TestSpareEndsWithTheRuntime(t *testing.T) {
	r := usable(t)
	first := drivertest.Create(t, r, drivertest.Spec)
	spare := oneMore(t, first.Sandbox, []process{guestOf(t, first.Sandbox)})
	require.NoError(t, r.Close())
	require.False(t, spare.alive())
}
