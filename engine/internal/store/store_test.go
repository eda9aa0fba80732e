package store_test

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/store"
)

// both yields a store in memory and then one in a directory.
func both(t *testing.T, l store.Limits) iter.Seq[*store.Store] {
	t.Helper()
	inFile, report, err := store.Open(t.TempDir()+"/state", store.Options{Limits: l})
	require.NoError(t, err)
	require.Equal(t, &store.Report{}, report)
	return func(yield func(*store.Store) bool) {
		for i, s := range []*store.Store{store.Memory(l), inFile} {
			t.Log([]string{"in memory", "in a file"}[i])
			yield(s)
			require.NoError(t, s.Close())
		}
	}
}

// full returns a record with every field set.
func full(id string) store.Record {
	return store.Record{
		ID: id, Tenant: "t", Image: "host", Labels: map[string]string{"env": "dev", `"\<&>`: "é\u2028"},
		Key: "key of " + id, KeyParams: [32]byte{1, 31: 9}, State: store.Ended, Reason: "deleted",
		Created: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Ended: time.Date(2026, 1, 2, 4, 4, 5, 6, time.UTC),
		Lifetime: time.Hour, Idle: time.Minute, Usage: &store.Usage{CPU: time.Second, PeakBytes: 1 << 40, OOMKills: 3},
	}
}

func put(t *testing.T, s *store.Store, r store.Record) store.Record {
	t.Helper()
	kept, err := s.Put(r)
	require.NoError(t, err)
	return kept
}

func ids(s *store.Store, tenant string, before uint64) (ids []string) {
	for r := range s.All(tenant, before) {
		ids = append(ids, r.ID)
	}
	return ids
}

func TestPut(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		want := full("a")
		got := put(t, s, want)
		require.NotZero(t, got.Seq)
		want.Seq = got.Seq
		require.Equal(t, want, got)
		kept, ok := s.Get("a")
		require.True(t, ok)
		require.Equal(t, want, kept)
		_, ok = s.Get("b")
		require.False(t, ok)

		// What the caller does with its map afterwards is its own business.
		want.Labels["env"] = "other"
		kept, _ = s.Get("a")
		require.Equal(t, "dev", kept.Labels["env"])
	}
}

// TestTimes: times are set where they are missing, and come back without the
// machine's own clock and zone.
func TestTimes(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		before := time.Now().Round(0)
		r := put(t, s, store.Record{ID: "a"})
		require.WithinRange(t, r.Created, before, time.Now())
		require.Zero(t, r.Ended)
		require.Equal(t, time.UTC, r.Created.Location())
		created := r.Created
		r.State = store.Ended
		r = put(t, s, r)
		require.Equal(t, created, r.Created)
		require.WithinRange(t, r.Ended, before, time.Now())
		local := time.Now().In(time.FixedZone("x", 3600))
		require.Equal(t, local.UTC().Round(0), put(t, s, store.Record{ID: "b", Created: local}).Created)
	}
}

func TestUpdate(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		made := put(t, s, store.Record{ID: "a", Tenant: "t", Labels: map[string]string{"a": "b"}})
		r, err := s.Update("a", func(r *store.Record) error {
			require.Equal(t, made, *r)
			r.ID, r.Seq, r.State = "other", 7, store.Running
			return nil
		})
		require.NoError(t, err)
		made.State = store.Running
		require.Equal(t, made, r)

		_, err = s.Update("b", func(*store.Record) error { t.Error("called"); return nil })
		require.ErrorIs(t, err, apierr.NotFound.Err())
		mine := fmt.Errorf("mine")
		_, err = s.Update("a", func(r *store.Record) error { r.State = store.Ended; return mine })
		require.Equal(t, mine, err)
		kept, _ := s.Get("a")
		require.Equal(t, made, kept)
	}
}

