package httpapi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// What a pool of an earlier cell does for a cell is that cell's.
func TestPythonCellsUseEarlierPools(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\npool.submit(print, 'first').result()")
	require.Equal(t, []string{"second\n"}, c.run(t, "pool.submit(print, 'second').result()").Stdout)
	for range 2 {
		require.Equal(t, []string{"a\n"}, c.run(t, "import asyncio\nawait asyncio.to_thread(print, 'a')").Stdout)
	}
	for code, name := range map[string]string{
		"def f(): 1 / 0\npool.submit(f).result()":          "ZeroDivisionError",
		"import _thread; _thread.start_new_thread(int, 1)": "TypeError",
	} {
		r := c.run(t, code)
		failed(t, r, name, "")
		require.NotContains(t, r.Error.Traceback, "<string>", "it has no frames of the driver")
	}
}

// So it can call the functions of the client.
func TestPythonCellsCallFromEarlierPools(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(1)\npool.submit(int).result()")
	s := c.runsCode(t, "pool.submit(lambda: f(1)).result()", "f")
	kind, _, err := wire.NewFrameReader(s.r).Next()
	require.NoError(t, err)
	require.Equal(t, wire.FrameCall, kind)
}

// What is left of an earlier cell writes to no later one, whatever it is.
func TestPythonCellsLeaveLateOutput(t *testing.T) {
	for name, code := range map[string]string{
		"a timer that starts another": `
import threading
def tick(n=0):
    if n: print('late')
    if n < 2: threading.Timer(0.05, tick, [n + 1]).start()
tick()`,
		"a thread without an object": "import _thread, time\ndef f():\n    for _ in range(2): time.sleep(0.05); print('late')\n_ = _thread.start_new_thread(f, ())",
		"bytes": `
import sys, threading, time
def f():
    for _ in range(2): time.sleep(0.05); sys.stdout.buffer.write(b'late\n'); sys.stdout.flush()
threading.Thread(target=f).start()`,
		"a task": `
import asyncio
async def f():
    for _ in range(2):
        await asyncio.sleep(0.05)
        await asyncio.to_thread(print, 'late')
await asyncio.sleep(0)
task = asyncio.get_running_loop().create_task(f())`,
	} {
		c := newCoder(t, "python")
		require.Empty(t, c.run(t, code+"\nNone").Stdout, name)
		r := c.run(t, "import asyncio, time\nprint('mine', end='')\nfor _ in range(20): time.sleep(0.01); await asyncio.sleep(0.01)\nprint()")
		require.Equal(t, "mine\n", strings.Join(r.Stdout, ""), name)
		require.Equal(t, "late\nlate\n", r.LateStdout+c.run(t, "1").LateStdout, name)
	}
}

// A program that a thread of an earlier cell forks writes as any program does.
func TestPythonCellsLeaveForks(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, `
import os, sys, threading
go = threading.Event()
def f():
    go.wait()
    pid = os.fork()
    if pid == 0:
        print('fork')
        sys.stdout.buffer.flush()
        os._exit(0)
    os.waitpid(pid, 0)
thread = threading.Thread(target=f); thread.start()`)
	require.Equal(t, []string{"fork\n"}, c.run(t, "go.set(); thread.join()").Stdout)
}

// A runner of tasks that an earlier cell made, with its context, runs a cell's own.
func TestPythonCellsUseEarlierContexts(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, "import contextvars, threading\nthread = threading.Thread(target=int); thread.start(); context = contextvars.copy_context()")
	require.Equal(t, []string{"mine\n"}, c.run(t, "context.run(print, 'mine')").Stdout)
}

// The statements of a cell and its last expression are one task.
func TestPythonCellsAwaitTheirTasks(t *testing.T) {
	c := newCoder(t, "python")
	const work = "import asyncio\nasync def work(): return 42\n"
	require.Equal(t, "42", mainResult(t, c.run(t, work+"t = asyncio.create_task(work())\nawait t")))
	require.Equal(t, "43", mainResult(t, c.run(t, "t = asyncio.ensure_future(work())\nx = await t\nx + 1")))
	failed(t, c.run(t, work+"t = asyncio.create_task(work())"), "RuntimeError", "no running event loop")
}

// A cell that ends with a semicolon shows no main result.
func TestPythonCellsAreSilenced(t *testing.T) {
	c := newCoder(t, "python")
	for _, code := range []string{"42;", "(42); # ;", "'€;' ;\n\n# end", "x = 1; 42 ;", "42;\r\n", "42 \\\n ;", "[1,\n 2];", "await __import__('asyncio').sleep(0, 1);"} {
		require.Empty(t, c.shows(t, code), code)
	}
	for _, code := range []string{"';'", "42 # ;", "1; 42", "x = 1; (42\n)", "'''\n;'''", "42\n# ;"} {
		require.Len(t, c.shows(t, code), 1, code)
	}
}

// The name _ is the latest result as long as it is not the code's.
func TestPythonCellsNameTheirResult(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, "41")
	require.Equal(t, "42", mainResult(t, c.run(t, "_ + 1")))
	require.Equal(t, "42", mainResult(t, c.run(t, "_")))
	c.run(t, "_ = len")
	c.run(t, "1")
	require.Equal(t, "3", mainResult(t, c.run(t, "_('abc')")))
	c.run(t, "del _")
	c.run(t, "4")
	require.Equal(t, "4", mainResult(t, c.run(t, "_")))
}

