//go:build linux && (amd64 || arm64)

package endurance

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

const (
	warmRounds = 100      // after which nothing grows
	maxGrowth  = 10 << 20 // bytes of memory
	wave       = 8
)

func soakFlags() string { return fmt.Sprintf("-soak.n=%d", *soakRounds) }

// TestSoak makes sessions, runs a command in each, and deletes them, one after
// the other: nothing is left, and nothing grows.
func TestSoak(t *testing.T) { soak(t, engine.Config{}) }

// TestSoakPool is the same with sandboxes that are made ahead.
func TestSoakPool(t *testing.T) { soak(t, engine.Config{Pool: map[string]int{"host": 2}}) }

func soak(t *testing.T, cfg engine.Config) {
	t.Helper()
	if !alone(t) {
		return
	}
	cfg.StateDir = filepath.Join(os.TempDir(), "state")
	oneEngine(t, engine.Config{StateDir: cfg.StateDir}, func(c *agb.Client) { round(t, c, 0) }) // what the process then keeps
	before := atRest()
	var took []time.Duration
	warm := min(warmRounds, *soakRounds/2)
	oneEngine(t, cfg, func(c *agb.Client) {
		start, base := time.Now(), int64(0)
		for i := range *soakRounds {
			if i == warm {
				base = memory(t)
			}
			took = append(took, round(t, c, i))
		}
		elapsed, growth := time.Since(start), memory(t)-base
		first, last := took[:warm], took[len(took)-warm:]
		t.Logf("%d rounds in %v; of the first %d the median is %v and p99 %v, of the last %v and %v; memory grew by %d KiB",
			*soakRounds, elapsed, warm, quantile(first, 50), quantile(first, 99), quantile(last, 50), quantile(last, 99), growth>>10)
		if !racing {
			require.LessOrEqual(t, growth, int64(maxGrowth))
		}
	})
	requireAtRest(t, before)
}

// oneEngine has an engine work.
func oneEngine(t *testing.T, cfg engine.Config, work func(*agb.Client), opts ...agb.Option) {
	t.Helper()
	e, err := engine.New(cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, e.Close()) }()
	c, err := agb.New(append(opts, agb.WithTransport(e.Transport()))...)
	require.NoError(t, err)
	work(c)
}

// round is the life of a session.
func round(t *testing.T, c *agb.Client, i int) time.Duration {
	t.Helper()
	start := time.Now()
	s := createOn(t, c, params)
	say(t, s, strconv.Itoa(i))
	_, err := s.Delete(t.Context())
	require.NoError(t, err)
	return time.Since(start)
}

// quantile returns a time that so many of a hundred do not exceed.
func quantile(took []time.Duration, percent int) time.Duration {
	sorted := slices.Sorted(slices.Values(took))
	return sorted[len(sorted)*percent/100]
}

// memory returns the bytes of memory that this process and all below it use.
func memory(t *testing.T) (sum int64) {
	t.Helper()
	debug.FreeOSMemory()
	for _, p := range append(below(t, os.Getpid()), process{pid: os.Getpid()}) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
		if err != nil {
			continue // gone, or a sandbox's
		}
		_, rest, _ := strings.Cut(string(text), "\nPss:")
		if fields := strings.Fields(rest); len(fields) > 0 {
			kilobytes, err := strconv.ParseInt(fields[0], 10, 64)
			require.NoError(t, err)
			sum += kilobytes << 10
		}
	}
	return sum
}

// TestWaves makes sessions together, kills some of their guests while they
// work, and deletes all: nothing is left.
func TestWaves(t *testing.T) {
	if !alone(t) {
		return
	}
	r := rand.New(rand.NewSource(1))
	killed := 0
	oneEngine(t, engine.Config{}, func(c *agb.Client) { round(t, c, 0) })
	before := atRest()
	oneEngine(t, engine.Config{}, func(c *agb.Client) {
		for i := range (*soakRounds + wave - 1) / wave {
			killed += aWave(t, c, r, i)
		}
	})
	t.Logf("%d guests killed", killed)
	require.NotZero(t, killed)
	requireAtRest(t, before)
}

// aWave is one wave. It returns how many guests it killed.
func aWave(t *testing.T, c *agb.Client, r *rand.Rand, i int) (killed int) {
	t.Helper()
	sessions := make([]*agb.Session, wave)
	together(func(j int) {
		created, err := c.Create(t.Context(), nil)
		if err == nil {
			sessions[j] = created.Session
			_, err = created.Session.Command.Run(t.Context(), mark(fmt.Sprintf("%d-%d", i, j)), nil)
		}
		if err != nil {
			t.Error(err)
		}
	})
	require.NotContains(t, sessions, (*agb.Session)(nil))
	var busy sync.WaitGroup
	for _, s := range sessions {
		busy.Go(func() { _, _ = s.Command.Run(t.Context(), "sleep 0.05", nil) }) // it may be killed
	}
	for j := range sessions {
		if r.Intn(3) == 0 {
			require.NoError(t, unix.Kill(markedGuest(t, fmt.Sprintf("%d-%d", i, j)).pid, unix.SIGKILL))
			killed++
		}
	}
	together(func(j int) {
		if _, err := sessions[j].Delete(t.Context()); err != nil {
			t.Error(err)
		}
	})
	busy.Wait()
	return killed
}

// together does something for each session of a wave, at the same time.
func together(do func(int)) {
	var all sync.WaitGroup
	for j := range wave {
		all.Go(func() { do(j) })
	}
	all.Wait()
}

// markedGuest returns the guest of the session of ours that runs a mark, which
// takes a moment to be there.
func markedGuest(t *testing.T, name string) process {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(tick) {
		if guest, ok := guestOf(t, os.Getpid(), name); ok {
			return guest
		}
	}
	require.Fail(t, "there is no mark", name)
	return process{}
}