// TestUpdateTogether: no update is lost, and each caller gets its own outcome.
func TestUpdateTogether(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		put(t, s, store.Record{ID: "a"})
		var wg sync.WaitGroup
		for i := range 300 {
			wg.Go(func() {
				r, err := s.Update("a", func(r *store.Record) error { r.Idle++; return nil })
				if err != nil || r.Idle == 0 {
					t.Error(r, err)
				}
				if _, err := s.Put(store.Record{ID: fmt.Sprint("n", i)}); err != nil {
					t.Error(err)
				}
				if _, err := s.Put(store.Record{}); err == nil {
					t.Error("a record without an id was taken")
				}
			})
		}
		wg.Wait()
		r, _ := s.Get("a")
		require.EqualValues(t, 300, r.Idle)
		live, ended := s.Count()
		require.Equal(t, []int{301, 0}, []int{live, ended})
	}
}

func TestRules(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		put(t, s, store.Record{ID: "live", Tenant: "t"})
		put(t, s, store.Record{ID: "over", Tenant: "t", State: store.Ended})
		for _, row := range []struct {
			name string
			r    store.Record
			code apierr.Code
		}{
			{"no id", store.Record{}, apierr.InvalidArgument},
			{"no such state", store.Record{ID: "x", State: store.Ended + 1}, apierr.InvalidArgument},
			{"other tenant", store.Record{ID: "live", Tenant: "u"}, apierr.InvalidArgument},
			{"bytes", store.Record{ID: "x", Reason: "\xff"}, apierr.InvalidArgument},
			{"bytes in a label", store.Record{ID: "x", Labels: map[string]string{"a": "\xff"}}, apierr.InvalidArgument},
			{"no year", store.Record{ID: "x", Created: time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)}, apierr.InvalidArgument},
			{"again alive", store.Record{ID: "over", Tenant: "t", State: store.Running}, apierr.FailedPrecondition},
		} {
			_, err := s.Put(row.r)
			require.ErrorIs(t, err, row.code.Err(), row.name)
		}
		require.Equal(t, []string{"over", "live"}, ids(s, "t", 0))
		require.Empty(t, ids(s, "", 0))
	}
}

