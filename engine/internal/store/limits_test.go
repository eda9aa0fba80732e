package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/internal/store"
)

// end makes a record of a session that ended.
func end(t *testing.T, s *store.Store, tenant, id string) {
	t.Helper()
	put(t, s, store.Record{ID: id, Tenant: tenant})
	put(t, s, store.Record{ID: id, Tenant: tenant, Key: "key of " + id, State: store.Ended})
}

func TestLimitEnded(t *testing.T) {
	for s := range both(t, store.Limits{Ended: 3}) {
		put(t, s, store.Record{ID: "live", Tenant: "t"})
		put(t, s, store.Record{ID: "ends last", Tenant: "t"})
		for _, id := range []string{"a", "b", "c"} {
			end(t, s, "t", id)
		}
		require.Equal(t, []string{"c", "b", "a", "ends last", "live"}, ids(s, "t", 0))
		put(t, s, store.Record{ID: "ends last", Tenant: "t", State: store.Ended})
		require.Equal(t, []string{"c", "b", "ends last", "live"}, ids(s, "t", 0), "the first to end goes, not the first made")
		_, ok := s.ByKey("t", "key of a")
		require.False(t, ok)
		put(t, s, store.Record{ID: "b", Tenant: "t", State: store.Ended, Reason: "again"})
		end(t, s, "t", "d")
		require.Equal(t, []string{"d", "c", "ends last", "live"}, ids(s, "t", 0), "a record does not end anew when it is written")
		live, ended := s.Count()
		require.Equal(t, []int{1, 3}, []int{live, ended})
	}
}

// TestLimitBytes: records go for their size too.
func TestLimitBytes(t *testing.T) {
	text := strings.Repeat("x", 10_000)
	for s := range both(t, store.Limits{EndedBytes: 35_000}) {
		for i := range 5 {
			put(t, s, store.Record{ID: fmt.Sprint(i), Reason: text, State: store.Ended})
		}
		require.Equal(t, []string{"4", "3", "2"}, ids(s, "", 0))
		for i := range 20 {
			put(t, s, store.Record{ID: fmt.Sprint("small", i), State: store.Ended})
		}
		require.Len(t, ids(s, "", 0), 23)
		put(t, s, store.Record{ID: "grows", State: store.Ended})
		put(t, s, store.Record{ID: "grows", State: store.Ended, Reason: text + text})
		require.NotContains(t, ids(s, "", 0), "3")
		require.Contains(t, ids(s, "", 0), "4")
	}
}

// TestLimitFair: who ends many sessions loses their own records.
func TestLimitFair(t *testing.T) {
	for s := range both(t, store.Limits{Ended: 10}) {
		for i := range 4 {
			end(t, s, "quiet", fmt.Sprint("q", i))
		}
		for i := range 30 {
			end(t, s, "busy", fmt.Sprint("b", i))
		}
		require.Equal(t, []string{"q3", "q2", "q1", "q0"}, ids(s, "quiet", 0))
		require.Equal(t, []string{"b29", "b28", "b27", "b26", "b25", "b24"}, ids(s, "busy", 0))
		for i := range 30 {
			end(t, s, "quiet", fmt.Sprint("r", i))
		}
		require.Len(t, ids(s, "quiet", 0), 5)
		require.Len(t, ids(s, "busy", 0), 5)
	}
}

// TestLimitTogether: one transaction may bring more than there may be.
func TestLimitTogether(t *testing.T) {
	for s := range both(t, store.Limits{Ended: 5}) {
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				id := fmt.Sprint(i)
				_, err := s.Put(store.Record{ID: id, Tenant: fmt.Sprint(i % 3), State: store.Ended})
				if err == nil && i%7 == 0 {
					err = s.Delete(id)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		_, ended := s.Count()
		require.LessOrEqual(t, ended, 5)
		end(t, s, "0", "last")
		require.Equal(t, "last", ids(s, "0", 0)[0])
	}
}
