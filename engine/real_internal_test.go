package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/internal/guest"
)

// newReal returns an engine on the default runtime that is closed with the
// test.
func newReal(tb testing.TB, cfg Config) *service {
	tb.Helper()
	skipUnavailable(tb)
	e, err := New(cfg)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, e.Close()) })
	return (*service)(e)
}

// output runs a script in a session and returns what it prints.
func output(tb testing.TB, v *service, id, script string) string {
	tb.Helper()
	var out bytes.Buffer
	require.NoError(tb, v.Do(tb.Context(), owner, id, func(ctx context.Context, ws *httpapi.Workspace) error {
		_, err := ws.Guest.Run(ctx, guest.Command{
			Args: []string{"/bin/sh", "-c", script}, Stdout: &out, Stderr: &out, Timeout: patience,
		})
		return err
	}))
	return out.String()
}

// watchGaps has a session note, in a file, whenever it did not run for 200 ms
// from now on.
const watchGaps = `(b=$(date +%s%N); : > gaps; while :; do
	a=$(date +%s%N); [ $((a-b)) -ge 200000000 ] && echo >> gaps; b=$a
done) >/dev/null 2>&1 & until [ -e gaps ]; do sleep 0.01; done`

// TestPauseStopsProcesses: what runs in the background of a session that is
// paused does nothing, and goes on when it is resumed, again and again.
func TestPauseStopsProcesses(t *testing.T) {
	v := newReal(t, Config{})
	id := mustCreate(t, v, httpapi.CreateParams{}).ID
	output(t, v, id, watchGaps)
	for range 3 {
		gaps := output(t, v, id, "cat gaps")
		require.NoError(t, v.Pause(t.Context(), owner, id))
		var before time.Duration
		require.Never(t, func() bool {
			used, err := v.Usage(t.Context(), owner, id)
			if apierr.CodeOf(err) == apierr.Unsupported {
				return false // the gap has to tell
			}
			if before == 0 {
				before = used.CPU
			}
			return err != nil || used.CPU-before > 10*time.Millisecond
		}, 300*time.Millisecond, 20*time.Millisecond)
		require.NoError(t, v.Resume(t.Context(), owner, id))
		require.Eventually(t, func() bool { return output(t, v, id, "cat gaps") != gaps }, patience, 10*time.Millisecond)
	}
	require.NoError(t, v.Pause(t.Context(), owner, id))
	start := time.Now()
	require.NoError(t, v.Delete(t.Context(), owner, id))
	require.Less(t, time.Since(start), time.Second)
}

// TestRealExpiry: nothing of a session survives the end of its life by more than
// two seconds, whatever it does about it.
func TestRealExpiry(t *testing.T) {
	v := newReal(t, Config{})
	const life, mark = time.Second, "agb-expiry"
	ends := time.Now().Add(life)
	id := mustCreate(t, v, httpapi.CreateParams{Lifetime: life}).ID
	output(t, v, id, `for i in 1 2 3; do
		(setsid sh -c 'trap "" HUP INT TERM; while :; do sleep 1; done' `+mark+` >/dev/null 2>&1 &)
	done`)
	ours := func() []process {
		return slices.DeleteFunc(descendants(t, os.Getpid()), func(p process) bool {
			arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
			return err != nil || !bytes.HasSuffix(arguments, []byte(mark+"\x00"))
		})
	}
	require.Eventually(t, func() bool { return len(ours()) == 3 }, patience, tick)
	require.True(t, time.Now().Before(ends))
	require.Eventually(t, func() bool { return len(ours()) == 0 }, time.Until(ends)+2*time.Second, tick)
}

// TestRealPool runs a pool on the real runtime: it leaves nothing.
func TestRealPool(t *testing.T) {
	skipUnavailable(t)
	defer requireNoLeak(t)()
	for range 2 {
		e, err := New(Config{Pool: map[string]int{"host": 3}})
		require.NoError(t, err)
		v := (*service)(e)
		require.Eventually(t, func() bool { return pooled(v) == 3 }, patience, tick)
		for i := range 5 {
			s := mustCreate(t, v, httpapi.CreateParams{})
			require.Empty(t, output(t, v, s.ID, "ls -A"), "nobody has been here")
			if i%2 == 0 {
				require.NoError(t, v.Delete(t.Context(), owner, s.ID))
			}
		}
		require.NoError(t, e.Close())
	}
}

// TestRealBurst makes many sessions at once: each gets its turn.
func TestRealBurst(t *testing.T) {
	v := newReal(t, Config{})
	var all sync.WaitGroup
	errs := make([]error, 100)
	for i := range errs {
		all.Go(func() { _, errs[i] = v.Create(t.Context(), owner, httpapi.CreateParams{}) })
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.Len(t, v.List(owner), len(errs))
}

// BenchmarkFirstCommand compares what a session takes from its creation to the
// end of its first command, made for it and from the pool, in turns.
func BenchmarkFirstCommand(b *testing.B) {
	const rounds = 20
	cold := newReal(b, Config{})
	warm := newReal(b, Config{Pool: map[string]int{"host": rounds}})
	times := map[*service][]time.Duration{}
	once := func(v *service) {
		start := time.Now()
		s, err := v.Create(b.Context(), owner, httpapi.CreateParams{})
		require.NoError(b, err)
		require.Equal(b, "x\n", output(b, v, s.ID, "echo x"))
		times[v] = append(times[v], time.Since(start))
		require.NoError(b, v.Delete(b.Context(), owner, s.ID))
	}
	once(cold)
	clear(times)
	for b.Loop() {
		require.Eventually(b, func() bool { return pooled(warm) == rounds }, time.Minute, 10*time.Millisecond)
		for range rounds {
			once(cold)
		}
		for range rounds {
			once(warm)
		}
	}
	for v, name := range map[*service]string{cold: "cold", warm: "pool"} {
		slices.Sort(times[v])
		b.ReportMetric(float64(times[v][len(times[v])/2].Microseconds()), name+"-p50-µs")
		b.ReportMetric(float64(times[v][len(times[v])*9/10].Microseconds()), name+"-p90-µs")
	}
	b.ReportMetric(float64(times[warm][len(times[warm])/2])/float64(times[cold][len(times[cold])/2]), "pool/cold")
	b.ReportMetric(0, "ns/op")
}