func TestRecordSize(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		// As large as a limit elsewhere lets labels be, every byte escaped.
		labels := map[string]string{}
		for i := range 64 {
			labels[fmt.Sprintf("%02d%s", i, strings.Repeat(`"`, 61))] = strings.Repeat(`\`, 256)
		}
		big := put(t, s, store.Record{ID: "a", Labels: labels})
		require.Equal(t, labels, big.Labels)

		room := func(n int) error {
			_, err := s.Put(store.Record{ID: "b", Created: time.Unix(1, 0), Image: strings.Repeat("x", n)})
			return err
		}
		n := 1
		for step := store.MaxRecordBytes; step > 0; step /= 2 {
			for room(n+step) == nil {
				n += step
			}
		}
		require.Greater(t, n, store.MaxRecordBytes*99/100)
		require.NoError(t, room(n))
		require.ErrorIs(t, room(n+1), apierr.InvalidArgument.Err())
	}
}

func TestDelete(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		first := put(t, s, full("a"))
		put(t, s, store.Record{ID: "b", Tenant: "t"})
		require.NoError(t, s.Delete("a"))
		require.NoError(t, s.Delete("a"))
		require.NoError(t, s.Delete("never"))
		_, ok := s.Get("a")
		require.False(t, ok)
		_, ok = s.ByKey("t", "key of a")
		require.False(t, ok)
		require.Equal(t, []string{"b"}, ids(s, "t", 0))
		again := put(t, s, full("a"))
		require.Greater(t, again.Seq, first.Seq)
		require.Equal(t, []string{"a", "b"}, ids(s, "t", 0))
	}
}

func TestAll(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		var want []string
		var seqs []uint64
		for i := range 600 {
			r := put(t, s, store.Record{ID: fmt.Sprint(i), Tenant: "t"})
			want = append(want, r.ID)
			seqs = append(seqs, r.Seq)
			put(t, s, store.Record{ID: fmt.Sprint("u", i), Tenant: "u"})
		}
		require.True(t, slices.IsSorted(seqs))
		slices.Reverse(want)
		require.Equal(t, want, ids(s, "t", 0))
		require.Equal(t, want[600-300:], ids(s, "t", seqs[300]))
		require.Empty(t, ids(s, "t", seqs[0]))
		require.Empty(t, ids(s, "nobody", 0))

		// The one who reads may write, and stop.
		var got []string
		for r := range s.All("t", 0) {
			got = append(got, r.ID)
			require.NoError(t, s.Delete(r.ID))
			put(t, s, store.Record{ID: "later" + r.ID, Tenant: "t"})
			if len(got) == 500 {
				break
			}
		}
		require.Equal(t, want[:500], got)
		require.Len(t, ids(s, "t", 0), 600)
	}
}

// TestKey: a key is one record's for as long as it stands.
func TestKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := store.Memory(store.Limits{})
		a := put(t, s, store.Record{ID: "a", Tenant: "t", Key: "k", KeyParams: [32]byte{1}})
		put(t, s, store.Record{ID: "b", Tenant: "other", Key: "k"})

		time.Sleep(24*time.Hour - time.Nanosecond)
		got, ok := s.ByKey("t", "k")
		require.True(t, ok)
		require.Equal(t, a, got)
		held, err := s.Put(store.Record{ID: "c", Tenant: "t", Key: "k"})
		require.ErrorIs(t, err, apierr.AlreadyExists.Err())
		require.Equal(t, a, held)
		_, ok = s.Get("c")
		require.False(t, ok)

		time.Sleep(time.Nanosecond)
		_, ok = s.ByKey("t", "k")
		require.False(t, ok)
		c := put(t, s, store.Record{ID: "c", Tenant: "t", Key: "k"})
		// The record that had it before can still be written, and go.
		put(t, s, a)
		require.NoError(t, s.Delete("a"))
		got, ok = s.ByKey("t", "k")
		require.True(t, ok)
		require.Equal(t, c, got)
	})
}

// TestKeyGivenUp: a record that gives its key up makes room for another, also
// within one transaction, which many writers share.
func TestKeyGivenUp(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		a := put(t, s, store.Record{ID: "a", Key: "k"})
		a.Key = ""
		put(t, s, a)
		_, ok := s.ByKey("", "k")
		require.False(t, ok)
		b := put(t, s, store.Record{ID: "b", Key: "k"})
		b.State = store.Running
		put(t, s, b)
		got, _ := s.ByKey("", "k")
		require.Equal(t, b, got)

		var wg sync.WaitGroup
		var mu sync.Mutex
		winners := map[string]int{}
		for i := range 200 {
			wg.Go(func() {
				key := fmt.Sprint("key", i%10)
				r, err := s.Put(store.Record{ID: fmt.Sprint("w", i), Key: key})
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					winners[key]++
				}
				if r.Key != key {
					t.Errorf("neither made nor told: %v, %v", r, err)
				}
			})
		}
		wg.Wait()
		require.Len(t, winners, 10)
		require.Equal(t, []int{1}, slices.Compact(slices.Collect(maps.Values(winners))))
	}
}

// TestUpdatePanics: a caller that panics has its panic, the others their answer.
func TestUpdatePanics(t *testing.T) {
	s := store.Memory(store.Limits{})
	put(t, s, store.Record{ID: "a"})
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			defer func() { _ = recover() }()
			_, _ = s.Update("a", func(*store.Record) error { panic("mine") })
		})
		wg.Go(func() {
			_, err := s.Update("a", func(r *store.Record) error { r.Idle++; return nil })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.PanicsWithValue(t, "mine", func() { _, _ = s.Update("a", func(*store.Record) error { panic("mine") }) })
	r, _ := s.Get("a")
	require.EqualValues(t, 100, r.Idle)
}

func TestClosed(t *testing.T) {
	for s := range both(t, store.Limits{}) {
		put(t, s, store.Record{ID: "a"})
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		_, err := s.Put(store.Record{ID: "b"})
		require.ErrorIs(t, err, apierr.Unavailable.Err())
		require.ErrorIs(t, s.Delete("a"), apierr.Unavailable.Err())
		_, ok := s.Get("a")
		require.True(t, ok)
		require.Equal(t, []string{"a"}, ids(s, "", 0))
	}
}
