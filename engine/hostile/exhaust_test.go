//go:build linux && (amd64 || arm64)

package hostile

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/filesystem"
)

// tight are limits that are soon reached.
var tight = engine.Limits{
	Processes: 64, OpenFiles: 256, DiskBytes: 16 << 20, DiskInodes: 1000, MemoryBytes: 96 << 20, MilliCPU: 500,
}

var exhaustAttacks = []attack{
	{id: "X02", mayEnd: true, script: `$ATTACK threads 100; echo TRIED`},
	{id: "X03", mayEnd: true, needs: []string{driver.MemoryLimit}, script: `$ATTACK memory 160; echo TRIED`},
	{id: "X04", script: `
			for d in /dev/shm /tmp /var/tmp "$HOME"; do mkdir -p $d/x$$; head -c 30M /dev/zero >$d/x$$/f; done
			n=$(cat /dev/shm/x$$/f /tmp/x$$/f /var/tmp/x$$/f "$HOME/x$$/f" | wc -c)
			test $n -gt 17825792 && echo "WIN $n bytes"
			rm -rf /dev/shm/x$$ /tmp/x$$ /var/tmp/x$$ "$HOME/x$$"
			echo TRIED`},
	{id: "X06", script: `
			cd "$HOME"
			fallocate -l 30M big; head -c 30M /dev/zero >small
			test $(cat big small | wc -c) -gt 17825792 && echo WIN
			rm -f big small; echo TRIED`},
	{id: "X07", script: `
			cd "$HOME"; mkdir many; cd many
			seq 1500 | xargs touch
			n=$(ls | wc -l); test $n -gt 1050 && echo "WIN $n files"
			cd ..; rm -rf many; echo TRIED`},
	{id: "X08", mayEnd: true, script: `$ATTACK openfiles 300; echo TRIED`},
	{id: "X18", needs: []string{driver.CPULimit}, script: `$ATTACK spin 3000 600; echo TRIED`, vectors: []vector{first}},
}

func TestExhaustion(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	l := newLab(t, engine.Config{Limits: tight})
	attackAll(t, l, exhaustAttacks)
	tryAll(t, l, exhaustTrials())
}

// TestExhaustionByDefault is of sessions at the limits that they have by default.
func TestExhaustionByDefault(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	tryAll(t, newLab(t, engine.Config{}), defaultTrials())
}

func defaultTrials() []trial {
	return []trial{
		{id: "X01-delete", control: bareWins(manyProcesses), run: deleteBomb},
		{id: "X07-delete", control: bareWins(`seq 1500 | xargs touch; test $(ls | wc -l) -gt 1050 && echo WIN`), run: deleteFiles},
		{id: "X08-host", control: bareWins(`$ATTACK openfiles 300`), run: openEverywhere},
		{id: "X18-share", needs: []string{driver.CPULimit}, control: bareWins(`$ATTACK spin 1000 600`), run: share},
	}
}

func exhaustTrials() []trial {
	return []trial{
		{id: "X01", control: bareWins(manyProcesses), run: forkBomb},
		{id: "X03-owner", needs: []string{driver.MemoryLimit}, control: bareWins(`$ATTACK memory 160`), run: outOfMemory},
		{id: "X06-others", control: bareWins(`head -c 30M /dev/zero >f; test $(wc -c <f) -gt 17825792 && echo WIN`), run: diskOfOthers},
		{id: "X20", control: bareWins(`sleep 1000 & kill -STOP $!; sleep 0.1; grep -q 'State:.*T' /proc/$!/status && echo WIN`), run: stopped},
	}
}

// manyProcesses wins with more processes than a session may have.
const manyProcesses = `
	i=0; while [ $i -lt 120 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null
	n=0; for p in /proc/[0-9]*/stat; do grep -q '(sleep)' $p 2>/dev/null && n=$((n+1)); done
	test $n -gt 80 && echo "WIN $n processes"`

// forkBomb requires that neighbours and the session's deletion are served.
func forkBomb(t *testing.T, l lab) {
	t.Helper()
	counter, bomber, neighbour := l.create(t), l.create(t), l.create(t)
	require.NotContains(t, sh(t, counter, manyProcesses), "WIN")
	remove(t, counter)
	const length = 2 * time.Second
	slowest := meanwhile(t, neighbour, func() {
		_, err := bomber.Command.Run(t.Context(), `b() { b | b & }; b; sleep 1000`, &command.RunOptions{Timeout: length})
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, agb.ErrResourceExhausted) {
			t.Errorf("the bomb: %v", err)
		}
	})
	t.Logf("the neighbour's slowest answer took %v", slowest)
	require.LessOrEqual(t, slowest, neighbourly)
	remove(t, bomber)
	remove(t, neighbour)
}

// deleteBomb requires that a session is deleted in time although it is busy with
// as many processes as it may have.
func deleteBomb(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	bombed := make(chan error, 1)
	go func() {
		_, err := s.Command.Run(t.Context(), `exec perl -e 'fork while 1'`, nil)
		bombed <- err
	}()
	crowded(t, s)
	remove(t, s)
	require.ErrorIs(t, <-bombed, agb.ErrSessionNotFound)
}

