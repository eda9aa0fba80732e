//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
)

// outsideIDs returns the user and group ids that a guest has outside, all four
// of a kind being alike.
// agents returns the pids of the guests below pid, without what has yet to
// become one.
func agents(t *testing.T, pid int) []int {
	t.Helper()
	var pids []int
	for _, p := range descendants(t, pid) {
		cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
		if err == nil && strings.HasPrefix(string(cmdline), "agb-guest") {
			pids = append(pids, p.pid)
		}
	}
	require.NotEmpty(t, pids)
	return pids
}

func outsideIDs(t *testing.T, pid int) (uid, gid int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		if key != "Uid" && key != "Gid" {
			continue
		}
		ids := strings.Fields(value)
		require.Equal(t, []string{ids[0], ids[0], ids[0], ids[0]}, ids, key)
		id, err := strconv.Atoi(ids[0])
		require.NoError(t, err)
		if key == "Uid" {
			uid = id
		} else {
			gid = id
		}
	}
	return uid, gid
}

// TestOwnIDs: sandboxes of a root owner share no id, neither with each other
// nor with another owner's, nor with users of the host; those of an ordinary
// owner have the only one that it can give.
func TestOwnIDs(t *testing.T) {
	ids := layers.FindIDs()
	one, two := usable(t), usable(t)
	seen := map[int]bool{}
	for i := range 6 {
		spec, r := drivertest.Spec, one
		if spec.ID = strconv.Itoa(i); i%2 == 1 {
			r = two
		}
		drivertest.Create(t, r, spec)
	}
	for _, pid := range agents(t, os.Getpid()) {
		uid, gid := outsideIDs(t, pid)
		if !ids.Range {
			require.Equal(t, []int{os.Getuid(), os.Getgid()}, []int{uid, gid})
			continue
		}
		require.Equal(t, layers.UserID, uid%layers.RangeSize)
		require.Equal(t, uid, gid)
		require.GreaterOrEqual(t, int64(uid), ids.First)
		require.Less(t, int64(uid), ids.End)
		require.False(t, seen[uid], "two sandboxes have %d", uid)
		seen[uid] = true
	}
	if ids.Range {
		require.GreaterOrEqual(t, len(seen), 6) // and those of sandboxes that are made ahead
	}
}
