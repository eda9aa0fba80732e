package engine

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

// mustCreate makes a session.
func mustCreate(t *testing.T, v *service, p httpapi.CreateParams) httpapi.Session {
	t.Helper()
	s, err := v.Create(t.Context(), owner, p)
	require.NoError(t, err)
	return s
}

// runUntil occupies a session until the returned function is called, which
// returns the error of the call: [context.Canceled] if the session lives.
func runUntil(t *testing.T, v *service, id string) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- v.Do(ctx, owner, id, func(ctx context.Context, _ *httpapi.Workspace) error {
			close(begun)
			<-ctx.Done()
			return ctx.Err()
		})
	}()
	<-begun
	return func() error { cancel(); return <-ended }
}

func TestLifetimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := newFake(t, Config{IdleTimeout: NoTimeout, MaxLifetime: time.Hour})
		start := time.Now()
		for asked, want := range map[time.Duration]time.Duration{0: time.Hour, time.Minute: time.Minute, time.Hour: time.Hour} {
			s := mustCreate(t, v, httpapi.CreateParams{Lifetime: asked})
			require.Equal(t, want, s.Expires.Sub(start))
			require.Zero(t, s.IdleExpires)
			require.Equal(t, start, s.Created)
			require.Equal(t, httpapi.StateRunning, s.State)
		}
		for _, asked := range []time.Duration{time.Hour + 1, NoTimeout, -2} {
			_, err := v.Create(t.Context(), owner, httpapi.CreateParams{Lifetime: asked})
			require.ErrorIs(t, err, apierr.InvalidArgument.Err())
		}
		_, err := v.Create(t.Context(), owner, httpapi.CreateParams{Idle: -2})
		require.ErrorIs(t, err, apierr.InvalidArgument.Err())
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Len(t, v.List(owner), 2)
	})
}

func TestLifetimeWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := newFake(t, Config{MaxLifetime: NoTimeout})
		s := mustCreate(t, v, httpapi.CreateParams{Idle: NoTimeout})
		require.Zero(t, s.Expires)
		require.Zero(t, s.Idle)
		s = mustCreate(t, v, httpapi.CreateParams{Idle: NoTimeout, Lifetime: time.Minute})
		require.Equal(t, time.Minute, time.Until(s.Expires))
		s, err := v.Extend(owner, s.ID, NoTimeout)
		require.NoError(t, err)
		require.Zero(t, s.Expires)
		time.Sleep(10_000 * time.Hour)
		synctest.Wait()
		require.Len(t, v.List(owner), 2)
	})
}

func TestExtend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := newFake(t, Config{IdleTimeout: NoTimeout, MaxLifetime: time.Hour})
		s := mustCreate(t, v, httpapi.CreateParams{Lifetime: time.Minute})
		for range 3 {
			time.Sleep(59 * time.Second)
			got, err := v.Extend(owner, s.ID, time.Minute)
			require.NoError(t, err)
			require.Equal(t, time.Minute, time.Until(got.Expires))
		}
		for _, d := range []time.Duration{0, -2, NoTimeout, time.Hour + 1} {
			_, err := v.Extend(owner, s.ID, d)
			require.ErrorIs(t, err, apierr.InvalidArgument.Err())
			_, err = v.Extend("foreign", s.ID, d)
			require.ErrorIs(t, err, apierr.SessionNotFound.Err(), "whatever is asked for")
		}
		_, err := v.Extend(owner, s.ID, time.Hour)
		require.NoError(t, err)
		stop := runUntil(t, v, s.ID)
		time.Sleep(time.Hour + 1)
		require.ErrorIs(t, stop(), apierr.SessionNotFound.Err(), "however busy")
		_, err = v.Extend(owner, s.ID, time.Minute)
		require.ErrorIs(t, err, apierr.SessionNotFound.Err())
	})
}

// TestExtendedOrOver races extensions with the end of a session's life and with
// its deletion: whoever is told of an extension has a session.
func TestExtendedOrOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newFake(t, Config{IdleTimeout: NoTimeout})
		for i := range 1000 {
			s := mustCreate(t, v, httpapi.CreateParams{Lifetime: time.Second})
			time.Sleep(time.Second - 1)
			var all sync.WaitGroup
			if i%2 == 0 {
				all.Go(func() { time.Sleep(time.Nanosecond) })
			}
			var err error
			all.Go(func() { time.Sleep(time.Nanosecond); _, err = v.Extend(owner, s.ID, time.Minute) })
			all.Wait()
			synctest.Wait()
			_, findErr := v.Find(owner, s.ID)
			require.Equal(t, apierr.CodeOf(err), apierr.CodeOf(findErr))
			if err == nil {
				require.NoError(t, v.Delete(t.Context(), owner, s.ID))
			}
		}
		require.Zero(t, r.alive())
	})
}

