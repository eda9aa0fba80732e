package engine

import (
	"bufio"
	"bytes"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/agb-go/sdk/apierr"
)

// Bounds of what is looked at before a sandbox is made.
const (
	// memoryReserve is the share of the machine's memory, one in so many, below
	// which no sandbox is made.
	memoryReserve = 16
	// machineAge is how old what is known of the machine may be. What is made
	// meanwhile matters little: a new sandbox holds about a mebibyte. To look
	// takes as long as to hand one out of the pool.
	machineAge = time.Second
)

// A machine tells how much memory there is for this program: the system's, or
// that of the cgroup it is in. Where nothing tells there is always enough.
// It is safe for concurrent use.
type machine struct {
	root string // of the file system, for tests
	off  bool

	mu          sync.Mutex
	looked      time.Time
	total, free int64
}

// check refuses to make a sandbox while memory is scarce.
func (m *machine) check() error {
	if m.off {
		return nil
	}
	total, free := m.memory()
	if total == 0 || free >= total/memoryReserve {
		return nil
	}
	return apierr.Errorf(apierr.ResourceExhausted, "%d of %d bytes of memory are free, too few for one more session", free, total).
		WithHint("delete sessions that are no longer needed, or give the engine a machine with more memory")
}

// memory returns how much there is and how much of it is free; zero when that
// is unknown.
func (m *machine) memory() (total, free int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now := time.Now(); m.looked.IsZero() || now.Sub(m.looked) > machineAge {
		m.looked = now
		m.total, m.free = m.look()
	}
	return m.total, m.free
}

func (m *machine) look() (total, free int64) {
	info := m.table("/proc/meminfo")
	total, free = info["MemTotal:"]<<10, info["MemAvailable:"]<<10
	for _, dir := range m.cgroups() {
		most, used, ok := m.cgroup(dir)
		if ok && most < total {
			total = most
		}
		if ok {
			free = max(0, min(free, most-used))
		}
	}
	return total, free
}

// cgroups returns the directories of the cgroups that bound this program's
// memory, its own and those above it, of both versions.
func (m *machine) cgroups() (dirs []string) {
	b, err := os.ReadFile(m.root + "/proc/self/cgroup")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, own, ok := strings.Cut(rest, ":")
		base := "/sys/fs/cgroup"
		switch {
		case !ok || !path.IsAbs(own) || controllers != "" && controllers != "memory":
			continue
		case controllers == "memory":
			base += "/memory"
		}
		for own = path.Clean(own); ; own = path.Dir(own) {
			dirs = append(dirs, m.root+path.Join(base, own))
			if own == "/" {
				break
			}
		}
	}
	return dirs
}

// cgroup returns the most memory that a cgroup may use and what it does use,
// without what the kernel would give up at once. ok is false when it is not
// bounded.
func (m *machine) cgroup(dir string) (most, used int64, ok bool) {
	limit, current := "/memory.max", "/memory.current"
	if _, err := os.Stat(dir + limit); err != nil {
		limit, current = "/memory.limit_in_bytes", "/memory.usage_in_bytes"
	}
	most, ok = number(dir + limit)
	if !ok || most > math.MaxInt64/2 { // version 1 writes "no limit" as a huge number
		return 0, 0, false
	}
	if used, ok = number(dir + current); !ok {
		return 0, 0, false
	}
	stat := m.table(strings.TrimPrefix(dir, m.root) + "/memory.stat")
	return most, max(0, used-max(stat["inactive_file"], stat["total_inactive_file"])), true
}

// number reads a file with one number.
func number(name string) (int64, bool) {
	b, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(bytes.TrimSpace(b)), 10, 64)
	return n, err == nil && n >= 0
}

// table reads a file with a name and a number on each line.
func (m *machine) table(name string) map[string]int64 {
	b, err := os.ReadFile(m.root + name)
	if err != nil {
		return nil
	}
	values := map[string]int64{}
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		if n, err := strconv.ParseInt(fields[1], 10, 64); err == nil && n >= 0 {
			values[fields[0]] = n
		}
	}
	return values
}
