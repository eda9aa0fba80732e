//go:build linux && (amd64 || arm64)

package hostile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
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
	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/engine/drivertest/leak"
)

// outputLimit is how much of each stream is kept.
const outputLimit = 10 << 20

// TestAnswers is of commands that do not want to end, or to be answered.
func TestAnswers(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	tryAll(t, newLab(t, engine.Config{}), answerTrials())
}

func answerTrials() []trial {
	return []trial{
		{id: "X10", control: floods("yes"), run: func(t *testing.T, l lab) {
			t.Helper()
			res := flood(t, l, "yes")
			require.True(t, res.Truncated)
			require.LessOrEqual(t, len(res.Stdout), outputLimit)
			require.Positive(t, res.StdoutDropped)
		}},
		{id: "X12", control: floods("yes & yes >&2"), run: func(t *testing.T, l lab) {
			t.Helper()
			res := flood(t, l, "yes & yes >&2")
			require.True(t, res.Truncated)
			require.LessOrEqual(t, max(len(res.Stdout), len(res.Stderr)), outputLimit)
			require.Positive(t, min(len(res.Stdout), len(res.Stderr)))
		}},
		{id: "X13", control: floods("yes"), run: slowReader},
		{id: "X16", control: bareWins(`sh -c 'sleep 0 & exec sleep 1' & sleep 0.3; grep -q ") Z " /proc/[0-9]*/stat && echo WIN`), run: orphans},
		{id: "X17", control: holdsOutput, run: background},
		{id: "X19", control: bareWins(ignoring), run: unwilling},
		{id: "X23", run: manyCalls},
		{id: "X23-refused", run: refusals},
		{id: "N29", control: bareWins(`(setsid sh -c 'trap "" HUP INT TERM; sleep 1000' &); sleep 0.2; pgrep -f 'sleep 1000' >/dev/null && echo WIN`), run: daemons},
	}
}

const ignoring = `sh -c 'trap "" TERM INT HUP QUIT; sleep 1000; sleep 1000' & p=$!; sleep 0.2; kill -TERM $p; sleep 0.1; kill -0 $p && echo WIN`

// floods is a control: the output of a bare process is not limited.
func floods(script string) func(*testing.T) bool {
	return func(t *testing.T) bool {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		var out bytes.Buffer
		before := pids()
		cmd := exec.CommandContext(ctx, "sh", "-c", script)
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &out, bareWait
		_ = cmd.Run() // killed
		killNew(t, before)
		return out.Len() > outputLimit
	}
}

// flood runs a script that writes for ever, to its timeout.
func flood(t *testing.T, l lab, script string) *command.Result {
	t.Helper()
	s, neighbour := l.create(t), l.create(t)
	const timeout = 2 * time.Second
	var res *command.Result
	slowest := meanwhile(t, neighbour, func() {
		start := time.Now()
		var err error
		res, err = s.Command.Run(t.Context(), script, &command.RunOptions{Timeout: timeout})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("flood: %v", err)
		}
		if took := time.Since(start); took > timeout+answerGrace {
			t.Errorf("flood: took %v", took)
		}
	})
	require.NotNil(t, res)
	require.LessOrEqual(t, slowest, neighbourly)
	remove(t, s)
	remove(t, neighbour)
	return res
}

// slowReader requires that what writes without end to somebody who hardly reads
// waits, and takes nothing from the owner and from others.
func slowReader(t *testing.T, l lab) {
	t.Helper()
	const length, pause, growth = 3 * time.Second, 50 * time.Millisecond, slower * 16 << 20
	s, neighbour := l.create(t), l.create(t)
	sh(t, neighbour, "true")
	debug.FreeOSMemory()
	before, read := residentBytes(t), 0
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := s.Command.Shell(ctx, "exec yes")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	slowest := meanwhile(t, neighbour, func() {
		for end := time.Now().Add(length); time.Now().Before(end); time.Sleep(pause) {
			n, err := out.Read(make([]byte, 1024))
			if err != nil {
				t.Errorf("read: %v", err)
				return
			}
			read += n
		}
	})
	grown := residentBytes(t) - before
	var busy time.Duration
	usage, err := s.Usage(t.Context())
	if !errors.Is(err, agb.ErrUnsupported) { // without control groups nobody knows
		require.NoError(t, err)
		busy = usage.CPU
	}
	cancel()
	_, err = cmd.Wait()
	require.ErrorIs(t, err, context.Canceled)
	t.Logf("%d bytes read, for which %v of processor time went; the owner grew by %d KiB; the neighbour's slowest answer took %v",
		read, busy, grown>>10, slowest)
	require.Positive(t, read)
	require.Less(t, busy, length/4, "it does not wait")
	require.LessOrEqual(t, slowest, neighbourly)
	require.LessOrEqual(t, grown, int64(growth))
	remove(t, s)
	remove(t, neighbour)
}

// breed is a program that has as many children as it may, of which each ends at
// once, and waits for none. What follows comes then.
const breed = `perl -e '$n++, $p || exit while defined($p = fork); print $n; `

