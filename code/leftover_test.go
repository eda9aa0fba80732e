package code_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
)

// findSocket has Python find the socket of its driver.
const findSocket = `import os, stat, time
fd = [f for f in range(4, 30) if os.path.exists(f'/proc/self/fd/{f}') and stat.S_ISSOCK(os.fstat(f).st_mode)][0]
`

// A driver that asks on and on and does not read the answers is ended.
func TestUnreadAnswersAreBounded(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	exposeSlow(t, s)
	for _, asked := range []string{`b'wait 0\n'`, `b'call 32\n{"id":1,"name":"slow","args":{}}'`} {
		res := ran(t, s, code.Python, findSocket+"while True: os.write(fd, "+asked+" * 1000)", code.RunOptions{})
		require.Equal(t, "ReportError", res.Error.Name)
		require.True(t, res.Ended)
	}
}

// So is one that ends runs that it was not told of.
func TestUnreadRunsAreBounded(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	ran(t, s, code.Python, findSocket+"import select\nwhile True:\n  os.write(fd, b'done 2\\n{}')\n  select.select([fd], [], [])\n  time.sleep(0.1)", code.RunOptions{})
	res := ran(t, s, code.Python, "#"+strings.Repeat("x", 3<<20), code.RunOptions{})
	if res.Error == nil { // it was ended before this run began
		require.NotEmpty(t, res.Restarted)
		return
	}
	require.Equal(t, "ReportError", res.Error.Name)
	require.True(t, res.Ended)
}

// exposeSlow lets code call slow, which takes longer than a run.
func exposeSlow(t *testing.T, s *agb.Session) {
	t.Helper()
	require.NoError(t, code.Expose(s.Code, "slow", func(ctx context.Context, _ any) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}, nil))
}

// A thread that waits for an answer when its run ends does not take what is for
// the next.
func TestCallOutlivesRun(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	exposeSlow(t, s)
	ran(t, s, code.Python, `import threading, time
def call():
    global failed
    try: slow()
    except RuntimeError as e: failed = str(e)
thread = threading.Thread(target=call)
thread.start()
time.sleep(0.1)`, code.RunOptions{})
	for range 3 {
		res := ran(t, s, code.Python, "thread.join(); failed", code.RunOptions{})
		require.Nil(t, res.Error)
		require.False(t, res.Ended)
		require.Len(t, res.Results, 1)
	}
}

// A call between runs fails, and nothing else does.
func TestCallBetweenRuns(t *testing.T) {
	needs(t, "node")
	s := agbtest.NewSession(t)
	exposeSlow(t, s)
	ran(t, s, code.JavaScript, "let failed; setTimeout(() => slow().catch((e) => { failed = e.message }), 100); 0", code.RunOptions{})
	require.Eventually(t, func() bool {
		res := ran(t, s, code.JavaScript, "failed ?? ''", code.RunOptions{})
		require.Empty(t, res.Restarted)
		return strings.Contains(res.Results[0].Text, "while its cell runs")
	}, 10*time.Second, 200*time.Millisecond)
}

