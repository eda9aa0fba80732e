package httpapi

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// small are bounds for tests that count.
var small = bounds{engine: 40, tenant: 10, session: 5, run: 4}

// clean requires that nothing is kept and no tenant known.
func clean(t *testing.T, m *ledger) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Equal(t, m.bounds.engine, m.engine.left)
	require.Empty(t, m.engine.runs)
	require.Empty(t, m.tenants)
}

// A tenant whose runs take all they can get and keep it leaves the others what
// is theirs, at once.
func TestLedgerOfATenant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newLedger(small)
		held, sleep := context.WithCancel(t.Context())
		var group sync.WaitGroup
		for range 24 {
			s := m.open("greedy")
			for range 2 {
				group.Go(func() {
					c := newClaim(held, s, small.run)
					defer c.release()
					for c.take(1) {
					}
					<-held.Done()
				})
			}
			defer s.close()
		}
		synctest.Wait()
		require.Zero(t, m.tenants["greedy"].left)
		require.Equal(t, small.engine-small.tenant, m.engine.left)

		begin := time.Now()
		for i := range 3 {
			s := m.open(fmt.Sprint("tenant ", i))
			c := newClaim(t.Context(), s, small.run)
			require.True(t, c.take(small.run))
			require.False(t, c.take(1))
			c.release()
			s.close()
		}
		require.Zero(t, time.Since(begin), "nobody has waited")
		require.Len(t, m.tenants, 1)
		sleep()
		group.Wait()
	})
}

// Each level gives exactly what it has, less what its first run may still need.
func TestLedgerLevels(t *testing.T) {
	for name, row := range map[string]struct {
		bounds bounds
		second [2]int // tenant and session of the second run; the first has 0, 0
		free   int    // for the second while the first has 1 of 4
	}{
		"session": {bounds{40, 20, 6, 4}, [2]int{0, 0}, 2},
		"tenant":  {bounds{40, 6, 6, 4}, [2]int{0, 1}, 2},
		"engine":  {bounds{6, 6, 6, 4}, [2]int{1, 0}, 2},
		"all":     {bounds{8, 8, 8, 4}, [2]int{0, 0}, 4},
		"none":    {bounds{4, 4, 4, 4}, [2]int{1, 0}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := newLedger(row.bounds)
			shares := map[[2]int]*share{}
			at := func(place [2]int) *share {
				if shares[place] == nil {
					shares[place] = m.open(fmt.Sprint(place[0]))
				}
				return shares[place]
			}
			first := newClaim(t.Context(), at([2]int{}), 9)
			second := newClaim(t.Context(), at(row.second), 9)
			granted := func(c *claim, n int) bool {
				ok, _ := c.try(n)
				return ok
			}
			require.True(t, granted(first, 1))
			require.False(t, granted(second, row.free+1))
			require.True(t, granted(second, row.free))
			require.False(t, granted(second, 1))
			require.False(t, granted(first, 4), "more than a run may have")
			require.True(t, granted(first, 3), "the first never waits")
			require.False(t, granted(second, 1))
			first.release()
			require.True(t, granted(second, 4-row.free))
			second.release()
			for _, s := range shares {
				s.close()
				s.close()
			}
			clean(t, m)
		})
	}
}

// Runs of many tenants and sessions that all need the most, or one byte less,
// all get it: none waits for another that waits, none is forgotten.
func TestLedgerHasNoDeadlock(t *testing.T) {
	for _, row := range []bounds{
		{40, 10, 5, 4}, {12, 10, 8, 4}, {10, 10, 10, 4}, {5, 5, 5, 4}, {4, 4, 4, 4}, {9, 5, 4, 4}, {8, 4, 4, 4}, {7, 7, 5, 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newLedger(row)
			var group sync.WaitGroup
			for tenant := range 3 {
				for range 4 {
					s := m.open(fmt.Sprint(tenant))
					var runs sync.WaitGroup
					for i := range 4 {
						runs.Go(func() {
							c := newClaim(t.Context(), s, row.run)
							defer c.release()
							for range row.run - i%2 {
								if !c.take(1) {
									t.Errorf("%v: a run was starved", row)
								}
								time.Sleep(time.Millisecond)
							}
						})
					}
					group.Go(func() {
						runs.Wait()
						s.close()
					})
				}
			}
			group.Wait()
			clean(t, m)
		})
	}
}

// The runs of many goroutines are counted right, whoever ends first: the run,
// its answer or its session.
func TestLedgerIsGivenBack(t *testing.T) {
	m := newLedger(small)
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			s := m.open(fmt.Sprint(i % 3))
			ctx, cancel := context.WithCancel(t.Context())
			var runs sync.WaitGroup
			for j := range 4 {
				runs.Go(func() {
					c := newClaim(ctx, s, small.run)
					sent := context.AfterFunc(ctx, c.release)
					for range small.run + 1 {
						if !c.take(1) {
							break
						}
					}
					if (i%2 == 0 || j%2 == 0) && sent() {
						c.release()
					}
				})
			}
			if i%2 == 0 {
				runs.Wait()
			}
			s.close()
			cancel()
			runs.Wait()
		})
	}
	group.Wait()
	require.Eventually(t, func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.engine.left == small.engine && len(m.engine.runs) == 0 && len(m.tenants) == 0
	}, 10*time.Second, time.Millisecond)
}

// What runs of ended sessions still have counts against their tenant.
func TestLedgerOfEndedSessions(t *testing.T) {
	m := newLedger(bounds{40, 5, 5, 4})
	ended := m.open("t")
	old := newClaim(t.Context(), ended, 4)
	require.True(t, old.take(4))
	late := newClaim(t.Context(), ended, 4)
	ended.close()
	require.False(t, late.take(1), "the session has ended")
	require.False(t, old.take(1))

	s := m.open("t")
	c := newClaim(t.Context(), s, 4)
	ok, _ := c.try(2)
	require.False(t, ok)
	ok, _ = c.try(1)
	require.True(t, ok)
	s.close()
	require.Len(t, m.tenants, 1)
	c.release()
	require.Len(t, m.tenants, 1)
	late.release()
	old.release()
	clean(t, m)
}

// A session that ends wakes its runs.
func TestLedgerOfASessionThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newLedger(small)
		s := m.open("t")
		first, second := newClaim(t.Context(), s, 4), newClaim(t.Context(), s, 4)
		require.True(t, first.take(4))
		begin := time.Now()
		go func() {
			time.Sleep(time.Second)
			s.close()
		}()
		require.False(t, second.take(2))
		require.Equal(t, time.Second, time.Since(begin))
		second.release()
		first.release()
		clean(t, m)
	})
}
