package engine

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

// pooled returns how many sandboxes are ready.
func pooled(v *service) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pool.count
}

func TestPoolHandsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newFake(t, Config{Pool: map[string]int{"host": 2}})
		time.Sleep(time.Second)
		require.Equal(t, 2, pooled(v))
		require.Empty(t, v.List(owner), "nobody sees them")
		require.Empty(t, v.Records(owner))
		for _, s := range r.all() {
			require.Equal(t, 1, s.runs, "one command that does nothing")
		}
		first, second := r.all()[0].spec.ID, r.all()[1].spec.ID

		labels := map[string]string{"a": "b"}
		s := mustCreate(t, v, httpapi.CreateParams{Labels: labels, Lifetime: time.Minute, Image: "agb-code-space-1"})
		require.Equal(t, first, s.ID, "whoever waited longest")
		require.Equal(t, labels, s.Labels)
		require.Equal(t, "agb-code-space-1", s.Image, "which is the same file system")
		require.Equal(t, time.Minute, time.Until(s.Expires))
		require.Equal(t, second, mustCreate(t, v, httpapi.CreateParams{}).ID)
		require.Equal(t, 2, r.count())
		require.Len(t, v.Records(owner), 2)

		time.Sleep(time.Second)
		require.Equal(t, 2, pooled(v), "filled again")
		require.NoError(t, v.Delete(t.Context(), owner, first))
		time.Sleep(time.Second)
		require.Equal(t, 2, pooled(v))
		require.Equal(t, 4, r.count(), "a session's sandbox does not come back")
		require.Equal(t, 3, r.alive())
	})
}

func TestPoolIsForItsLimitsAndImage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		v, r := newFake(t, Config{Pool: map[string]int{"host": 1}, Images: map[string]Image{"mine": {Root: dir}}})
		time.Sleep(time.Second)
		mustCreate(t, v, httpapi.CreateParams{Limits: driver.Limits{Processes: 20}})
		require.Equal(t, 20, r.all()[1].spec.Limits.Processes)
		mustCreate(t, v, httpapi.CreateParams{Image: "mine"})
		require.Equal(t, dir, r.all()[2].spec.Root)
		require.Equal(t, 1, pooled(v))
		s := mustCreate(t, v, httpapi.CreateParams{Limits: driver.Limits{Processes: 128}})
		require.Equal(t, r.all()[0].spec.ID, s.ID, "asking for the default is asking for nothing else")
	})
}

// TestPoolWithoutSize: no pool, no work.
func TestPoolWithoutSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newFake(t, Config{Pool: map[string]int{"host": 0}})
		time.Sleep(time.Hour)
		require.Zero(t, r.count())
		mustCreate(t, v, httpapi.CreateParams{})
		require.Equal(t, 1, r.count())
	})
}

func TestDeadOnesAreNotHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newFake(t, Config{Pool: map[string]int{"host": 3}})
		time.Sleep(time.Second)
		for _, s := range r.all()[:2] {
			s.die()
		}
		s := mustCreate(t, v, httpapi.CreateParams{})
		require.Equal(t, r.all()[2].spec.ID, s.ID)
		time.Sleep(time.Second)
		require.Equal(t, 3, pooled(v))
		require.Equal(t, 4, r.alive())

		// One that died and was noticed is replaced.
		r.all()[3].die()
		time.Sleep(time.Second)
		require.Equal(t, 3, pooled(v))
		require.Equal(t, 4, r.alive())
		for _, s := range r.all()[:2] {
			require.Positive(t, s.destructions())
		}
	})
}

// TestSilentOnesAreNotHandedOut: a guest that no longer answers is as good as
// dead.
func TestSilentOnesAreNotHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newFake(t, Config{Pool: map[string]int{"host": 1}})
		time.Sleep(time.Second)
		r.all()[0].silence()
		start := time.Now()
		s := mustCreate(t, v, httpapi.CreateParams{})
		require.Equal(t, handOutTimeout, time.Since(start))
		require.NotEqual(t, r.all()[0].spec.ID, s.ID)
		synctest.Wait()
		require.Positive(t, r.all()[0].destructions())
	})
}

// TestPoolVerifiesAtHandOut: what a sandbox had when it was made it must have
// when it is given away.
func TestPoolVerifiesAtHandOut(t *testing.T) {
	for _, layer := range []string{driver.MemoryLimit, driver.ProcessLimit, driver.CPULimit, driver.DiskLimit} {
		synctest.Test(t, func(t *testing.T) {
			v, r := newFake(t, Config{Pool: map[string]int{"host": 2}})
			time.Sleep(time.Second)
			r.all()[0].lose(layer)
			s := mustCreate(t, v, httpapi.CreateParams{})
			require.Equal(t, r.all()[1].spec.ID, s.ID)
			synctest.Wait()
			require.Positive(t, r.all()[0].destructions())
		})
		synctest.Test(t, func(t *testing.T) {
			v := newFakeOn(t, Config{Pool: map[string]int{"host": 1}}, &fakeRuntime{without: layer})
			time.Sleep(time.Second)
			mustCreate(t, v, httpapi.CreateParams{})
			require.Zero(t, pooled(v), "what it never had it has not lost")
		})
	}
}

