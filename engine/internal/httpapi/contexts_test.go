package httpapi_test

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

func (c coder) open(t *testing.T, req wire.OpenContextRequest) wire.CodeContext {
	t.Helper()
	req.SessionID, req.Language = c.session, c.language
	return must(t, c.p, wire.OpenContext, req)
}

func (c coder) in(t *testing.T, id, code string) wire.RunCodeResult {
	t.Helper()
	return get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Code: code, Language: c.language, TimeoutS: 60, ContextID: id})
}

func (c coder) list(t *testing.T) []wire.CodeContext {
	t.Helper()
	return must(t, c.p, wire.ListContexts, wire.SessionQuery{SessionID: c.session}).Contexts
}

// State stays in a context, and in no other.
func TestContextsKeepState(t *testing.T) {
	for language, code := range map[string]struct{ set, get, print string }{
		"python":     {"import os; os.chdir('/tmp'); x = 1", "x += 1; [x, os.getcwd()]", "print(x)"},
		"javascript": {"process.chdir('/tmp'); let x = await Promise.resolve(1); const y = 1", "x += y; [x, process.cwd()]", "console.log(x)"},
		"bash":       {"cd /tmp; x=1", "x=$((x + 1)); echo $x $PWD", "echo $x"},
		"r":          {"setwd('/tmp'); x <- 1", "x <- x + 1; paste(x, getwd())", "cat(x, '\\n')"},
		"java":       {"int x = 1;", "x += 1; List.of(x, \"/tmp\")", "System.out.println(x)"},
	} {
		t.Run(language, func(t *testing.T) {
			c := newCoder(t, language)
			other := c.open(t, wire.OpenContextRequest{Name: "other", Dir: "/var", Env: map[string]string{"K": "v"}})
			require.Empty(t, c.run(t, code.set).ExecutionError)
			for n := 2; n < 4; n++ {
				r := c.run(t, code.get)
				require.Empty(t, r.ExecutionError)
				text := strings.Join(r.Stdout, "")
				if len(r.Results) > 0 {
					text = mainResult(t, r).(string)
				}
				require.Contains(t, text, strconv.Itoa(n))
				require.Contains(t, text, "/tmp")
			}
			if language != "bash" {
				require.NotEmpty(t, c.in(t, other.ID, code.print).ExecutionError, "it is not there")
			}
			require.Empty(t, c.in(t, other.ID, code.set).ExecutionError)
			require.Equal(t, []string{"1"}, strings.Fields(strings.Join(c.in(t, other.ID, code.print).Stdout, "")))

			list := c.list(t)
			require.Len(t, list, 2)
			require.NotEqual(t, list[0].Default, list[1].Default)

			// Restarting loses it, which nobody needs to be told of.
			must(t, c.p, wire.RestartContext, wire.ContextRequest{SessionID: c.session, ContextID: other.ID})
			r := c.in(t, other.ID, code.set)
			require.Equal(t, 1, *r.ExecutionCount)
			require.Empty(t, r.Restarted)
			must(t, c.p, wire.CloseContext, wire.ContextRequest{SessionID: c.session, ContextID: other.ID})
			refuse(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: language, Code: code.print, ContextID: other.ID})
			require.Len(t, c.list(t), 1)
		})
	}
}

// A context that dies is reported as what it was, and the next run says so.
func TestContextsThatDie(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, "x = 1")
	r := c.run(t, "import os; os._exit(3)")
	failed(t, r, "ExitError", "exit status 3")
	require.True(t, r.Ended)
	r = c.run(t, "x")
	failed(t, r, "NameError", "x")
	require.Contains(t, r.Restarted, "exit status 3")
	require.Equal(t, 1, *r.ExecutionCount)
	require.Empty(t, c.run(t, "1").Restarted)

	// An error is told even by code that has broken what errors are told with.
	failed(t, c.run(t, "import traceback; traceback.TracebackException = None; 1/0"), "ZeroDivisionError", "division by zero")
	require.Empty(t, c.run(t, "1").Restarted)

	failed(t, c.run(t, "import ctypes; ctypes.string_at(0)"), "ExitError", "signal 11")
	require.Contains(t, c.run(t, "1").Restarted, "signal 11")
	// What ends it while nothing runs is told, too.
	c.run(t, "import threading\nthreading.Timer(0.05, lambda: os._exit(4)).start()\nimport os")
	for r = c.run(t, "1"); r.Restarted == ""; r = c.run(t, "1") {
		time.Sleep(50 * time.Millisecond)
	}
	require.Contains(t, r.Restarted, "exit status 4")
	// A fork of it is nobody.
	r = c.run(t, "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\n7")
	require.Equal(t, "7", mainResult(t, r))
	require.Equal(t, "8", mainResult(t, c.run(t, "8")))
}

