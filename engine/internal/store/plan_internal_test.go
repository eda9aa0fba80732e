package store

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
)

// TestBatches: what many changes do in one transaction is what they do in one
// each, and the index is sound, whatever they are.
func TestBatches(t *testing.T) {
	r := seeded(t)
	one, many := Memory(Limits{Ended: 12, EndedBytes: 5000}), Memory(Limits{Ended: 12, EndedBytes: 5000})
	for range 400 {
		var batch [2][]*change
		for range 1 + r.IntN(30) {
			id, roll := fmt.Sprint(r.IntN(25)), r.IntN(10)
			rec := Record{ID: id, Tenant: fmt.Sprint(r.IntN(2)), Key: fmt.Sprint(r.IntN(15)), State: State(roll % 4), Image: fmt.Sprintf("%*d", r.IntN(300), 0)}
			for i := range batch {
				c := &change{id: id, edit: func(*Record) (Record, error) { return rec, nil }}
				if roll > 7 {
					c.edit = nil
				}
				batch[i] = append(batch[i], c)
			}
		}
		for _, c := range batch[0] {
			one.commit([]*change{c})
		}
		many.commit(batch[1])
		for i, c := range batch[1] {
			// Room is made once for all: what had to go for one may be found by the next.
			if c.err == nil && batch[0][i].err == nil {
				require.Equal(t, batch[0][i].result.ID, c.result.ID)
			}
		}
		for _, s := range []*Store{one, many} {
			requireSound(t, s)
			require.LessOrEqual(t, s.index.ended, 12)
			require.LessOrEqual(t, s.index.endedBytes, int64(5000))
		}
	}
}

// TestKeyOfAnotherTenant: a record that goes and comes back in one transaction
// as another tenant's has its key there, also when another took it where it was.
func TestKeyOfAnotherTenant(t *testing.T) {
	s := Memory(Limits{})
	put := func(id, tenant, key string) *change {
		return &change{id: id, edit: func(*Record) (Record, error) { return Record{ID: id, Tenant: tenant, Key: key}, nil }}
	}
	s.commit([]*change{put("id", "a", "key")})
	s.commit([]*change{put("heir", "a", "own"), {id: "id"}, put("heir", "a", "key"), put("id", "b", "key")})
	requireSound(t, s)
	require.Equal(t, "heir", s.index.byKey[tenantKey{"a", "key"}].ID)
	require.Equal(t, "id", s.index.byKey[tenantKey{"b", "key"}].ID)
	again := put("other", "b", "key")
	s.commit([]*change{again})
	require.ErrorIs(t, again.err, apierr.AlreadyExists.Err())
}

// TestLimitLive: there is a bound for sessions that live, too, for which those
// that ended do not count.
func TestLimitLive(t *testing.T) {
	s := Memory(Limits{})
	for i := range uint64(MaxLive - 1) {
		s.index.replace(nil, &entry{rev: i + 1, Record: Record{ID: fmt.Sprint(i), Seq: i + 1}})
	}
	s.last = MaxLive
	put := func(id string, state State) error {
		_, err := s.Put(Record{ID: id, State: state})
		return err
	}
	require.NoError(t, put("last", Running))
	require.ErrorIs(t, put("more", Running), apierr.ResourceExhausted.Err())
	require.NoError(t, put("last", Paused))
	require.NoError(t, put("over", Ended))
	require.NoError(t, put("0", Ended))
	require.NoError(t, put("more", Running))
}

// requireSound checks that the parts of an index agree.
func requireSound(t *testing.T, s *Store) {
	t.Helper()
	requireIndex(t, s, slices.SortedFunc(maps.Values(s.index.byID), func(a, b *entry) int { return bySeq(a, b.Seq) }))
	for k, e := range s.index.byKey {
		require.Same(t, s.index.byID[e.ID], e)
		require.Equal(t, k, e.tenantKey())
	}
	for _, e := range s.index.byID {
		require.True(t, e.Key == "" || s.index.byKey[e.tenantKey()] == e, "a key of nobody")
		shelf := s.index.tenants[e.Tenant]
		require.Contains(t, shelf.all, e)
		require.Equal(t, !e.Live(), slices.Contains(shelf.ended, e))
	}
}