// crowded waits until a session has about as many processes as it may have.
func crowded(t *testing.T, s *agb.Session) {
	t.Helper()
	require.Eventually(t, func() bool {
		proc, err := s.FileSystem.List(t.Context(), "/proc", nil)
		require.NoError(t, err)
		processes := slices.DeleteFunc(proc.Entries, func(e filesystem.FileInfo) bool {
			return strings.Trim(e.Name(), "0123456789") != ""
		})
		return len(processes) > 100
	}, scriptTimeout, askPause)
}

// deleteFiles requires that a session is deleted in time although it has as
// many files as it may have.
func deleteFiles(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	out := sh(t, s, `cd "$HOME" && perl -e '
		for ($n = 0; open(F, ">", $n); $n++) { close F }
		print $!{ENOSPC} ? "full" : "not full: $!", " ", $n > 99000 && $n <= 100000 ? "in bounds" : $n'`)
	require.Equal(t, "full in bounds", out)
	remove(t, s)
}

// openEverywhere requires that no process opens more than it may, and that the
// whole machine's table is as it was when the session is gone.
func openEverywhere(t *testing.T, l lab) {
	t.Helper()
	const processes, each, others = 100, 1024, 10_000
	s := l.create(t)
	before := openOnHost(t)
	out := sh(t, s, `
		i=0; while [ $i -lt `+strconv.Itoa(processes)+` ]; do
			perl -e '$| = 1; for ($n = 0; open($f[$n], "<", "/dev/null"); $n++) {} print $n + 3, "\n"; sleep 1000' >opened.$i &
			i=$((i+1))
		done
		until [ $(cat opened.* | wc -l) -eq `+strconv.Itoa(processes)+` ]; do sleep 0.05; done
		sort -n opened.* | tail -n 1`)
	most, err := strconv.Atoi(out)
	require.NoError(t, err)
	require.LessOrEqual(t, most, each)
	require.Greater(t, openOnHost(t), before+processes*each/2)
	remove(t, s)
	require.Eventually(t, func() bool { return openOnHost(t) < before+others }, scriptTimeout, askPause)
}

// openOnHost returns how many files the machine has open. See proc(5) on
// file-nr.
func openOnHost(t *testing.T) int {
	t.Helper()
	table, err := os.ReadFile("/proc/sys/fs/file-nr")
	require.NoError(t, err)
	n, err := strconv.Atoi(strings.Fields(string(table))[0])
	require.NoError(t, err)
	return n
}

// share requires that a session has its share of the processor and no more,
// however many threads it has, and that another has as much.
func share(t *testing.T, l lab) {
	t.Helper()
	const length, slack = 3 * time.Second, 1.05
	greedy, sibling := l.create(t), l.create(t)
	program := upload(t, greedy)
	greed := program + " spin " + strconv.FormatInt(length.Milliseconds(), 10) + " 999999"
	used := func(s *agb.Session) time.Duration {
		usage, err := s.Usage(t.Context())
		require.NoError(t, err)
		return usage.CPU
	}
	was, siblingWas := used(greedy), used(sibling)
	start := time.Now()
	var spinning sync.WaitGroup
	spinning.Go(func() { _, _ = greedy.Command.Run(t.Context(), greed, nil) })
	sh(t, sibling, `exec perl -MTime::HiRes=time -e '$end = time + `+strconv.Itoa(int(length.Seconds()))+`; 1 while time < $end'`)
	spinning.Wait()
	most := time.Duration(float64(time.Since(start)) * slack)
	took, left := used(greedy)-was, used(sibling)-siblingWas
	t.Logf("8 threads had %v, one of a sibling %v", took, left)
	require.LessOrEqual(t, took, most)
	require.Greater(t, left, took/4) // by threads it would be an eighth
	remove(t, greedy)
	remove(t, sibling)
}

// outOfMemory requires that the owner does not grow, and is told what happened.
func outOfMemory(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	program := upload(t, s)
	debug.FreeOSMemory()
	before := residentBytes(t)
	start := time.Now()
	res, err := s.Command.Run(t.Context(), program+" memory 200", nil)
	require.NoError(t, err)
	require.Less(t, time.Since(start), 5*time.Second)
	require.NotContains(t, res.Stdout, "WIN")
	require.NotZero(t, res.ExitCode)
	usage, err := s.Usage(t.Context())
	require.NoError(t, err)
	require.Positive(t, usage.OOMKills)
	debug.FreeOSMemory()
	require.LessOrEqual(t, residentBytes(t), before+16<<20)
	require.Equal(t, "alive", sh(t, s, "echo alive"))
	remove(t, s)
}

func residentBytes(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			require.NoError(t, err)
			return kib << 10
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

// diskOfOthers requires that a full session fills nobody else's disk.
func diskOfOthers(t *testing.T, l lab) {
	t.Helper()
	full, other := l.create(t), l.create(t)
	sh(t, full, "head -c 30M /dev/zero >f || true")
	require.Equal(t, "10485760", sh(t, other, "head -c 10M /dev/zero >f && wc -c <f"))
	remove(t, full)
	remove(t, other)
}

// stopped requires that what stops itself and its peers is killed all the same.
func stopped(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	const timeout = time.Second
	timed(t, timeout+answerGrace, "a command that stops everything", func(ctx context.Context) error {
		_, err := s.Command.Run(ctx, `sleep 1000 & kill -STOP $! $$`, &command.RunOptions{Timeout: timeout})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		return nil
	})
	require.Equal(t, "0", sh(t, s, `grep -l '(sleep)' /proc/[0-9]*/stat | wc -l`))
	remove(t, s)
}
