package code_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/session"
)

func TestContexts(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	res, err := s.Code.Run(t.Context(), code.Bash, "x=1; cd /tmp", nil)
	require.NoError(t, err)
	require.Equal(t, 1, res.ExecutionCount)
	res, err = s.Code.Run(t.Context(), code.Bash, "echo $x $PWD", nil)
	require.NoError(t, err)
	require.Equal(t, "1 /tmp\n", res.Stdout)
	require.Equal(t, 2, res.ExecutionCount)
	res, err = s.Code.Run(t.Context(), code.Bash, "echo \"[$x]\"", &code.RunOptions{Fresh: true})
	require.NoError(t, err)
	require.Equal(t, "[]\n", res.Stdout)

	c, err := s.Code.Contexts.New(t.Context(), "sh", &code.ContextOptions{Name: "n", Dir: "/var", Env: map[string]string{"K": "v"}})
	require.NoError(t, err)
	require.NotEmpty(t, c.RequestID)
	require.Equal(t, code.Bash, c.Language)
	res, err = c.Run(t.Context(), "echo $K $PWD $x; read line; echo $line", &code.RunOptions{Stdin: "given\n"})
	require.NoError(t, err)
	require.Equal(t, "v /var\ngiven\n", res.Stdout)

	list, err := s.Code.Contexts.List(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, list.RequestID)
	require.Len(t, list.Contexts, 2)
	require.True(t, list.Contexts[0].Default)
	require.Equal(t, "n", list.Contexts[1].Name)
	require.WithinDuration(t, time.Now(), list.Contexts[1].CreatedAt, time.Minute)

	// A run of it that is under way is interrupted, or ends with it.
	begun := func(then func()) (res *code.Result, err error) {
		over := make(chan struct{})
		go func() {
			res, err = c.Run(t.Context(), "sleep 100", nil)
			close(over)
		}()
		require.Eventually(t, func() bool {
			list, err := s.Code.Contexts.List(t.Context())
			require.NoError(t, err)
			return list.Contexts[1].Busy
		}, 10*time.Second, time.Millisecond)
		for {
			select {
			case <-over:
				return res, err
			case <-time.After(100 * time.Millisecond): // it may have begun
				then()
			}
		}
	}
	res, err = begun(func() {
		_, err := s.Code.Contexts.Interrupt(t.Context(), c.ID)
		require.NoError(t, err)
	})
	require.NoError(t, err)
	require.NotNil(t, res.Error)
	require.False(t, res.Ended)
	_, err = begun(func() {
		res, err := s.Code.Contexts.Restart(t.Context(), c.ID)
		require.NoError(t, err)
		require.NotEmpty(t, res.RequestID)
	})
	require.Equal(t, apierr.FailedPrecondition, apierr.CodeOf(err))
	_, err = begun(func() {
		_, err := s.Code.Contexts.Delete(t.Context(), c.ID)
		require.True(t, err == nil || apierr.CodeOf(err) == apierr.NotFound, err)
	})
	require.Equal(t, apierr.FailedPrecondition, apierr.CodeOf(err))
	_, err = c.Run(t.Context(), "true", nil)
	require.Equal(t, apierr.NotFound, apierr.CodeOf(err))
	_, err = s.Code.Contexts.New(t.Context(), code.Go, nil)
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
	_, err = s.Code.Contexts.New(t.Context(), "cobol", nil)
	require.ErrorIs(t, err, agb.ErrInvalidArgument)
	for _, o := range []code.RunOptions{{Fresh: true, Context: c.ID}, {CPUTimeout: time.Second, Context: c.ID}} {
		_, err = s.Code.Run(t.Context(), code.Bash, "true", &o)
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
	for _, in := range []string{strings.Repeat("x", 1<<20+1), "\xff\n"} {
		_, err = s.Code.Run(t.Context(), code.Bash, "true", &code.RunOptions{Stdin: in})
		require.ErrorIs(t, err, agb.ErrInvalidArgument)
	}
}

func TestContextThatDies(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	res, err := s.Code.Run(t.Context(), code.Bash, "exit 3", nil)
	require.NoError(t, err)
	require.True(t, res.Ended)
	require.Equal(t, "exit status 3", res.Error.Value)
	res, err = s.Code.Run(t.Context(), code.Bash, "(sleep 0.1; echo late; touch /tmp/late) &", nil)
	require.NoError(t, err)
	require.Contains(t, res.Restarted, "exit status 3")
	_, err = s.Command.Run(t.Context(), "until [ -e /tmp/late ]; do sleep 0.05; done; sleep 0.2", nil)
	require.NoError(t, err)
	res, err = s.Code.Run(t.Context(), code.Bash, "echo mine", nil)
	require.NoError(t, err)
	require.Equal(t, "mine\n", res.Stdout)
	require.Equal(t, "late\n", res.LateStdout)
	require.Empty(t, res.Restarted)
	// A run that is given up is interrupted.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = s.Code.Run(ctx, code.Bash, "x=1; sleep 100", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	res, err = s.Code.Run(t.Context(), code.Bash, "echo $x", nil)
	require.NoError(t, err)
	require.Equal(t, "1\n", res.Stdout)
}

// ignores is code that is begun when it prints, and does not heed an interrupt.
const ignores = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('begun', flush=True)\nwhile True: time.sleep(0.01)"

// The run after one whose interpreter was killed is told why.
func TestKilledContextsSayWhy(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	res, err := s.Code.Run(t.Context(), code.Python, ignores, &code.RunOptions{Timeout: 300 * time.Millisecond})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, res.Ended)
	require.Contains(t, ran(t, s, code.Python, "1", code.RunOptions{}).Restarted, "its time was over")

	list, err := s.Code.Contexts.List(t.Context())
	require.NoError(t, err)
	res = ran(t, s, code.Python, ignores, code.RunOptions{Stdout: writer(func(p []byte) (int, error) {
		_, err := s.Code.Contexts.Interrupt(t.Context(), list.Contexts[0].ID)
		return len(p), err
	})})
	require.True(t, res.Ended)
	require.False(t, res.TimedOut)
	require.Equal(t, "InterruptError", res.Error.Name)
	require.Contains(t, ran(t, s, code.Python, "1", code.RunOptions{}).Restarted, "interrupted")
	require.Empty(t, ran(t, s, code.Python, "1", code.RunOptions{}).Restarted)
}

