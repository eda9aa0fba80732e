package drivertest

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counts are what an owner has. Where the system does not tell, it is 0.
type counts struct{ descriptors, children, goroutines int }

func countNow() counts {
	c := counts{goroutines: runtime.NumGoroutine()}
	if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
		c.descriptors = len(entries)
	}
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		return c
	}
	for _, list := range lists {
		if pids, err := os.ReadFile(list); err == nil {
			c.children += len(strings.Fields(string(pids)))
		}
	}
	return c
}

// requireCounts requires that the owner soon has no more than before.
func requireCounts(t *testing.T, before counts) {
	t.Helper()
	if !assert.Eventually(t, func() bool {
		now := countNow()
		// One goroutine is the one that asks.
		return now.descriptors <= before.descriptors && now.children <= before.children &&
			now.goroutines-1 <= before.goroutines
	}, Timeout, 10*time.Millisecond) {
		require.Equal(t, before, countNow())
	}
}

// leaks does everything some times over and counts.
func (s *suite) leaks() {
	t := s.t
	Create(t, s.runtime(), Spec) // what the process keeps for good is there now
	before := countNow()
	for range 3 {
		r := s.newRuntime(t)
		for range 5 {
			b, err := tryCreate(t.Context(), r, Spec)
			require.NoError(t, err)
			b.Run(t, "sleep 1000 >/dev/null 2>&1 & exit 3")
			b.Destroy(t)
		}
		for range 3 {
			_, err := tryCreate(t.Context(), r, Spec)
			require.NoError(t, err)
		}
		require.NoError(t, r.Close())
	}
	requireCounts(t, before)
}