// An error is cut, and not the end of its interpreter, however it is called.
func TestPythonCellsCutTheirErrors(t *testing.T) {
	c := newCoder(t, "python")
	for _, code := range []string{
		"raise ValueError('😀' * 70000)",
		"raise type('E' * 1_100_000, (Exception,), {})('x')",
		"raise type('É' * 1_100_000, (Exception,), {'__module__': '😀' * 70000})('😀' * 70000)",
		"raise SystemExit('😀' * 70000)",
	} {
		r := c.run(t, "mine = 1\n"+code)
		require.NotNil(t, r.Error, code)
		require.False(t, r.Ended, code)
		require.Equal(t, "1", mainResult(t, c.run(t, "mine")), code)
	}
	require.Equal(t, strings.Repeat("x", 64<<10), c.run(t, "raise ValueError('x' * 70000)").Error.Value)
}

// A cell that exits leaves the next an input.
func TestPythonCellsReadAfterExit(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, "exit()")
	failed(t, c.run(t, "input()"), "EOFError", "EOF")
}

// What is left of an earlier cell shows no results of a later one.
func TestPythonCellsShowTheirOwnResults(t *testing.T) {
	c := newCoder(t, "python")
	require.Len(t, c.shows(t, `
import threading
go = threading.Event()
def f():
    display('early')
    shown.set()
    go.wait()
    display('late')
    display({'text/html': 'late'}, raw=True)
shown = threading.Event()
thread = threading.Thread(target=f); thread.start()
_ = shown.wait()`), 1)
	items := c.shows(t, "go.set(); thread.join(); display('mine')")
	require.Len(t, items, 1)
	require.Equal(t, "'mine'", items[0]["text/plain"])
	require.Equal(t, strings.Repeat("[a result that was shown after its run is left out]\n", 2), c.run(t, "1").LateStdout)
}

// The lines of cells are found, whenever what finds them is imported.
func TestPythonCellsHaveLines(t *testing.T) {
	c := newCoder(t, "python")
	c.run(t, "def f():\n    raise ValueError('x') # here")
	r := c.run(t, "import traceback\ntry: f()\nexcept ValueError: traceback.print_exc()")
	require.Contains(t, strings.Join(r.Stderr, ""), "raise ValueError('x') # here")
	require.Contains(t, strings.Join(r.Stderr, ""), "try: f()")
	require.Equal(t, []string{"def f():\n    raise ValueError('x') # here\n"}, c.run(t, "import inspect\nprint(inspect.getsource(f))").Stdout)
}

// What extensions print is of the cell that has them print.
func TestPythonCellsHaveOutputOfExtensions(t *testing.T) {
	c := newCoder(t, "python")
	if c.run(t, "import ctypes").Error != nil {
		t.Skip("Python has no ctypes")
	}
	const code = "import ctypes\nctypes.CDLL(None).printf(b'from C\\n');"
	for range 2 {
		require.Equal(t, []string{"from C\n"}, c.run(t, code).Stdout)
	}
	// An extension of the code's own is one of Python's at another place.
	require.Equal(t, []string{"own\n"}, newCoder(t, "python").run(t, `
import importlib.util, shutil, sys
spec = importlib.util.find_spec("_ctypes")
spec = importlib.util.spec_from_file_location("_ctypes", shutil.copy(spec.origin, "/tmp/own.so"))
own = sys.modules["_ctypes"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(own)
assert "ctypes" not in sys.modules
own.call_function(own.dlsym(own.dlopen(None, 0), "puts"), (b"own",));
sys.stdout.flush()`).Stdout)
}

// The compiler of a tree has no line of the code to tell.
func TestPythonCellsLinesOfSyntaxErrors(t *testing.T) {
	c := newCoder(t, "python")
	for code, want := range map[string]string{
		"def f():\n    return await x": `, line 2\n    return await x\n +\^+\nSyntaxError: 'await' outside async function`,
		"x = 1\nreturn 3":              `, line 2\n    return 3\n`,
		"def f(a, a): pass":            `, line 1\n    def f\(a, a\): pass\n`,
	} {
		r := c.run(t, code)
		require.NotNil(t, r.Error)
		require.Regexp(t, want, r.Error.Traceback)
	}
	require.Equal(t, []string{"bom\n"}, c.run(t, "\ufeffprint('bom')").Stdout)
}

func TestPythonCellsPlaceOfAnInterruptedAwait(t *testing.T) {
	c := newCoder(t, "python")
	r := get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{
		Language: "python", Code: "import asyncio\nasync def a():\n    await asyncio.sleep(60)\nawait a()", TimeoutMS: 500,
	})
	require.True(t, r.TimedOut)
	require.Regexp(t, `(?s)"<cell \d+>", line 4, in <module>\n    await a\(\)\n.*"<cell \d+>", line 3, in a\n    await asyncio.sleep\(60\)\n.*KeyboardInterrupt`, strings.Join(r.Stderr, ""))
	require.Equal(t, "2", mainResult(t, c.run(t, "1+1")))
}
