package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
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

		sizes, grown := p.atOnce(t, body, calls)
		whole := 0
		for _, size := range sizes {
			if size > 13<<20 {
				whole++
			}
		}
		t.Logf("output %q: %d KiB more heap; %d answers of %d are whole", output, grown>>10, whole, calls)
		require.Positive(t, whole, "on a slow machine others may have waited too long")
		require.Less(t, grown, uint64(16<<20))
	}
}

// atOnce makes so many calls, and returns the sizes of their answers and by how
// much the heap grew meanwhile.
func (p peer) atOnce(t *testing.T, body []byte, calls int) (sizes []int, grown uint64) {
	t.Helper()
	stop, peak := make(chan struct{}), make(chan uint64)
	held() // pieces that nobody uses go with the second collection
	before := held()
	go func() {
		most := before
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
	sizes = make([]int, calls)
	var group sync.WaitGroup
	for i := range calls {
		group.Go(func() {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp", strings.NewReader(string(body)))
			r.Header.Set("Authorization", "Bearer "+p.key)
			c := &counter{header: http.Header{}}
			p.handler.ServeHTTP(c, r)
			sizes[i] = c.size
		})
	}
	group.Wait()
	close(stop)
	return sizes, <-peak - before
}

// Nor do listings, however many files there are, and whatever their names.
func TestMemoryOfListings(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	p := newPeer(t)
	id := p.create(t, nil)
	shell(t, p, id, wire.ShellArgs{Command: "mkdir d; cd d; seq -f %010.0f 19239 | xargs touch"})
	args := wire.PathArgs{Path: "d"}
	require.Len(t, get(t, p, id, wire.ListDirectory, args).Entries, 19239)
	text, err := json.Marshal(args)
	require.NoError(t, err)
	body, err := json.Marshal(wire.CallToolRequest{SessionID: id, Name: wire.ListDirectory.Name, Args: string(text)})
	require.NoError(t, err)
	sizes, grown := p.atOnce(t, body, 8)
	t.Logf("%d KiB more heap; %d", grown>>10, sizes)
	require.Less(t, grown, uint64(16<<20))

	shell(t, p, id, wire.ShellArgs{Command: "cd d; touch 0000019240"})
	require.Contains(t, refuse(t, p, id, wire.ListDirectory, args).Text(), "too large")
	shell(t, p, id, wire.ShellArgs{Command: `cd d; python3 -c "
for i in range(60000): open('%05d' % i + '\\1' * 250, 'w')"`, TimeoutMS: 60000})
	_, grown = p.atOnce(t, body, 8)
	t.Logf("%d KiB more heap", grown>>10)
	require.Less(t, grown, uint64(16<<20))
}

// held is the heap, without what is to be collected.
func held() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Large results of code are in memory once, up to what a session may keep.
func TestMemoryOfResults(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	p := newPeer(t)
	id := p.create(t, nil)
	args, err := json.Marshal(wire.RunCodeArgs{Language: "python", Code: "for i in range(13): display('\"' * 10 + 'y' * 900000)"})
	require.NoError(t, err)
	body, err := json.Marshal(wire.CallToolRequest{SessionID: id, Name: wire.RunCode.Name, Args: string(args)})
	require.NoError(t, err)
	p.atOnce(t, body, 1) // starts the interpreter
	sizes, grown := p.atOnce(t, body, 2)
	t.Logf("%d KiB more heap; %d", grown>>10, sizes)
	require.Greater(t, sizes[0], 11<<20)
	require.Less(t, grown, uint64(24<<20))
}