// exposeSame exposes a function that returns what it is given once as many have
// been called at once as may be, and returns how many that were.
func exposeSame(t *testing.T, s *agb.Session) *atomic.Int32 {
	t.Helper()
	var most, now atomic.Int32
	full := make(chan struct{}) // closed when there are as many as there may be
	fill := sync.OnceFunc(func() { close(full) })
	require.NoError(t, code.Expose(s.Code, "same", func(ctx context.Context, v any) (any, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 16 {
			fill()
		}
		select {
		case <-full:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		time.Sleep(time.Millisecond)
		return v, nil
	}, nil))
	return &most
}

// Calls beyond those that may be under way wait, and end with their cell.
func TestCallsAtOnce(t *testing.T) {
	for language, c := range map[code.Language]struct{ program, all, yes string }{
		code.JavaScript: {
			"node", "(await Promise.all(Array.from({length: 200}, async (_, n) => await same(n) === n && await same(n) === n))).every((v) => v)", "true",
		},
		code.Python: {
			"python3", "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(40) as pool: got = list(pool.map(same, range(200)))\ngot == list(range(200))", "True",
		},
	} {
		t.Run(string(language), func(t *testing.T) {
			needs(t, c.program)
			s := agbtest.NewSession(t)
			most := exposeSame(t, s)
			res := ran(t, s, language, c.all, code.RunOptions{})
			require.Nil(t, res.Error)
			require.Equal(t, c.yes, res.Results[0].Text)
			require.EqualValues(t, 16, most.Load())
			if language != code.JavaScript {
				return
			}
			ran(t, s, language, "let ended = 0; for (let n = 0; n < 50; n++) same(n).then(() => ended++, () => ended++); 0", code.RunOptions{})
			require.Eventually(t, func() bool {
				return ran(t, s, language, "ended", code.RunOptions{}).Results[0].Text == "50"
			}, 10*time.Second, 10*time.Millisecond)
			require.Contains(t, ran(t, s, language, "await same('still')", code.RunOptions{}).Results[0].Text, "still")
		})
	}
}

// A call that takes its time keeps nobody from writing, nor from calling.
func TestOutputDuringACall(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	free := make(chan struct{})
	require.NoError(t, code.Expose(s.Code, "hold", func(ctx context.Context, _ struct{}) (int, error) {
		select {
		case <-free:
		case <-ctx.Done():
		}
		return 1, ctx.Err()
	}, nil))
	require.NoError(t, code.Expose(s.Code, "free", func(context.Context, struct{}) (int, error) {
		close(free)
		return 2, nil
	}, nil))
	var o order
	_, err := s.Code.Run(t.Context(), code.Python, `
import sys, threading
t = threading.Thread(target=lambda: print(hold())); t.start()
for i in range(3):
    print("o", i)
    print("e", i, file=sys.stderr)
print(free() + 1)
t.join()`, &code.RunOptions{Stdout: &o, Stderr: &o})
	require.NoError(t, err)
	require.ElementsMatch(t, strings.Split("o 0\ne 0\no 1\ne 1\no 2\ne 2\n3\n1\n", "\n"), strings.Split(o.all.String(), "\n"))
	require.True(t, strings.HasPrefix(o.all.String(), "o 0\ne 0\no 1\ne 1\no 2\ne 2\n"), o.all.String())
}

// What speaks for the driver gets no more, also while large answers wait to be
// read.
func TestTooManyCalls(t *testing.T) {
	needs(t, "node")
	s := agbtest.NewSession(t)
	var large, hanging atomic.Int32
	require.NoError(t, code.Expose(s.Code, "large", func(context.Context, any) (any, error) {
		large.Add(1)
		return strings.Repeat("x", 1<<19), nil
	}, nil))
	require.NoError(t, code.Expose(s.Code, "hangs", func(ctx context.Context, _ any) (any, error) {
		hanging.Add(1)
		<-ctx.Done()
		return nil, ctx.Err()
	}, nil))
	const calls = `const fs = require('fs');
const call = (id, name) => {
  const body = JSON.stringify({ id, name, args: {} });
  for (let data = Buffer.from('call ' + body.length + '\n' + body); data.length > 0;) {
    try { data = data.subarray(fs.writeSync(3, data)) } catch (e) { if (e.code !== 'EAGAIN') throw e }
  }
};
`
	res := ran(t, s, code.JavaScript, calls+"for (let n = 0; n < 300; n++) call(1e6 + n, 'large'); 'all'", code.RunOptions{})
	require.Nil(t, res.Error)
	require.Equal(t, "'all'", res.Results[0].Text)
	require.Positive(t, large.Load())
	require.Less(t, large.Load(), int32(300))

	// More than once: calls of the run before may still be under way.
	res = ran(t, s, code.JavaScript, `for (let n = 0; n < 200; n++) {
  call(2e6 + n, 'hangs');
  if (n % 40 === 39) await new Promise((r) => setTimeout(r, 200));
}
'all'`, code.RunOptions{})
	require.Nil(t, res.Error)
	require.Equal(t, "'all'", res.Results[0].Text)
	require.EqualValues(t, 16, hanging.Load())
}

// A fork of the interpreter prints, and reads nothing that is for it.
func TestForkPrints(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	var out, errOut bytes.Buffer
	res := ran(t, s, code.Python, `import os, sys
print('parent', flush=True)
pid = os.fork()
if pid == 0:
    print('err', file=sys.stderr)
    print('out', flush=True)
    os._exit(0)
os.waitpid(pid, 0)[1]`, code.RunOptions{Stdout: &out, Stderr: &errOut})
	require.Nil(t, res.Error)
	require.Equal(t, "parent\nout\n", out.String())
	require.Equal(t, "err\n", errOut.String())
}

// Languages that cannot call functions run as ever.
func TestExposeElsewhere(t *testing.T) {
	for l, c := range map[code.Language]struct{ program, source string }{
		code.Bash: {"bash", "echo 1"}, code.R: {"Rscript", "cat('1\\n')"},
	} {
		t.Run(string(l), func(t *testing.T) {
			needs(t, c.program)
			s := agbtest.NewSession(t)
			exposeSlow(t, s)
			res, err := s.Code.Run(t.Context(), l, c.source, &code.RunOptions{Timeout: time.Minute})
			require.NoError(t, err)
			require.Equal(t, "1\n", res.Stdout)
		})
	}
}

// An exception that cannot even be printed ends its run, and no more.
func TestExceptionThatRaises(t *testing.T) {
	needs(t, "python3")
	s := agbtest.NewSession(t)
	ran(t, s, code.Python, "x = 1", code.RunOptions{})
	res := ran(t, s, code.Python, "class E(BaseException):\n  def __str__(self): raise self\nraise E()", code.RunOptions{})
	require.Equal(t, "E", res.Error.Name)
	require.False(t, res.Ended)
	require.Equal(t, "1", ran(t, s, code.Python, "x", code.RunOptions{}).Results[0].Text)
}

// An error of a function is one of the place that called it.
func TestPlaceOfAFunctionsError(t *testing.T) {
	needs(t, "node")
	s := agbtest.NewSession(t)
	require.NoError(t, code.Expose(s.Code, "half", func(_ context.Context, n int) (int, error) { return n / 2, nil }, nil))
	res := ran(t, s, code.JavaScript, "const n = 1;\nawait half('x')", code.RunOptions{})
	require.Regexp(t, `^cell1\.js:2\nawait half\('x'\)\n\nError: half\(\).* want an integer, got a string\n    at cell1\.js:2:\d+\n`, res.Error.Traceback)
	res = ran(t, s, code.JavaScript, "await half(10n)", code.RunOptions{})
	require.Regexp(t, `^cell2\.js:1\nawait half\(10n\)\n\nTypeError: .*BigInt`, res.Error.Traceback)
}
