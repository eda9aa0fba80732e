package agent

import (
	"bytes"
	"context"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// load remembers the last look at the processor time used.
type load struct {
	mu   sync.Mutex
	at   time.Time
	used time.Duration
}

func (l *load) start() { l.at = time.Now() }

// percent returns how much of one processor was used since the last call,
// given what was used in all. Processes that nobody waited for take their time
// with them, so less than before counts as none.
func (l *load) percent(used time.Duration) float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	passed, spent := now.Sub(l.at), used-l.used
	l.at, l.used = now, used
	if passed <= 0 || spent <= 0 {
		return 0
	}
	return 100 * float64(spent) / float64(passed)
}

// Metrics implements guest.Handler. Memory is what processes have for
// themselves; files in memory count as disk.
func (a *agent) Metrics(context.Context) (guest.Metrics, error) {
	all, err := processes()
	if err != nil {
		return guest.Metrics{}, failure("metrics", err)
	}
	m := guest.Metrics{CPUCount: runtime.NumCPU(), Time: time.Now()}
	var ticks uint64
	for i := range all {
		ticks += all[i].cpu
		status := readAll("/proc/"+strconv.Itoa(all[i].pid)+"/status", 4<<10)
		m.MemUsed += kilobytes(status, "RssAnon:")
	}
	m.CPUUsed = a.load.percent(time.Duration(ticks) * (time.Second / ticksPerSecond))
	m.MemTotal = kilobytes(readAll("/proc/meminfo", 4<<10), "MemTotal:")
	m.Received, m.Sent = traffic(readAll("/proc/self/net/dev", 64<<10))
	var fs unix.Statfs_t
	if err := unix.Statfs(a.home, &fs); err != nil {
		return guest.Metrics{}, failure("metrics: "+a.home, err)
	}
	m.DiskTotal = int64(fs.Blocks) * fs.Bsize
	m.DiskUsed = int64(fs.Blocks-fs.Bfree) * fs.Bsize
	return m, nil
}

func readAll(name string, limit int) []byte {
	return readProc(unix.AT_FDCWD, name, make([]byte, limit))
}

// kilobytes returns the number after name, in bytes.
func kilobytes(b []byte, name string) int64 {
	_, rest, _ := bytes.Cut(b, []byte("\n"+name))
	if rest == nil {
		rest, _ = bytes.CutPrefix(b, []byte(name))
	}
	f := bytes.Fields(rest)
	if len(f) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(string(f[0]), 10, 64) // of the kernel
	return n << 10
}

// traffic adds up the bytes of every interface but the loopback.
func traffic(b []byte) (received, sent int64) {
	for line := range bytes.Lines(b) {
		name, rest, found := bytes.Cut(line, []byte(":"))
		f := bytes.Fields(rest)
		const sentField = 8
		if !found || len(f) <= sentField || string(bytes.TrimSpace(name)) == "lo" {
			continue
		}
		in, _ := strconv.ParseInt(string(f[0]), 10, 64) // of the kernel
		out, _ := strconv.ParseInt(string(f[sentField]), 10, 64)
		received, sent = received+in, sent+out
	}
	return received, sent
}
