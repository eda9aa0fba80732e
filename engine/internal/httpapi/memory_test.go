package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/wire"
)

// counter is a client that takes an answer and keeps nothing of it.
type counter struct {
	header http.Header
	size   int
}

func (c *counter) Header() http.Header         { return c.header }
func (c *counter) WriteHeader(int)             {}
func (c *counter) Write(p []byte) (int, error) { c.size += len(p); return len(p), nil }

// A session whose commands all write as much as is kept costs the engine a
// bounded amount of memory.
func TestMemoryOfOutput(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	p := newPeer(t)
	id := p.create(t, nil)
	const flood = "head -c 10485760 /dev/zero | tr '\\0' a; head -c 10485760 /dev/zero | tr '\\0' b >&2"
	for output, calls := range map[string]int{"": 4, wire.OutputBytes: 16} {
		args, err := json.Marshal(wire.ShellArgs{Command: flood, Output: output})
		require.NoError(t, err)
		body, err := json.Marshal(wire.CallToolRequest{SessionID: id, Name: wire.Shell.Name, Args: string(args)})
		require.NoError(t, err)

		stop, peak := make(chan struct{}), make(chan uint64)
		held() // pieces that nobody uses go with the second collection
		before := held()
		go func() {
			most := uint64(0)
			for {
				most = max(most, held())
				select {
				case <-stop:
					peak <- most
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		}()
		var group sync.WaitGroup
		var whole atomic.Int64
		for range calls {
			group.Go(func() {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp", strings.NewReader(string(body)))
				r.Header.Set("Authorization", "Bearer "+p.key)
				c := &counter{header: http.Header{}}
				p.handler.ServeHTTP(c, r)
				if c.size > 13<<20 {
					whole.Add(1)
				}
			})
		}
		group.Wait()
		close(stop)
		most := <-peak
		t.Logf("output %q: %d KiB of heap before, %d at most; %d answers of %d are whole", output, before>>10, most>>10, whole.Load(), calls)
		require.Positive(t, whole.Load(), "on a slow machine others may have waited too long")
		require.Less(t, most-min(before, most), uint64(16<<20))
	}
}

// held is the heap, without what is to be collected.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
