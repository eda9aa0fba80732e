package engine

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

func TestMemoryBudget(t *testing.T) {
	const session = 64 << 20
	v, _ := newFake(t, Config{
		MemoryBudget: 4 * session, Limits: Limits{MemoryBytes: session}, MaxLimits: Limits{MemoryBytes: 8 * session},
	})
	first := mustCreate(t, v, httpapi.CreateParams{}).ID
	mustCreate(t, v, httpapi.CreateParams{Limits: driver.Limits{MemoryBytes: 2 * session}})
	_, err := v.Create(t.Context(), owner, httpapi.CreateParams{Limits: driver.Limits{MemoryBytes: session + 1}})
	require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
	require.NotEmpty(t, apierr.From(err).Hint)
	mustCreate(t, v, httpapi.CreateParams{}) // the last that fits
	_, err = v.Create(t.Context(), owner, httpapi.CreateParams{})
	require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
	require.NoError(t, v.Delete(t.Context(), owner, first))
	mustCreate(t, v, httpapi.CreateParams{})
}

func TestSessionsAtTheLimit(t *testing.T) {
	r := &fakeRuntime{delay: time.Millisecond}
	v := newFakeOn(t, Config{MaxSessions: 10}, r)
	var all sync.WaitGroup
	errs := make([]error, 30)
	for i := range errs {
		all.Go(func() { _, errs[i] = v.Create(t.Context(), owner, httpapi.CreateParams{}) })
	}
	all.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
			continue
		}
		require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
		require.NotEmpty(t, apierr.From(err).Hint)
	}
	require.Equal(t, 10, made)
}

// TestBurst makes many more sessions at once than are made at once.
func TestBurst(t *testing.T) {
	r := &fakeRuntime{delay: time.Millisecond}
	v := newFakeOn(t, Config{}, r)
	var all sync.WaitGroup
	errs := make([]error, 500)
	for i := range errs {
		all.Go(func() { _, errs[i] = v.Create(t.Context(), owner, httpapi.CreateParams{}) })
	}
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	require.LessOrEqual(t, r.atOnce(), createsAtOnce)
}

// fakeMachine returns a machine whose files are these.
func fakeMachine(t *testing.T, files map[string]string) *machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	return &machine{root: root}
}

const meminfo = "MemTotal:       16000 kB\nMemFree:         100 kB\nMemAvailable:    8000 kB\nHugePages_Total:  0\n"

func TestMachineMemory(t *testing.T) {
	v1 := "/sys/fs/cgroup/memory"
	for name, c := range map[string]struct {
		files       map[string]string
		total, free int64
	}{
		"nothing to be known": {nil, 0, 0},
		"no cgroup":           {map[string]string{"/proc/meminfo": meminfo}, 16000 << 10, 8000 << 10},
		"version 2": {map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/a/b\n",
			"/sys/fs/cgroup/a/b/memory.max": "max\n", "/sys/fs/cgroup/a/b/memory.current": "1024\n",
			"/sys/fs/cgroup/a/memory.max": "4096000\n", "/sys/fs/cgroup/a/memory.current": "3072000\n",
			"/sys/fs/cgroup/a/memory.stat": "anon 1\ninactive_file 1000000\n",
		}, 4096000, 2024000},
		"version 1": {map[string]string{
			"/proc/meminfo": meminfo, "/proc/self/cgroup": "3:cpu:/x\n2:memory:/a\n",
			v1 + "/a/memory.limit_in_bytes": "2048000\n", v1 + "/a/memory.usage_in_bytes": "3000000\n",
			v1 + "/memory.limit_in_bytes": "9223372036854771712\n", v1 + "/memory.usage_in_bytes": "1\n",
		}, 2048000, 0},
		"garbage": {map[string]string{
			"/proc/meminfo": meminfo + "\nMemTotal\nMemAvailable: -5 kB\n", "/proc/self/cgroup": "x\n0::a\n::\n0::/../..\n",
			"/sys/fs/cgroup/memory.max": "-1\n",
		}, 16000 << 10, 8000 << 10},
	} {
		total, free := fakeMachine(t, c.files).look()
		require.Equal(t, []int64{c.total, c.free}, []int64{total, free}, name)
	}
}

func TestScarceMemory(t *testing.T) {
	v, _ := newFake(t, Config{})
	scarce := func(free string) {
		v.machine.root = fakeMachine(t, map[string]string{"/proc/meminfo": "MemTotal: 16000 kB\nMemAvailable: " + free + " kB\n"}).root
		v.machine.looked = time.Time{}
	}
	scarce("1000")
	mustCreate(t, v, httpapi.CreateParams{})
	scarce("999")
	_, err := v.Create(t.Context(), owner, httpapi.CreateParams{})
	require.ErrorIs(t, err, apierr.ResourceExhausted.Err())
	require.NotEmpty(t, apierr.From(err).Hint)
	v.machine.off = true
	mustCreate(t, v, httpapi.CreateParams{})
}

// TestThisMachine: what this machine says makes sense, if it says anything.
func TestThisMachine(t *testing.T) {
	m := &machine{}
	total, free := m.memory()
	require.LessOrEqual(t, free, total)
	if _, err := os.Stat("/proc/meminfo"); err == nil {
		require.Positive(t, free)
	}
}