// What a run that was given up had to tell, the next one tells.
func TestNoticesOutliveGivenUpRuns(t *testing.T) {
	needs(t, "bash")
	s := agbtest.NewSession(t)
	giveUp := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := s.Code.Run(ctx, code.Bash, "sleep 100", nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	ran(t, s, code.Bash, "exit 3", code.RunOptions{})
	giveUp()
	require.Contains(t, ran(t, s, code.Bash, "true", code.RunOptions{}).Restarted, "exit status 3")

	ran(t, s, code.Bash, "(sleep 0.1; echo late; touch /tmp/late) &", code.RunOptions{})
	_, err := s.Command.Run(t.Context(), "until [ -e /tmp/late ]; do sleep 0.05; done; sleep 0.2", nil)
	require.NoError(t, err)
	giveUp()
	res := ran(t, s, code.Bash, "true", code.RunOptions{})
	require.Equal(t, "late\n", res.LateStdout)
	require.Empty(t, res.Restarted)
	require.Empty(t, ran(t, s, code.Bash, "true", code.RunOptions{}).LateStdout)

	// A restart that was asked for needs no telling.
	ran(t, s, code.Bash, "exit 3", code.RunOptions{})
	giveUp()
	list, err := s.Code.Contexts.List(t.Context())
	require.NoError(t, err)
	_, err = s.Code.Contexts.Restart(t.Context(), list.Contexts[0].ID)
	require.NoError(t, err)
	require.Empty(t, ran(t, s, code.Bash, "true", code.RunOptions{}).Restarted)
}

func TestLanguageList(t *testing.T) {
	s := agbtest.NewSession(t)
	list, err := s.Code.Languages(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, list.RequestID)
	for _, l := range list.Languages {
		got, err := code.ParseLanguage(string(l.Language))
		require.NoError(t, err)
		require.Equal(t, l.Language, got)
		for _, alias := range l.Aliases {
			got, err := code.ParseLanguage(alias)
			require.NoError(t, err)
			require.Equal(t, l.Language, got)
		}
		require.NotEqual(t, l.Available, l.Missing != "")
		require.Equal(t, l.Language != code.Go, l.KeepsState)
	}
}

func TestResultsAsTheyCome(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	var got []code.Item
	res, err := s.Code.Run(t.Context(), code.Python, "for i in range(3): display(i)\nprint('x')\ndisplay('y' * 300000)\n7", &code.RunOptions{
		OnResult: func(i code.Item) { got = append(got, i) },
	})
	require.NoError(t, err)
	require.Empty(t, res.Results)
	require.Equal(t, "x\n", res.Stdout)
	const bytes = "import os; os.write(1, b'a\\xff\\xfe\\n'); os.write(2, b'\\xc3')\nNone"
	whole, streamed := ran(t, s, code.Python, bytes, code.RunOptions{}), ran(t, s, code.Python, bytes, code.RunOptions{OnResult: func(code.Item) {}})
	require.Equal(t, []string{"a\uFFFD\uFFFD\n", "\uFFFD"}, []string{streamed.Stdout, streamed.Stderr})
	require.Equal(t, []string{whole.Stdout, whole.Stderr}, []string{streamed.Stdout, streamed.Stderr})
	require.Len(t, got, 5)
	require.Equal(t, "2", got[2].Text)
	require.Len(t, got[3].Text, 300002)
	require.True(t, got[4].Main)
	require.Equal(t, "7", got[4].Text)
}

// order collects what is written to two streams.
type order struct {
	mu  sync.Mutex
	all strings.Builder
}

func (o *order) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

// The output has its order, also between the two streams, and with that of
// programs that the code runs.
func TestOutputInOrder(t *testing.T) {
	s := agbtest.NewSession(t)
	for _, row := range []struct {
		language            code.Language
		interpreter, source string
	}{
		{code.Python, "python3", `
import subprocess, sys
for i in range(200):
    print("o%d" % i)
    print("e%d" % i, file=sys.stderr)
    if i % 50 == 0:
        subprocess.run(["echo", "p%d" % i])`},
		{code.JavaScript, "node", `
for (let i = 0; i < 200; i++) {
  console.log("o" + i);
  console.error("e" + i);
  if (i % 50 === 0) require("child_process").spawnSync("echo", ["p" + i], { stdio: "inherit" });
}`},
	} {
		t.Run(string(row.language), func(t *testing.T) {
			needs(t, row.interpreter)
			outputInOrder(t, s, row.language, row.source)
		})
	}
}

func outputInOrder(t *testing.T, s *session.Session, language code.Language, source string) {
	t.Helper()
	var o order
	_, err := s.Code.Run(t.Context(), language, source, &code.RunOptions{Stdout: &o, Stderr: &o})
	require.NoError(t, err)
	var want strings.Builder
	for i := range 200 {
		fmt.Fprintf(&want, "o%d\ne%d\n", i, i)
		if i%50 == 0 {
			fmt.Fprintf(&want, "p%d\n", i)
		}
	}
	got := o.all.String()
	// What a program writes has its place in its own stream alone.
	drop := func(text string) string {
		var b strings.Builder
		for line := range strings.Lines(text) {
			if line[0] != 'p' {
				b.WriteString(line)
			}
		}
		return b.String()
	}
	require.Equal(t, drop(want.String()), drop(got))
	require.Equal(t, 4, strings.Count(got, "p"))
}

// What a function returned is not lost while the driver waits for the output
// before to be read.
func TestOutputInOrderWithCalls(t *testing.T) {
	needs(t, "node")
	s := agbtest.NewSession(t)
	require.NoError(t, code.Expose(s.Code, "twice", func(_ context.Context, n int) (int, error) { return 2 * n, nil }, nil))
	var o order
	_, err := s.Code.Run(t.Context(), code.JavaScript, `
const sums = [];
for (let i = 0; i < 100; i++) {
  sums.push(twice(i));
  console.log("o" + i);
  console.error("e" + i);
}
console.log((await Promise.all(sums)).reduce((a, b) => a + b));`, &code.RunOptions{Stdout: &o, Stderr: &o})
	require.NoError(t, err)
	var want strings.Builder
	for i := range 100 {
		fmt.Fprintf(&want, "o%d\ne%d\n", i, i)
	}
	require.Equal(t, want.String()+"9900\n", o.all.String())
}
