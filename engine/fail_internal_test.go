package engine

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/failpoint/failtest"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

// storeWrites are the points of one write of a record.
var storeWrites = []failpoint.Point{failpoint.StoreBegun, failpoint.StoreWritten, failpoint.StoreCommitted}

func fail() error { return failtest.ErrInjected }

// idle reports whether an engine has neither sessions nor places for any.
func idle(v *service) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.sessions)+len(v.flights) == 0 && v.places.making == 0 && v.places.promised == 0
}

// TestCreateFailsAnywhere: whatever step fails, all before is undone, its error
// is told, and the next creation works.
func TestCreateFailsAnywhere(t *testing.T) {
	cold := []failpoint.Point{failpoint.CreateAdmitted, failpoint.CreateMade, failpoint.CreateGreeted}
	for _, p := range append(failpoint.Points("create."), storeWrites...) {
		for _, pool := range []int{0, 1} {
			if pool == 0 && p == failpoint.CreateTaken || pool == 1 && slices.Contains(cold, p) {
				continue
			}
			t.Run(string(p), func(t *testing.T) {
				v, r := newFake(t, Config{StateDir: t.TempDir(), Pool: map[string]int{"host": pool}})
				require.Eventually(t, func() bool { return pooled(v) == pool }, patience, tick)
				disarm := failpoint.Arm(p, fail)
				defer disarm()
				params := httpapi.CreateParams{Key: "k"}
				_, err := v.Create(t.Context(), owner, params)
				require.ErrorIs(t, err, failtest.ErrInjected)
				require.Eventually(t, func() bool { return idle(v) && r.alive() == pooled(v) }, patience, tick)
				disarm()
				if p != failpoint.CreatePublished { // which could be found
					require.Empty(t, v.Records(owner))
					mustCreate(t, v, params)
				}
				mustCreate(t, v, httpapi.CreateParams{})
			})
		}
	}
}

// TestDeleteFailsNowhere: whatever step fails, all after it is done.
func TestDeleteFailsNowhere(t *testing.T) {
	for _, p := range append(failpoint.Points("delete."), storeWrites...) {
		t.Run(string(p), func(t *testing.T) {
			v, r := newFake(t, Config{StateDir: t.TempDir()})
			id := mustCreate(t, v, httpapi.CreateParams{}).ID
			disarm := failpoint.Arm(p, fail)
			defer disarm()
			_ = v.Delete(t.Context(), owner, id) // may tell of the failure
			require.Zero(t, r.alive())
			require.Empty(t, v.List(owner))
			require.Equal(t, endedDeleted, v.Records(owner)[0].Reason)
			require.NoError(t, v.Delete(t.Context(), owner, id))
			require.True(t, idle(v))
		})
	}
}

// TestWarmingFails: what could not be warmed is not handed out.
func TestWarmingFails(t *testing.T) {
	disarm := failpoint.Arm(failpoint.PoolWarmed, fail)
	defer disarm()
	v, r := newFake(t, Config{Pool: map[string]int{"host": 1}})
	require.Eventually(t, func() bool { return r.count() == 1 && r.alive() == 0 }, patience, tick)
	require.Zero(t, pooled(v))
}