// A run that is interrupted keeps the state, one that does not heed it does not.
func TestContextsAreInterrupted(t *testing.T) {
	for language, code := range map[string]struct{ set, loop, get string }{
		"python":     {"x = 1", "while True: pass", "print(x)"},
		"javascript": {"var x = 1", "while (true) {}", "console.log(x)"},
		"bash":       {"x=1", "while :; do :; done", "echo $x"},
		"r":          {"x <- 1", "repeat {}", "cat(x)"},
		"java":       {"int x = 1;", "while (true) {}", "System.out.print(x)"},
	} {
		t.Run(language, func(t *testing.T) {
			c := newCoder(t, language)
			c.run(t, code.set)
			list := c.list(t)
			require.Len(t, list, 1)
			over := make(chan struct{})
			var running sync.WaitGroup
			var r wire.RunCodeResult
			running.Go(func() {
				r = c.run(t, code.loop)
				close(over)
			})
			for waiting := true; waiting; {
				select {
				case <-over:
					waiting = false
				case <-time.After(100 * time.Millisecond): // it may have begun
					must(t, c.p, wire.InterruptContext, wire.ContextRequest{SessionID: c.session, ContextID: list[0].ID})
				}
			}
			require.False(t, r.TimedOut)
			require.False(t, r.Ended)
			require.NotEmpty(t, r.ExecutionError)
			c.run(t, code.set) // which the last interrupt may come to, if it is late
			r = get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: language, Code: code.loop, TimeoutMS: 300})
			require.True(t, r.TimedOut)
			require.Equal(t, []string{"1"}, strings.Fields(strings.Join(c.run(t, code.get).Stdout, "")))
			// Nothing runs, nothing is interrupted.
			must(t, c.p, wire.InterruptContext, wire.ContextRequest{SessionID: c.session, ContextID: list[0].ID})
			require.Empty(t, c.run(t, code.get).ExecutionError)
		})
	}

	// So is one that waits for what never comes.
	for language, code := range map[string]string{
		"python": "import asyncio; await asyncio.Event().wait()", "javascript": "await new Promise(() => {})",
	} {
		c := newCoder(t, language)
		r := get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: language, TimeoutMS: 300, Code: code})
		require.True(t, r.TimedOut)
		require.False(t, r.Ended)
		require.Empty(t, c.run(t, "1").Restarted)
	}

	c := newCoder(t, "python")
	start := time.Now()
	r := get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{
		Language: "python", TimeoutMS: 300, Code: "print('partial', flush=True)\nimport signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
	})
	require.True(t, r.TimedOut)
	require.True(t, r.Ended)
	require.Equal(t, []string{"partial\n"}, r.Stdout)
	require.Less(t, time.Since(start), 10*time.Second)
	require.NotEmpty(t, c.run(t, "1").Restarted)
}

// An interrupt that comes before a run has begun is not lost.
func TestContextsAreInterruptedAtOnce(t *testing.T) {
	for language, code := range map[string]struct{ set, wait, get string }{
		"python":     {"x = 1", "import time; time.sleep(100)", "print(x)"},
		"javascript": {"var x = 1", "while (true) {}", "console.log(x)"},
		"bash":       {"x=1", "sleep 100", "echo $x"},
		"r":          {"x <- 1", "Sys.sleep(100)", "cat(x)"},
		"java":       {"int x = 1;", "Thread.sleep(100000)", "System.out.print(x)"},
	} {
		t.Run(language, func(t *testing.T) {
			c := newCoder(t, language)
			c.run(t, code.set)
			for range 5 {
				r := get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: language, Code: code.wait, TimeoutMS: 1})
				require.True(t, r.TimedOut)
				require.False(t, r.Ended)
			}
			require.Equal(t, []string{"1"}, strings.Fields(strings.Join(c.run(t, code.get).Stdout, "")))
		})
	}
}