// TestCallersWhoLeaveTakeOne: a caller that gives up says nothing of the pool.
func TestCallersWhoLeaveTakeOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newFake(t, Config{Pool: map[string]int{"host": 5}})
		time.Sleep(time.Second)
		r.all()[0].silence()
		ctx, cancel := context.WithTimeout(t.Context(), handOutTimeout/2)
		defer cancel()
		_, err := v.Create(ctx, owner, httpapi.CreateParams{})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		destroyed := 0
		for _, s := range r.all() {
			destroyed += s.destructions()
		}
		require.Equal(t, 1, destroyed)
	})
}

func TestPoolGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		v, r := newFake(t, Config{MaxSessions: 4, Pool: map[string]int{"host": 10}, Images: map[string]Image{"mine": {Root: dir}}})
		time.Sleep(time.Second)
		require.Equal(t, 4, pooled(v), "no more than there may be sessions")
		for i := range 4 {
			mustCreate(t, v, httpapi.CreateParams{Image: "mine"})
			time.Sleep(time.Second)
			require.Equal(t, 3-i, pooled(v))
			require.Equal(t, 4, r.alive())
		}
		require.NoError(t, v.Delete(t.Context(), owner, v.List(owner)[0].ID))
		time.Sleep(time.Second)
		require.Equal(t, 1, pooled(v))
	})
}

func TestPoolGivesMemoryWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const session = 64 << 20
		v, r := newFake(t, Config{
			MemoryBudget: 4 * session, Limits: Limits{MemoryBytes: session}, MaxLimits: Limits{MemoryBytes: 4 * session},
			Pool: map[string]int{"host": 10},
		})
		time.Sleep(time.Second)
		require.Equal(t, 4, pooled(v))
		s := mustCreate(t, v, httpapi.CreateParams{Limits: driver.Limits{MemoryBytes: 3 * session}})
		synctest.Wait()
		require.Equal(t, 1, pooled(v))
		require.Equal(t, 2, r.alive())
		require.NoError(t, v.Delete(t.Context(), owner, s.ID))
		time.Sleep(time.Second)
		require.Equal(t, 4, pooled(v))
	})
}

// TestRefillBacksOff: failures do not make a storm, and do not last longer
// than their cause.
func TestRefillBacksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRuntime{err: errFake}
		v := newFakeOn(t, Config{Pool: map[string]int{"host": 2}}, r)
		time.Sleep(time.Hour)
		require.Greater(t, r.asked(), 50)
		require.Less(t, r.asked(), 70, "once a minute, after a while")
		r.fail(nil)
		time.Sleep(refillLongest + time.Second)
		require.Equal(t, 2, pooled(v))
	})
}

// TestRefillStepsBack: while sessions are made one after the other the pool
// waits, but not for ever.
func TestRefillStepsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRuntime{delay: 5 * time.Millisecond}
		v := newFakeOn(t, Config{Pool: map[string]int{"host": 10}}, r)
		const load = 2 * time.Second
		for start := time.Now(); time.Since(start) < load; {
			s := mustCreate(t, v, httpapi.CreateParams{Limits: driver.Limits{Processes: 20}})
			require.NoError(t, v.Delete(t.Context(), owner, s.ID))
		}
		require.LessOrEqual(t, pooled(v), int(load/refillPatience))
		require.GreaterOrEqual(t, pooled(v), int(load/refillPatience)-1)
		require.Equal(t, 2, r.atOnce(), "one at a time, beside the creation")
		time.Sleep(time.Second)
		require.Equal(t, 10, pooled(v))
	})
}

// TestPoolCloses closes engines at many moments of filling and handing out.
func TestPoolCloses(t *testing.T) {
	for i := range 100 {
		synctest.Test(t, func(t *testing.T) {
			r := &fakeRuntime{delay: time.Duration(i%5) * time.Millisecond}
			v := newFakeOn(t, Config{Pool: map[string]int{"host": 3}}, r)
			time.Sleep(time.Duration(i) * time.Millisecond)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					if e := (*Engine)(v); e.task() { // as every request is
						defer e.tasks.Done()
						_, _ = v.Create(t.Context(), owner, httpapi.CreateParams{}) // may come too late
					}
				})
			}
			time.Sleep(time.Duration(i%7) * time.Millisecond)
			require.NoError(t, (*Engine)(v).Close())
			all.Wait()
			for _, s := range r.all() {
				require.Positive(t, s.destructions())
			}
			made := r.count()
			time.Sleep(time.Hour)
			require.Equal(t, made, r.count(), "nothing is made after Close")
		})
	}
}