// TestExpiryKills: a session that is over is gone within two seconds, not
// merely hidden.
func TestExpiryKills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newFake(t, Config{IdleTimeout: NoTimeout, MaxLifetime: time.Minute})
		for range 20 {
			mustCreate(t, v, httpapi.CreateParams{})
		}
		time.Sleep(time.Minute + 2*time.Second)
		require.Zero(t, r.alive())
	})
}

func TestLimitsOfASession(t *testing.T) {
	v, r := newFake(t, Config{
		Limits:    Limits{MemoryBytes: 128 << 20, Processes: 50},
		MaxLimits: Limits{MemoryBytes: 256 << 20, MilliCPU: 4000},
	})
	s := mustCreate(t, v, httpapi.CreateParams{})
	want := driver.Limits{
		Processes: 50, OpenFiles: 1024, FileBytes: 512 << 20, DataBytes: 1 << 30, DiskBytes: 512 << 20, DiskInodes: 100_000,
		MemoryBytes: 128 << 20, MilliCPU: 1000,
	}
	require.Equal(t, want, s.Limits)
	require.Equal(t, want, r.all()[0].spec.Limits)

	asked := driver.Limits{MemoryBytes: 256 << 20, MilliCPU: 4000, Processes: 16}
	s = mustCreate(t, v, httpapi.CreateParams{Limits: asked})
	want.MemoryBytes, want.MilliCPU, want.Processes = 256<<20, 4000, 16
	require.Equal(t, want, s.Limits)
	require.Equal(t, want, r.all()[1].spec.Limits)

	most, least := numbers(v.cfg.maxLimits()), numbers(leastLimits)
	for i, name := range limitNames {
		for n, ok := range map[int64]bool{most[i]: true, most[i] + 1: false, least[i]: true, least[i] - 1: false, -1: false} {
			all := numbers(want)
			all[i] = n
			_, err := v.Create(t.Context(), owner, httpapi.CreateParams{Limits: fromNumbers(all)})
			if ok {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, apierr.InvalidArgument.Err(), "%s: %d", name, n)
			}
		}
	}
}

func TestLimitThatCannotBeKept(t *testing.T) {
	v, r := newFake(t, Config{})
	asked := httpapi.CreateParams{Limits: driver.Limits{MemoryBytes: 64 << 20, Processes: 32}}
	r.without = driver.MemoryLimit
	_, err := v.Create(t.Context(), owner, asked)
	require.ErrorIs(t, err, apierr.IsolationUnavailable.Err())
	require.Equal(t, []string{driver.MemoryLimit}, apierr.From(err).Missing)
	require.Eventually(t, func() bool { return r.alive() == 0 }, 10*time.Second, time.Millisecond)
	mustCreate(t, v, httpapi.CreateParams{Limits: driver.Limits{Processes: 32}})
	r.without = driver.ProcessLimit
	_, err = v.Create(t.Context(), owner, asked)
	require.Equal(t, []string{driver.ProcessLimit}, apierr.From(err).Missing)
}

func fromNumbers(n [len(limitNames)]int64) driver.Limits {
	return driver.Limits{
		Processes: int(n[0]), OpenFiles: int(n[1]), FileBytes: n[2], DataBytes: n[3], DiskBytes: n[4], DiskInodes: n[5],
		MemoryBytes: n[6], MilliCPU: int(n[7]),
	}
}

func TestDeletes(t *testing.T) {
	v, r := newFake(t, Config{})
	id := mustCreate(t, v, httpapi.CreateParams{}).ID
	require.ErrorIs(t, v.Delete(t.Context(), "foreign", id), apierr.SessionNotFound.Err())
	var all sync.WaitGroup
	errs := make([]error, 100)
	for i := range errs {
		all.Go(func() {
			errs[i] = v.Delete(t.Context(), owner, id)
			if n := r.alive(); n > 0 && errs[i] == nil {
				errs[i] = errFake // told before it was so
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Equal(t, 1, r.all()[0].destructions(), "one destruction")
	require.NoError(t, v.Delete(t.Context(), owner, id), "what is gone is deleted")
	require.ErrorIs(t, v.Delete(t.Context(), "foreign", id), apierr.SessionNotFound.Err())
	require.ErrorIs(t, v.Delete(t.Context(), owner, "s-0"), apierr.SessionNotFound.Err())
}

// TestOverForAll: once a call was told that its session is over, nobody finds it
// any more.
func TestOverForAll(t *testing.T) {
	v, r := newFake(t, Config{})
	for range 100 {
		s := mustCreate(t, v, httpapi.CreateParams{})
		all := r.all()
		err := v.Do(t.Context(), owner, s.ID, func(context.Context, *httpapi.Workspace) error {
			all[len(all)-1].die()
			return context.Canceled
		})
		require.Empty(t, v.List(owner))
		require.ErrorIs(t, err, apierr.SessionNotFound.Err())
	}
}