// What earlier runs have left behind writes to no later one.
func TestLateOutput(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, "import threading, time\ngo = threading.Event()\ndef f():\n  go.wait()\n  print('late')\nt = threading.Thread(target=f); t.start()")
	r := c.run(t, "go.set(); t.join(); print('mine')")
	require.Equal(t, []string{"mine\n"}, r.Stdout)
	require.Empty(t, r.LateStdout)
	require.Equal(t, "late\n", c.run(t, "1").LateStdout)
	c.run(t, "import subprocess\nsubprocess.Popen(['sh', '-c', 'sleep 0.1; echo left; touch /tmp/left'])")
	shell(t, c.p, c.session, wire.ShellArgs{Command: "until [ -e /tmp/left ]; do sleep 0.05; done; sleep 0.2"})
	r = c.run(t, "print('mine')")
	require.Equal(t, []string{"mine\n"}, r.Stdout)
	require.Equal(t, "left\n", r.LateStdout)

	c = newCoder(t, "javascript")
	c.run(t, "setTimeout(() => console.log('late'), 20); 1")
	r = c.run(t, "await new Promise((r) => setTimeout(r, 100)); console.log('mine')")
	require.Equal(t, []string{"mine\n"}, r.Stdout)
	require.Equal(t, "late\n", r.LateStdout+c.run(t, "1").LateStdout, "before it, or while it ran")

	c = newCoder(t, "java")
	c.run(t, `var go = new CountDownLatch(1);
var t = new Thread(() -> {
    try { go.await(); } catch (InterruptedException e) { }
    System.out.println("late");
    System.err.print("é".repeat(50000));
});
t.start();
var later = new Thread(() -> System.out.print(", mine"));
var pool = Executors.newSingleThreadExecutor();
pool.submit(() -> System.out.println("mine")).get();`)
	r = c.run(t, `go.countDown(); t.join(); System.out.print("mine"); later.start(); later.join(); pool.submit(() -> System.out.println(", too")).get(); pool.shutdown();`)
	require.Equal(t, []string{"mine, mine, too\n"}, r.Stdout)
	require.Empty(t, r.Stderr)
	r = c.run(t, "1")
	require.Equal(t, "late\n", r.LateStdout)
	require.True(t, strings.HasPrefix(r.LateStderr, strings.Repeat("é", 30000)))
}

// A run that ends its interpreter is told what it has taken itself.
func TestUsageOfALastRun(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, "sum(range(20_000_000))")
	time.Sleep(300 * time.Millisecond)
	r := c.run(t, "import os; os._exit(0)")
	require.True(t, r.Ended)
	require.Less(t, r.DurationUS, int64(300_000))
	require.Less(t, r.CPUTimeUS, int64(200_000))
}

func TestInput(t *testing.T) {
	in := "a\n€\n"
	for language, code := range map[string][2]string{
		"python": {"print(input(), input())", "import sys; print(sys.stdin.read() == '')"},
		"bash":   {"read x; read y; echo $x $y", "read x || echo True"},
	} {
		c := newCoder(t, language)
		for _, fresh := range []bool{false, true} {
			args := wire.RunCodeArgs{Language: language, Code: code[0], Stdin: &in, Fresh: fresh}
			require.Equal(t, []string{"a €\n"}, get(t, c.p, c.session, wire.RunCode, args).Stdout)
			args.Code, args.Stdin = code[1], nil
			require.Equal(t, []string{"True\n"}, get(t, c.p, c.session, wire.RunCode, args).Stdout)
		}
	}
}

