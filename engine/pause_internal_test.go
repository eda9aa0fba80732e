package engine

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

func stateOf(t *testing.T, v *service, id string) string {
	t.Helper()
	s, err := v.Find(owner, id)
	require.NoError(t, err)
	return s.State
}

func nothing(context.Context, *httpapi.Workspace) error { return nil }

func TestPause(t *testing.T) {
	v, r := newFake(t, Config{})
	id := mustCreate(t, v, httpapi.CreateParams{}).ID
	for range 3 { // cycles
		for range 2 { // idempotent
			require.NoError(t, v.Pause(t.Context(), owner, id))
			require.True(t, r.all()[0].paused)
			require.Equal(t, httpapi.StatePaused, stateOf(t, v, id))
			require.Equal(t, httpapi.StatePaused, v.Records(owner)[0].State)
		}
		require.ErrorIs(t, v.Do(t.Context(), owner, id, nothing), apierr.FailedPrecondition.Err())
		require.NoError(t, v.KeepAlive(owner, id))
		require.NoError(t, v.SetLabels(owner, id, map[string]string{"a": "b"}))
		_, err := v.Extend(owner, id, time.Minute)
		require.NoError(t, err)
		_, err = v.Usage(t.Context(), owner, id)
		require.NoError(t, err)
		require.Len(t, v.List(owner), 1)
		for range 2 {
			require.NoError(t, v.Resume(t.Context(), owner, id))
			require.False(t, r.all()[0].paused)
			require.Equal(t, httpapi.StateRunning, stateOf(t, v, id))
			require.Equal(t, httpapi.StateRunning, v.Records(owner)[0].State)
		}
		require.NoError(t, v.Do(t.Context(), owner, id, nothing))
	}
	require.Equal(t, 3, r.all()[0].pauses)
	for _, fn := range []func(context.Context, string, string) error{v.Pause, v.Resume} {
		require.ErrorIs(t, fn(t.Context(), "foreign", id), apierr.SessionNotFound.Err())
	}
	require.NoError(t, v.Pause(t.Context(), owner, id))
	require.NoError(t, v.Delete(t.Context(), owner, id), "a paused session can be deleted")
	for _, fn := range []func(context.Context, string, string) error{v.Pause, v.Resume} {
		require.ErrorIs(t, fn(t.Context(), owner, id), apierr.SessionNotFound.Err())
	}
}

func TestBusySessionsAreNotPaused(t *testing.T) {
	v, r := newFake(t, Config{})
	id := mustCreate(t, v, httpapi.CreateParams{}).ID
	stop := runUntil(t, v, id)
	require.ErrorIs(t, v.Pause(t.Context(), owner, id), apierr.FailedPrecondition.Err())
	require.Equal(t, httpapi.StateRunning, stateOf(t, v, id))
	require.ErrorIs(t, stop(), context.Canceled)
	require.NoError(t, v.Pause(t.Context(), owner, id))
	require.Equal(t, 1, r.all()[0].pauses)
}

func TestPauseFails(t *testing.T) {
	v, r := newFake(t, Config{})
	id := mustCreate(t, v, httpapi.CreateParams{}).ID
	r.all()[0].pauseErr = errFake
	require.ErrorIs(t, v.Pause(t.Context(), owner, id), errFake)
	require.Equal(t, httpapi.StateRunning, stateOf(t, v, id))
	require.NoError(t, v.Do(t.Context(), owner, id, nothing), "it is as before")

	r.all()[0].resumeErr = errFake
	require.Error(t, v.Pause(t.Context(), owner, id))
	require.Eventually(t, func() bool { _, err := v.Find(owner, id); return err != nil }, 5*time.Second, time.Millisecond,
		"what is neither paused nor runs is ended")

	id = mustCreate(t, v, httpapi.CreateParams{}).ID
	require.NoError(t, v.Pause(t.Context(), owner, id))
	r.all()[1].resumeErr = errFake
	require.ErrorIs(t, v.Resume(t.Context(), owner, id), errFake)
	require.Equal(t, httpapi.StatePaused, stateOf(t, v, id))
}

func TestClocksOfAPausedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := newFake(t, Config{IdleTimeout: time.Minute, MaxLifetime: time.Hour})
		id := mustCreate(t, v, httpapi.CreateParams{}).ID
		time.Sleep(50 * time.Second)
		require.NoError(t, v.Pause(t.Context(), owner, id))
		time.Sleep(30 * time.Minute)
		s, err := v.Find(owner, id)
		require.NoError(t, err)
		require.Zero(t, s.IdleExpires)
		require.Equal(t, time.Minute, s.Idle)
		require.NoError(t, v.Resume(t.Context(), owner, id))
		s, err = v.Find(owner, id)
		require.NoError(t, err)
		require.Equal(t, 10*time.Second, time.Until(s.IdleExpires))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, endedIdle, v.Records(owner)[0].Reason)

		id = mustCreate(t, v, httpapi.CreateParams{}).ID
		require.NoError(t, v.Pause(t.Context(), owner, id))
		time.Sleep(time.Hour)
		synctest.Wait()
		_, err = v.Find(owner, id)
		require.ErrorIs(t, err, apierr.SessionNotFound.Err())
		require.Equal(t, endedLife, v.Records(owner)[0].Reason)
	})
}

// TestPauseRaces has pauses, resumes, calls, a deletion and the end of a life
// meet.
func TestPauseRaces(t *testing.T) {
	v, r := newFake(t, Config{})
	for i := range 200 {
		life := time.Minute
		if i%2 == 0 {
			life = time.Millisecond
		}
		id := mustCreate(t, v, httpapi.CreateParams{Lifetime: life}).ID
		var all sync.WaitGroup
		errs := make([]error, 12)
		for j, fn := range []func() error{
			func() error { return v.Pause(t.Context(), owner, id) },
			func() error { return v.Resume(t.Context(), owner, id) },
			func() error { return v.Do(t.Context(), owner, id, nothing) },
		} {
			for k := range 4 {
				all.Go(func() { errs[4*j+k] = fn() })
			}
		}
		if i%4 == 1 {
			all.Go(func() { _ = v.Delete(t.Context(), owner, id) }) // below
		}
		all.Wait()
		for _, err := range errs {
			if err != nil {
				require.Contains(t, []apierr.Code{apierr.SessionNotFound, apierr.FailedPrecondition}, apierr.CodeOf(err), err)
			}
		}
		if err := v.Delete(t.Context(), owner, id); i%2 == 1 {
			require.NoError(t, err)
		}
	}
	require.Eventually(t, func() bool { return r.alive() == 0 }, 5*time.Second, time.Millisecond)
}
