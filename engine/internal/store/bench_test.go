package store_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/internal/store"
)

// typical returns a record such as an engine makes.
func typical(i int, state store.State) store.Record {
	return store.Record{
		ID: fmt.Sprintf("s-%032d", i), Tenant: "owner", Image: "agb-code-space-1", State: state, Reason: "deleted",
		Labels: map[string]string{"team": "research", "env": "dev", "run": fmt.Sprint(i % 100)},
		Key:    fmt.Sprintf("key-%032d", i), KeyParams: [32]byte{1}, Created: time.Now(), Ended: time.Now(),
		Lifetime: time.Hour, Idle: time.Minute, Usage: &store.Usage{CPU: time.Second, PeakBytes: 1 << 27},
	}
}

// fill puts n records that ended, many at once.
func fill(tb testing.TB, s *store.Store, n int) {
	tb.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if _, err := s.Put(typical(int(i), store.Ended)); err != nil {
					tb.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkPut tells how long a write takes that is on disk when it returns, of
// one caller and of a hundred at once.
func BenchmarkPut(b *testing.B) {
	for _, callers := range []int{1, 100} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s, _, err := store.Open(filepath.Join(b.TempDir(), "s"), store.Options{})
			require.NoError(b, err)
			var next atomic.Int64
			var mu sync.Mutex
			var took []time.Duration
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					var mine []time.Duration
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						start := time.Now()
						if _, err := s.Put(typical(int(i), store.Ended)); err != nil {
							b.Error(err)
						}
						mine = append(mine, time.Since(start))
					}
					mu.Lock()
					defer mu.Unlock()
					took = append(took, mine...)
				})
			}
			wg.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			require.NoError(b, s.Close())
		})
	}
}

func BenchmarkPutMemory(b *testing.B) {
	s := store.Memory(store.Limits{})
	for i := range b.N {
		if _, err := s.Put(typical(i, store.Ended)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen tells how long it takes to open ten thousand records, and
// BenchmarkPage a page of a hundred from the middle of them.
func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "s")
	s, _, err := store.Open(dir, store.Options{})
	require.NoError(b, err)
	fill(b, s, 10_000)
	require.NoError(b, s.Close())
	for b.Loop() {
		s, _, err := store.Open(dir, store.Options{})
		require.NoError(b, err)
		_, ended := s.Count()
		require.Equal(b, 10_000, ended)
		require.NoError(b, s.Close())
	}
}

func BenchmarkPage(b *testing.B) {
	s := store.Memory(store.Limits{})
	fill(b, s, 10_000)
	var seqs []uint64
	for r := range s.All("owner", 0) {
		seqs = append(seqs, r.Seq)
	}
	for b.Loop() {
		n := 0
		for range s.All("owner", seqs[5000]) {
			if n++; n == 100 {
				break
			}
		}
	}
}

// TestTenThousand: so many records are opened and listed in no time. The bounds
// are far above what it takes.
func TestTenThousand(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	dir := filepath.Join(t.TempDir(), "s")
	s, _ := open(t, dir, store.Options{})
	fill(t, s, 10_000)
	require.NoError(t, s.Close())
	start := time.Now()
	s, _ = open(t, dir, store.Options{})
	require.Less(t, time.Since(start), 20*time.Second)
	start = time.Now()
	require.Len(t, ids(s, "owner", 0), 10_000)
	require.Less(t, time.Since(start), 10*time.Second)
}
