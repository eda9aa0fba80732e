package engine

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/failpoint/failtest"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

func TestRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, r := newFake(t, Config{})
		start := time.Now()
		labels := map[string]string{"a": "b"}
		params := []httpapi.CreateParams{
			{Labels: labels}, {Idle: time.Minute}, {Lifetime: 2 * time.Minute, Idle: NoTimeout}, {Idle: NoTimeout}, {Idle: NoTimeout},
		}
		var ids []string
		for _, p := range params {
			ids = append(ids, mustCreate(t, v, p).ID)
		}
		require.NoError(t, v.Delete(t.Context(), owner, ids[0]))
		time.Sleep(2 * time.Minute)
		r.all()[3].die()
		synctest.Wait()
		require.NoError(t, v.SetLabels(owner, ids[4], labels))

		used := driver.Usage{CPU: time.Second, PeakBytes: 1 << 20}
		at := func(d time.Duration) time.Time { return start.Add(d).Round(0).UTC() }
		base := func(i int) httpapi.Record {
			return httpapi.Record{ID: ids[i], Image: "host", Created: at(0), State: httpapi.StateEnded, Usage: &used}
		}
		deleted, idle, old, died, alive := base(0), base(1), base(2), base(3), base(4)
		deleted.Labels, deleted.Ended, deleted.Reason = labels, at(0), "deleted"
		idle.Ended, idle.Reason = at(time.Minute), "idle"
		old.Ended, old.Reason = at(2*time.Minute), "end of life"
		died.Ended, died.Reason = at(2*time.Minute), "sandbox died"
		alive.State, alive.Labels, alive.Usage = httpapi.StateRunning, labels, nil
		require.Equal(t, []httpapi.Record{alive, died, old, idle, deleted}, v.Records(owner))
		require.Empty(t, v.Records("foreign"))
	})
}

// TestRecordsWithoutAccount: where nobody kept account, none is told.
func TestRecordsWithoutAccount(t *testing.T) {
	for _, code := range []apierr.Code{apierr.Unsupported, apierr.Unavailable} {
		v := newFakeOn(t, Config{StateDir: t.TempDir()}, &fakeRuntime{usage: apierr.Errorf(code, "no account")})
		id := mustCreate(t, v, httpapi.CreateParams{}).ID
		require.NoError(t, v.Delete(t.Context(), owner, id))
		require.Equal(t, httpapi.StateEnded, v.Records(owner)[0].State)
		require.Nil(t, v.Records(owner)[0].Usage)
	}
}

func TestEndedSessionsSayWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _ := newFake(t, Config{IdleTimeout: time.Minute})
		id := mustCreate(t, v, httpapi.CreateParams{}).ID
		time.Sleep(4 * time.Minute)
		_, err := v.Find(owner, id)
		require.ErrorIs(t, err, apierr.SessionNotFound.Err())
		require.Equal(t, "Session "+id+" not found: it ended 3m0s ago: idle", apierr.From(err).Message)
		_, err = v.Find("foreign", id)
		require.Equal(t, "Session "+id+" not found", apierr.From(err).Message)
	})
}

// TestRecordsSurvive: records are those of before, and sessions have ended.
func TestRecordsSurvive(t *testing.T) {
	dir := t.TempDir()
	e, err := New(Config{Runtime: &fakeRuntime{}, Require: []string{}, StateDir: dir})
	require.NoError(t, err)
	v := (*service)(e)
	p := httpapi.CreateParams{Key: "k", Labels: map[string]string{"a": "b"}}
	id := mustCreate(t, v, p).ID
	require.NoError(t, v.Pause(t.Context(), owner, id))
	_, err = New(Config{Runtime: &fakeRuntime{}, StateDir: dir})
	require.ErrorIs(t, err, apierr.FailedPrecondition.Err(), "one engine at a time")
	require.NoError(t, e.Close())

	v, r := newFake(t, Config{StateDir: dir})
	records := v.Records(owner)
	require.Len(t, records, 1)
	require.Equal(t, id, records[0].ID)
	require.Equal(t, p.Labels, records[0].Labels)
	require.Equal(t, httpapi.StateEnded, records[0].State)
	require.Equal(t, "engine closed", records[0].Reason)
	_, err = v.Create(t.Context(), owner, p)
	require.ErrorIs(t, err, apierr.FailedPrecondition.Err(), "a key is not used again")
	require.Equal(t, id, apierr.From(err).SessionID)
	require.Zero(t, r.count())
	require.NoError(t, v.Delete(t.Context(), owner, id))
	require.Empty(t, v.List(owner))
}

// TestDiskFails: without a record there is no session, but sessions can end.
func TestDiskFails(t *testing.T) {
	v, r := newFake(t, Config{StateDir: t.TempDir()})
	id := mustCreate(t, v, httpapi.CreateParams{}).ID
	disarm := failpoint.Arm(failpoint.StoreWritten, func() error { return failtest.ErrInjected })
	defer disarm()
	_, err := v.Create(t.Context(), owner, httpapi.CreateParams{})
	require.Error(t, err)
	require.Equal(t, 1, r.alive())
	require.Error(t, v.SetLabels(owner, id, map[string]string{"a": "b"}))
	s, err := v.Find(owner, id)
	require.NoError(t, err)
	require.Empty(t, s.Labels)
	require.NoError(t, v.Do(t.Context(), owner, id, nothing), "sessions go on")
	require.NoError(t, v.Pause(t.Context(), owner, id))

	require.NoError(t, v.Delete(t.Context(), owner, id))
	require.Zero(t, r.alive())
	require.Equal(t, "deleted", v.Records(owner)[0].Reason, "the end is known")
	require.NoError(t, v.Delete(t.Context(), owner, id))
	_, err = v.Find(owner, id)
	require.ErrorIs(t, err, apierr.SessionNotFound.Err())
	kept, ok := v.store.Get(id)
	require.True(t, ok)
	require.True(t, kept.Live())

	disarm()
	require.NoError(t, v.Delete(t.Context(), owner, mustCreate(t, v, httpapi.CreateParams{}).ID))
	kept, ok = v.store.Get(id)
	require.True(t, ok)
	require.Equal(t, "deleted", kept.Reason, "written when the disk works")
}

// TestLabelsRace: whoever sets labels last is in the record, and a session that
// ends takes no more.
func TestLabelsRace(t *testing.T) {
	v, _ := newFake(t, Config{})
	for range 50 {
		id := mustCreate(t, v, httpapi.CreateParams{}).ID
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() { _ = v.SetLabels(owner, id, map[string]string{"i": string(rune('0' + i))}) }) // may come too late
		}
		all.Wait()
		s, err := v.Find(owner, id)
		require.NoError(t, err)
		require.Equal(t, s.Labels, v.Records(owner)[0].Labels)
		all.Go(func() { _ = v.SetLabels(owner, id, map[string]string{"i": "late"}) }) // may come too late
		require.NoError(t, v.Delete(t.Context(), owner, id))
		all.Wait()
		require.Equal(t, httpapi.StateEnded, v.Records(owner)[0].State)
	}
}
