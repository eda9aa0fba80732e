//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/linuxns"
	"github.com/agb-go/sdk/internal/guest"
)

func newBenchRuntime(b *testing.B) driver.Runtime {
	b.Helper()
	r, err := linuxns.New(linuxns.Config{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, r.Close()) })
	return r
}

func benchRuntime(b *testing.B) driver.Runtime {
	b.Helper()
	r := newBenchRuntime(b)
	drivertest.Create(b, r, drivertest.Spec).Destroy(b) // starts the launcher
	return r
}

// durations collects times and reports percentiles in milliseconds.
type durations struct {
	mu   sync.Mutex
	list []time.Duration
}

func (d *durations) add(start time.Time) {
	took := time.Since(start)
	d.mu.Lock()
	d.list = append(d.list, took)
	d.mu.Unlock()
}

func (d *durations) report(b *testing.B, name string) {
	b.Helper()
	slices.Sort(d.list)
	ms := func(p int) float64 { return float64(d.list[len(d.list)*p/100].Microseconds()) / 1000 }
	b.ReportMetric(ms(50), name+"-p50-ms")
	b.ReportMetric(ms(99), name+"-p99-ms")
}

// BenchmarkCreate measures a sandbox until it is made, until its guest says hello, until it has
// run a first program, a further one, and its end; and, in between so that the
// machine is in the same mood, bubblewrap doing much the same.
func BenchmarkCreate(b *testing.B) {
	r := benchRuntime(b)
	bwrap, err := exec.LookPath("bwrap")
	withBwrap := err == nil
	var made, hello, first, further, destroy, other durations
	echo := func(c *guest.Client) {
		exit, err := c.Run(b.Context(), guest.Command{Args: []string{"echo", "hello"}})
		require.NoError(b, err)
		require.Zero(b, exit.Code)
	}
	for b.Loop() {
		start := time.Now()
		sb, err := r.Create(b.Context(), drivertest.Spec)
		require.NoError(b, err)
		made.add(start)
		client := guest.NewClient(sb.Conn())
		_, err = client.Hello(b.Context())
		require.NoError(b, err)
		hello.add(start)
		echo(client)
		first.add(start)
		start = time.Now()
		echo(client)
		further.add(start)
		start = time.Now()
		require.NoError(b, client.Close())
		require.NoError(b, sb.Destroy(b.Context()))
		destroy.add(start)
		if withBwrap {
			start = time.Now()
			cmd := exec.CommandContext(b.Context(), bwrap, "--unshare-all", "--ro-bind", "/", "/", "echo", "hello")
			require.NoError(b, cmd.Run())
			other.add(start)
		}
	}
	made.report(b, "made")
	hello.report(b, "hello")
	first.report(b, "first-echo")
	further.report(b, "further-echo")
	destroy.report(b, "destroy")
	if withBwrap {
		other.report(b, "bwrap")
	}
}

// BenchmarkGroups measures what control groups cost: sandboxes until they are
// made, and until they say hello, with groups and without, by turns.
func BenchmarkGroups(b *testing.B) {
	with, without := benchRuntime(b), newBenchRuntime(b)
	linuxns.WithoutGroups(without)
	drivertest.Create(b, without, drivertest.Spec).Destroy(b) // starts the launcher
	var made, hello [2]durations
	for b.Loop() {
		for i, r := range []driver.Runtime{without, with} {
			start := time.Now()
			sb, err := r.Create(b.Context(), drivertest.Spec)
			require.NoError(b, err)
			made[i].add(start)
			client := guest.NewClient(sb.Conn())
			_, err = client.Hello(b.Context())
			require.NoError(b, err)
			hello[i].add(start)
			require.NoError(b, client.Close())
			require.NoError(b, sb.Destroy(b.Context()))
		}
	}
	for i, name := range []string{"without", "with"} {
		made[i].report(b, name+"-made")
		hello[i].report(b, name+"-hello")
	}
}

// BenchmarkCreateLargeOwner is BenchmarkCreate, up to the hello, from an owner
// with 1 GiB of memory in use: it must not matter.
func BenchmarkCreateLargeOwner(b *testing.B) {
	heap := make([]byte, 1<<30)
	for i := 0; i < len(heap); i += 4096 {
		heap[i] = 1
	}
	r := benchRuntime(b)
	var hello durations
	for b.Loop() {
		start := time.Now()
		box := drivertest.Create(b, r, drivertest.Spec)
		hello.add(start)
		box.Destroy(b)
	}
	hello.report(b, "hello")
	runtime.KeepAlive(heap)
}

// BenchmarkBurst measures 100 sandboxes wanted at once, until each guest says
// hello; and bubblewrap.
func BenchmarkBurst(b *testing.B) {
	const n = 100
	r := benchRuntime(b)
	var hello, other durations
	atOnce := func(fn func()) {
		var wg sync.WaitGroup
		for range n {
			wg.Go(fn)
		}
		wg.Wait()
	}
	_, err := exec.LookPath("bwrap")
	withBwrap := err == nil
	for b.Loop() {
		boxes := make(chan driver.Sandbox, n)
		atOnce(func() {
			start := time.Now()
			sb, err := r.Create(b.Context(), drivertest.Spec)
			if err == nil {
				_, err = guest.NewClient(sb.Conn()).Hello(b.Context())
				boxes <- sb
			}
			if err != nil {
				b.Error(err)
			}
			hello.add(start)
		})
		close(boxes)
		for sb := range boxes {
			require.NoError(b, sb.Conn().Close())
			require.NoError(b, sb.Destroy(b.Context()))
		}
		if withBwrap {
			atOnce(func() {
				start := time.Now()
				if err := exec.CommandContext(b.Context(), "bwrap", "--unshare-all", "--ro-bind", "/", "/", "echo").Run(); err != nil {
					b.Error(err)
				}
				other.add(start)
			})
		}
	}
	hello.report(b, "hello")
	if withBwrap {
		other.report(b, "bwrap")
	}
}
