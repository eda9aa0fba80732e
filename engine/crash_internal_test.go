package engine

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/drivertest/leak"
	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/store"
)

const (
	patience = 10 * time.Second
	tick     = time.Millisecond
	// goneWithin is how long anything may survive its owner.
	goneWithin = 2 * time.Second
)

// A crash is a point at which an engine is killed, and what there is to be
// afterwards.
type crash struct {
	op, point  string
	pass, pool int

	told     bool // a client knows the session
	recorded bool // there is a record of it
	reason   string
}

func crashes() []crash {
	begun, written, committed := string(failpoint.StoreBegun), string(failpoint.StoreWritten), string(failpoint.StoreCommitted)
	before := func(op string, pool int, points ...string) (all []crash) {
		for _, p := range points {
			all = append(all, crash{op: op, point: p, pass: 1, pool: pool})
		}
		return all
	}
	with := func(told bool, reason, op string, points ...string) (all []crash) {
		for _, p := range points {
			all = append(all, crash{op: op, point: p, pass: 1, told: told, recorded: true, reason: reason})
		}
		return all
	}
	return slices.Concat(
		before(killedFilling, 1, runtimeAsked, runtimeMade, string(failpoint.CreateMade), string(failpoint.PoolWarmed)),
		before(killedCreating, 1, string(failpoint.CreateTaken), string(failpoint.CreateOpened), guestAsked, guestAnswered),
		before(killedCreating, 0,
			string(failpoint.CreateAdmitted), runtimeAsked, runtimeMade, string(failpoint.CreateMade), guestAsked, guestAnswered,
			string(failpoint.CreateGreeted), string(failpoint.CreateOpened), begun, written),
		with(false, store.OwnerDied, killedCreating,
			committed, string(failpoint.CreateRecorded), string(failpoint.CreatePublished)),
		with(true, store.OwnerDied, killedCreating, clientTold),
		with(true, store.OwnerDied, killedDeleting,
			string(failpoint.DeleteHidden), string(failpoint.DeleteClosed), runtimeDestroy, runtimeGone,
			string(failpoint.DeleteDestroyed), begun, written),
		with(true, endedDeleted, killedDeleting,
			committed, string(failpoint.DeleteRecorded), string(failpoint.DeleteForgotten), clientTold),
	)
}

// TestKilledAnywhere kills an engine at each step of making and deleting a
// session: nothing of it is left, and the next engine on its directory knows
// of nothing that lives.
func TestKilledAnywhere(t *testing.T) {
	skipUnavailable(t)
	defer requireNoLeak(t)()
	for _, c := range crashes() {
		t.Run(fmt.Sprintf("%s/%s", c.op, c.point), func(t *testing.T) {
			dir := t.TempDir()
			id := c.kill(t, dir)
			c.check(t, dir, id)
		})
	}
}

// TestKilledAtEachPoint: no point of making or deleting a session is left out.
func TestKilledAtEachPoint(t *testing.T) {
	for _, prefix := range []string{"create.", "pool.", "delete.", "store."} {
		for _, p := range failpoint.Points(prefix) {
			ofOpening := slices.Contains([]failpoint.Point{
				failpoint.StoreLocked, failpoint.StoreBuilt, failpoint.StoreAside, failpoint.StorePlaced, failpoint.StoreOrphans,
			}, p) // which package store kills
			killed := slices.ContainsFunc(crashes(), func(c crash) bool { return c.point == string(p) })
			require.True(t, killed || ofOpening, p)
		}
	}
}

// requireNoLeak returns a function that requires that there is nothing that was
// not there before.
func requireNoLeak(t *testing.T) func() {
	t.Helper()
	before := leak.AtRest(leak.Options{})
	return func() { leak.Check(t, before, leak.Options{}) }
}

func skipUnavailable(tb testing.TB) {
	tb.Helper()
	report, err := Probe(tb.Context())
	if apierr.CodeOf(err) == apierr.Unsupported {
		tb.Skip(err)
	}
	require.NoError(tb, err)
	if !report.Available {
		tb.Skip("no sandboxes here: ", report.Layers)
	}
}

// kill starts an engine, kills it at the point, and requires that its processes
// go with it. It returns the id that a client was told.
func (c crash) kill(t *testing.T, dir string) (id string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %d %d %s", doomedEnv, c.op, c.point, c.pass, c.pool, dir))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != sayHere {
		what, rest, _ := strings.Cut(lines.Text(), " ")
		require.Equal(t, saySession, what, rest)
		id = rest
	}
	all := descendants(t, cmd.Process.Pid)
	require.NoError(t, cmd.Process.Kill())
	require.Eventually(t, func() bool { return !slices.ContainsFunc(all, process.alive) }, goneWithin, tick)
	require.Eventually(t, func() bool { return len(leak.Groups(cmd.Process.Pid)) == 0 }, goneWithin, tick)
	_, err = io.Copy(io.Discard, out)
	require.NoError(t, err)
	require.Error(t, cmd.Wait())
	require.Equal(t, c.told, id != "")
	return id
}

// check looks at what the next engine makes of the directory.
func (c crash) check(t *testing.T, dir, id string) {
	t.Helper()
	v, _ := newFake(t, Config{StateDir: dir})
	records := v.Records(owner)
	require.Empty(t, v.List(owner))
	if !c.recorded {
		require.Empty(t, records)
		mustCreate(t, v, doomedParams) // the key is free
		return
	}
	require.Len(t, records, 1)
	require.Equal(t, c.reason, records[0].Reason)
	require.Equal(t, doomedParams.Labels, records[0].Labels)
	require.NotZero(t, records[0].Ended)
	if c.reason == store.OwnerDied {
		require.Nil(t, records[0].Usage, "nobody kept account")
	}
	if c.told {
		require.Equal(t, id, records[0].ID)
	}
	require.NoError(t, v.Delete(t.Context(), owner, records[0].ID))
	_, err := v.Create(t.Context(), owner, doomedParams)
	require.ErrorIs(t, err, apierr.FailedPrecondition.Err(), "the key is that of a session that was")
}

// process is a process of the host, told from later ones with its pid.
type process struct {
	pid     int
	started string
}

// stat returns the fields of /proc/PID/stat behind the name, or nil.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

func (p process) alive() bool {
	fields := stat(p.pid)
	return fields != nil && fields[0] != "Z" && fields[19] == p.started
}

// descendants returns all processes below pid.
func descendants(t *testing.T, pid int) (all []process) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	children := map[int][]process{}
	for _, path := range paths {
		child, err := strconv.Atoi(filepath.Base(path))
		require.NoError(t, err)
		if fields := stat(child); fields != nil {
			parent, err := strconv.Atoi(fields[1])
			require.NoError(t, err)
			children[parent] = append(children[parent], process{child, fields[19]})
		}
	}
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		for _, p := range children[next[0]] {
			all, next = append(all, p), append(next, p.pid)
		}
	}
	return all
}