func TestContextsAreBounded(t *testing.T) {
	c := newCoder(t, "bash")
	const limit = 16
	for range limit - 1 { // one is the default
		c.open(t, wire.OpenContextRequest{})
	}
	_, a := ask(t, c.p, wire.OpenContext, wire.OpenContextRequest{SessionID: c.session, Language: "bash"})
	require.Equal(t, "Throttling", a.Code)
	all := c.list(t)
	require.Len(t, all, limit)
	var running sync.WaitGroup
	for i, one := range all {
		running.Go(func() {
			for range 3 {
				c.in(t, one.ID, "n=$((n + 1)); i="+strconv.Itoa(i))
			}
		})
	}
	running.Wait()
	for i, one := range all {
		require.Equal(t, []string{"3 " + strconv.Itoa(i) + "\n"}, c.in(t, one.ID, "echo $n $i").Stdout)
	}
	must(t, c.p, wire.CloseContext, wire.ContextRequest{SessionID: c.session, ContextID: all[3].ID})
	c.open(t, wire.OpenContextRequest{})

	for _, bad := range []wire.OpenContextRequest{
		{Language: "cobol"}, {Language: "go"}, {Language: "bash", Name: strings.Repeat("x", 129)}, {Language: "bash", Dir: "\x00"},
		{Language: "bash", Env: map[string]string{"": "x"}},
	} {
		bad.SessionID = c.session
		_, a := ask(t, c.p, wire.OpenContext, bad)
		require.Equal(t, "InvalidParameter", a.Code)
	}
}

func TestGo(t *testing.T) {
	c := newCoder(t, "go")
	require.Equal(t, []string{"42\n"}, c.run(t, "fmt.Println(6 * 7)").Stdout)
	failed(t, c.run(t, "os.Exit(3)"), "ExitError", "exit status 3")

	r := c.run(t, "fmt.Println(1)\nx := 2\n  y(\n)")
	failed(t, r, "CompileError", "declared and not used: x")
	require.Equal(t, "cell.go:2: declared and not used: x\n    x := 2\ncell.go:3: undefined: y\n    y(\n", r.Error.Traceback)
	require.Equal(t, "# command-line-arguments\ncell.go:2: declared and not used: x\ncell.go:3: undefined: y\n", strings.Join(r.Stderr, ""))
	r = c.run(t, "import \"nosuch\"\n")
	failed(t, r, "CompileError", "package nosuch is not in std")
	require.Regexp(t, `^cell\.go:1: package nosuch .*\n    import "nosuch"\n$`, r.Error.Traceback)

	r = c.run(t, "func f(a []int, i int) int {\n\treturn a[i]\n}\n\nfunc main() {\n\tprint(\"x\")\n\tf([]int{1}, len(os.Args))\n}")
	failed(t, r, "panic", "runtime error: index out of range [1] with length 1")
	require.Regexp(t, `^panic: runtime error: index .*\n\nmain\.f\(.*\)\n\tcell\.go:2\n\t    return a\[i\]\n\nmain\.main\(\)\n\tcell\.go:7\n\t    f\(`, r.Error.Traceback)
	require.Equal(t, 1, strings.Count(strings.Join(r.Stderr, ""), "runtime error"))
	failed(t, c.run(t, "<-make(chan int)"), "fatal error", "all goroutines are asleep - deadlock!")
	failed(t, c.run(t, "fmt.Fprintln(os.Stderr, `panic: not`); os.Exit(2)"), "ExitError", "exit status 2")
}

func TestLanguages(t *testing.T) {
	p := newPeer(t)
	id := p.create(t, nil)
	list := must(t, p, wire.ListLanguages, wire.SessionQuery{SessionID: id}).Languages
	require.Len(t, list, 7)
	for _, l := range list {
		require.NotEqual(t, l.Available, l.Missing != "", "%+v", l)
		if l.Available {
			require.Regexp(t, `[0-9]+\.[0-9]+`, l.Version, l.Name)
		}
		if l.Name == "bash" {
			require.True(t, l.Available)
			require.Contains(t, l.Aliases, "sh")
		}
	}
}
