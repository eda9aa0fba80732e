//go:build linux && (amd64 || arm64)

package endurance

import (
	"cmp"
	"context"
	"maps"
	"math/rand"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/transport/faultproxy"
)

const workers = 8

// enough is how often something has to be tried until it is strange that it
// never succeeds, with all that goes on.
const enough = 30

// TestAccounting has clients work with a service that keeps failing, and then
// requires that all they were told fits together.
func TestAccounting(t *testing.T) {
	seed := cmp.Or(*accountingSeed, time.Now().UnixNano())
	t.Logf("-accounting.seed=%d -accounting.time=%v", seed, *accountingTime)
	s := newService(t, serveConfig{StateDir: filepath.Join(t.TempDir(), "state"), Pool: map[string]int{"host": 2}})
	proxy, err := faultproxy.Listen(s.addr)
	require.NoError(t, err)
	defer func() { require.NoError(t, proxy.Close()) }()
	c := newCrew(client(t, proxy.Addr()))
	n := &nemesis{tb: t, crew: c, service: s, proxy: proxy, rand: rand.New(rand.NewSource(seed)), did: map[string]int{}}

	ctx, cancel := context.WithTimeout(t.Context(), *accountingTime)
	defer cancel()
	var working sync.WaitGroup
	for i := range workers {
		working.Go(func() { c.work(ctx, rand.New(rand.NewSource(seed+int64(i)+1))) })
	}
	n.haunt(ctx)
	working.Wait()
	c.client = client(t, s.addr) // past the proxy, which may still cut
	require.NoError(t, c.settleAccounts(t.Context()))
	s.end(unix.SIGTERM)

	t.Logf("%d sessions, evils: %v", len(c.ever), n.did)
	counts := c.history.counts()
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%6d × %s", counts[what], what)
	}
	for _, v := range check(c.history) {
		t.Errorf("%s\n%s", v, c.history.about(v.Session))
	}
	require.NotEmpty(t, n.did)
	for _, a := range []action{create, get, list, run, audit, write, read, extend, pause, resume, remove} {
		tried := 0
		for what, n := range counts {
			if strings.HasPrefix(what, string(a)+" ") {
				tried += n
			}
		}
		require.Positive(t, tried, "no %s was tried", a)
		if tried >= enough {
			require.NotZero(t, counts[string(a)+" "+done.String()], "no %s succeeded", a)
		}
	}
}