// orphans requires that nothing is left of many processes nobody waits for.
func orphans(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	count := `n=0; for p in /proc/[0-9]*; do n=$((n+1)); done; echo $n`
	before := sh(t, s, count)
	for range 6 { // each command has its time
		sh(t, s, `i=0; while [ $i -lt 500 ]; do (true & true &) ; i=$((i+1)); done`)
	}
	sh(t, s, `i=0; while [ $i -lt 50 ]; do (sleep 0.1 &) ; i=$((i+1)); done`)
	gone := func() {
		require.Eventually(t, func() bool {
			res, err := s.Command.Run(t.Context(), count, nil)
			return err == nil && strings.TrimSpace(res.Stdout) == before
		}, 5*time.Second, 100*time.Millisecond)
	}
	gone()
	bred := 0
	require.Eventually(t, func() bool { // the dead of one may hold up the next for a moment
		res, err := s.Command.Run(t.Context(), breed+`'`, nil)
		if err == nil {
			n, _ := strconv.Atoi(res.Stdout) // nothing, if the shell found no room for it
			bred += n
		}
		return bred >= 5000
	}, scriptTimeout, time.Millisecond)
	gone()
	_, err := s.Command.Run(t.Context(), breed+`sleep 1000'`, &command.RunOptions{Timeout: time.Second})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	gone()
	sh(t, s, breed+`sleep 1000' </dev/null >/dev/null 2>&1 & echo goes on`)
	crowded(t, s)
	remove(t, s)
}

// holdsOutput is a control: who waits for the end of the output waits long.
func holdsOutput(t *testing.T) bool {
	t.Helper()
	before := pids()
	defer func() { killNew(t, before) }()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", "sleep 1000 & echo done")
	var out bytes.Buffer
	cmd.Stdout, cmd.WaitDelay = &out, 600*time.Millisecond
	return errors.Is(cmd.Run(), exec.ErrWaitDelay)
}

// background requires that what goes on in the background holds up no call.
func background(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	sh(t, s, "true")
	before := leak.Take(leak.Options{Scope: leak.Self})
	for i := range 100 {
		start := time.Now()
		require.Equal(t, "done", sh(t, s, "sleep 1000 & echo done"))
		require.Less(t, time.Since(start), 2*time.Second)
		if i%50 == 49 { // a session has so many processes
			leak.Check(t, before, leak.Options{Scope: leak.Self}) // while they hold their output
			sh(t, s, "pkill sleep")
		}
	}
	remove(t, s)
}

// unwilling requires that signals can be ignored, and timeouts cannot.
func unwilling(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	const timeout = 500 * time.Millisecond
	for _, script := range []string{
		`trap "" TERM INT HUP QUIT; while :; do :; done`,
		`trap "" TERM INT HUP QUIT; sh -c 'sleep 1000; sleep 1000'; sleep 1000`,
		`flock /tmp/lock sh -c 'flock /tmp/lock true'`,
		`setsid --wait sleep 1000`,
	} {
		timed(t, timeout+answerGrace, script, func(ctx context.Context) error {
			_, err := s.Command.Run(ctx, script, &command.RunOptions{Timeout: timeout})
			require.ErrorIs(t, err, context.DeadlineExceeded, script)
			return nil
		})
	}
	require.Equal(t, "0", sh(t, s, `grep -l '(sleep)' /proc/[0-9]*/stat | wc -l`))
	remove(t, s)
}

// manyCalls requires that calls in a row leave nothing, and that of too many at
// once each has an answer, if only that there are too many.
func manyCalls(t *testing.T, l lab) {
	t.Helper()
	s := l.create(t)
	sh(t, s, "true")
	before := leak.Take(leak.Options{Scope: leak.Self})
	for range 1000 {
		sh(t, s, "true")
	}
	leak.Check(t, before, leak.Options{Scope: leak.Self})
	var group sync.WaitGroup
	for range 1000 {
		group.Go(func() {
			res, err := s.Command.Run(t.Context(), "echo x", nil)
			if err == nil && res.Stdout != "x\n" || err != nil && !errors.Is(err, agb.ErrResourceExhausted) {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
	group.Wait()
	require.Equal(t, "fine", sh(t, s, "echo fine"))
	remove(t, s)
}

// refusals requires that of calls that take long no more are taken than may
// wait, and that the others are told so at once, or when they have waited.
func refusals(t *testing.T, l lab) {
	t.Helper()
	const calls, atWork, waiting, wait = 1000, 16, 64, 5 * time.Second
	created := l.create(t)
	client, err := agb.New(agb.WithTransport(l.engine.Transport()), agb.WithRetry(1))
	require.NoError(t, err)
	got, err := client.Get(t.Context(), created.ID)
	require.NoError(t, err)
	var group sync.WaitGroup
	var mu sync.Mutex
	var refused []time.Duration
	for range calls {
		group.Go(func() {
			start := time.Now()
			_, err := got.Session.Command.Run(t.Context(), "sleep 3", nil)
			took := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case errors.Is(err, agb.ErrResourceExhausted):
				refused = append(refused, took)
			case err != nil:
				t.Errorf("%v", err)
			}
		})
	}
	group.Wait()
	slices.Sort(refused)
	require.GreaterOrEqual(t, calls-len(refused), atWork)
	require.GreaterOrEqual(t, len(refused), calls-atWork-waiting)
	most, last := refused[calls/2], refused[len(refused)-1]
	t.Logf("%d of %d calls were refused, most within %v, all within %v", len(refused), calls, most, last)
	require.LessOrEqual(t, most, neighbourly)
	require.LessOrEqual(t, last, wait+answerGrace)
	remove(t, created)
}

// daemons requires that nothing outlives its session.
func daemons(t *testing.T, l lab) {
	t.Helper()
	const mark = "1000.0042" // seconds to sleep
	s := l.create(t)
	sh(t, s, strings.Repeat(`(setsid sh -c 'trap "" HUP INT TERM; setsid sleep `+mark+` & sleep `+mark+`' </dev/null >/dev/null 2>&1 &); `, 5))
	require.Eventually(t, func() bool { return len(marked(mark)) >= 10 }, scriptTimeout, 10*time.Millisecond)
	remove(t, s)
	require.Empty(t, marked(mark))
}

// marked returns the processes that have mark among their arguments.
func marked(mark string) (found []int) {
	for pid := range pids() {
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(args, []byte(mark)) && startTime(pid) != "" {
			found = append(found, pid)
		}
	}
	return found
}
