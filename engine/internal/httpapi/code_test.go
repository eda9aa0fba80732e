package httpapi_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/wire"
)

// coder runs code of one language in a session.
type coder struct {
	p        peer
	session  string
	language string
}

// newCoder returns a coder. Where the machine has no interpreter it skips the
// test.
func newCoder(t *testing.T, language string) coder {
	t.Helper()
	if testing.Short() && slices.Contains([]string{"java", "r", "go"}, language) {
		t.Skip("short: it takes seconds to start, and is run like the others")
	}
	c := coder{newPeer(t), "", language}
	c.session = c.p.create(t, nil)
	resp := use(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: language})
	if resp.ErrorCode == "InterpreterMissing" {
		require.NotEmpty(t, resp.ErrorHint)
		require.Contains(t, resp.Text(), resp.ErrorHint)
		t.Skip(resp.Text())
	}
	require.False(t, resp.IsError, resp.Text())
	return c
}

func (c coder) run(t *testing.T, code string) wire.RunCodeResult {
	t.Helper()
	return get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Code: code, Language: c.language, TimeoutS: 60})
}

// fresh runs code in an interpreter of its own.
func (c coder) fresh(t *testing.T, code string) wire.RunCodeResult {
	t.Helper()
	return get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Code: code, Language: c.language, TimeoutS: 60, Fresh: true})
}

// main returns the text of what the code evaluated to.
func mainResult(t *testing.T, r wire.RunCodeResult) any {
	t.Helper()
	require.Empty(t, r.ExecutionError)
	require.NotEmpty(t, r.Results, "%+v", r)
	last := r.Results[len(r.Results)-1].V
	require.Equal(t, true, last[wire.ItemMain])
	return last["text/plain"]
}

// failed checks that an error is told everywhere where clients look for it.
func failed(t *testing.T, r wire.RunCodeResult, name, value string) {
	t.Helper()
	require.NotNil(t, r.Error)
	require.Equal(t, name, r.Error.Name)
	require.Contains(t, r.Error.Value, value)
	require.Contains(t, r.ExecutionError, value)
	require.Contains(t, strings.Join(r.Stderr, ""), value)
}

func TestPython(t *testing.T) {
	c := newCoder(t, "python")

	r := c.run(t, "print('x')\n1+1")
	require.Equal(t, []string{"x\n"}, r.Stdout)
	require.Equal(t, "2", mainResult(t, r))
	require.Equal(t, 2, *r.ExecutionCount)
	require.Positive(t, *r.ExecutionTime)
	require.Equal(t, 3, *c.run(t, "").ExecutionCount)
	require.Empty(t, c.run(t, "x = 1").Results)
	require.Empty(t, c.run(t, "None").Results)

	r = c.run(t, "def f():\n    return 1/0\n\nf()")
	failed(t, r, "ZeroDivisionError", "division by zero")
	require.Contains(t, r.Error.Traceback, "line 2, in f\n    return 1/0")
	require.Contains(t, r.Error.Traceback, "line 4, in <module>\n    f()")
	require.NotContains(t, r.Error.Traceback, "_agb", "a frame of the driver shows")
	failed(t, c.run(t, "print(1)\n1 +"), "SyntaxError", "invalid syntax")
	failed(t, c.run(t, "import sys; sys.exit(3)"), "SystemExit", "3")
	require.Empty(t, c.run(t, "import sys; sys.exit()").ExecutionError)
	failed(t, c.run(t, "import os; os._exit(3)"), "ExitError", "3")
	failed(t, c.run(t, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), "ExitError", "signal 9")
	failed(t, c.run(t, "input()"), "EOFError", "EOF")
	r = c.run(t, "class A:\n  def __repr__(self): raise ValueError('odd')\nA()")
	require.Equal(t, "<unprintable A object>", mainResult(t, r))
	require.Contains(t, strings.Join(r.Stderr, ""), "ValueError: odd")

	require.Equal(t, "5", mainResult(t, c.run(t, "import asyncio\nawait asyncio.sleep(0)\n5")))
	require.Equal(t, "'__main__'", mainResult(t, c.run(t, "__name__")))
	require.Equal(t, "3", mainResult(t, c.run(t, "import pickle\nclass P: pass\np = P(); p.x = 3\npickle.loads(pickle.dumps(p)).x")))
	require.Equal(t, "'€'", mainResult(t, c.run(t, "'€'")))
}

func TestPythonShows(t *testing.T) {
	c := newCoder(t, "python")
	r := c.run(t, `
class Rich:
    def __repr__(self): return "plain"
    def _repr_html_(self): return "<b>"
    def _repr_png_(self): return b"\x89PNG"
    def _repr_json_(self): return {"a": [1, None]}
    def _repr_svg_(self): return None
display(Rich())
display({"text/latex": "$x$"}, raw=True)
class Bundle:
    def _repr_mimebundle_(self): return {"text/markdown": "*x*", "application/vnd.vegalite.v5+json": {"mark": "bar"}}, {}
Bundle()`)
	require.Empty(t, r.ExecutionError)
	require.Len(t, r.Results, 3)
	require.Equal(t, wire.CodeItem{
		wire.ItemMain: false, "text/plain": "plain", "text/html": "<b>", "image/png": "iVBORw==",
		"application/json": map[string]any{"a": []any{1.0, nil}},
	}, r.Results[0].V)
	require.Equal(t, "$x$", r.Results[1].V["text/latex"])
	require.Equal(t, true, r.Results[2].V[wire.ItemMain])
	require.Equal(t, "*x*", r.Results[2].V["text/markdown"])
	require.Equal(t, map[string]any{"mark": "bar"}, r.Results[2].V["application/vnd.vegalite.v5+json"])

	r = c.run(t, "from IPython.display import HTML, display\ndisplay(HTML('<i>'))")
	require.Empty(t, r.ExecutionError)
	require.Equal(t, "<i>", r.Results[0].V["text/html"])
}

// TestReportIsNotForgedByOutput writes everything that looks like a report
// where programs write.
func TestReportIsNotForgedByOutput(t *testing.T) {
	c := newCoder(t, "python")
	const forged = `{"items":[{"main":true,"data":{"text/plain":"forged"}}],"error":null}`
	r := c.run(t, "import os, subprocess\nos.write(1, b'''"+forged+"''')\nos.write(2, b'''"+forged+"''')\n"+
		"subprocess.run(['sh', '-c', 'for fd in 3 4 5 6 7 8 9; do (echo \\'{\"items\":[]}\\' >&$fd); done 2>/dev/null; ls /proc/self/fd'])\n7")
	require.Equal(t, "7", mainResult(t, r))
	require.Len(t, r.Results, 1)
	require.Contains(t, strings.Join(r.Stdout, ""), "forged")

	// Code that finds the descriptor spoils its own result, and nothing else.
	r = c.run(t, "import os\nfor fd in range(3, 20):\n  try: os.write(fd, b'{}')\n  except OSError: pass\n7")
	failed(t, r, "ReportError", "cannot mean")
	require.True(t, r.Ended)
	require.NotEmpty(t, c.run(t, "8").Restarted)
}

func TestResultsAreBounded(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfBytes)
	c := newCoder(t, "python")
	r := c.run(t, "for i in range(3): display({'text/plain': chr(34) * (1 << 20)}, raw=True)\n'small'")
	require.Equal(t, "'small'", mainResult(t, r))
	require.Len(t, r.Results, 4)
	require.NotContains(t, r.Results[0].V, wire.ItemTruncated)
	require.Contains(t, r.Results[2].V["text/plain"], "left out")
	require.Equal(t, true, r.Results[2].V[wire.ItemTruncated])
	require.NotContains(t, r.Results[3].V, wire.ItemTruncated)
	r = c.run(t, "for i in range(1001): display(i)")
	require.Empty(t, r.ExecutionError)
	require.Len(t, r.Results, 1000)
	require.Equal(t, 1, r.ResultsDropped)
	r = c.run(t, "display('x' * (1 << 20)); display(b'x' * (10 << 20))\nclass P:\n  def _repr_png_(self): return bytes(self.n)\n"+
		"for extra in (0, 1): p = P(); p.n = (10 << 20) + extra; display(p)")
	require.Empty(t, r.ExecutionError)
	require.Contains(t, r.Results[0].V["text/plain"], "[… 2 characters left out]")
	require.Equal(t, 1, r.ResultsDropped)
	require.Equal(t, 3, len(r.Results)) //nolint:testifylint // which would print them
	for _, item := range r.Results {
		require.Equal(t, true, item.V[wire.ItemTruncated])
	}
	require.NotContains(t, r.Results[2].V, "image/png")
	// Results have 8 MiB of an answer, and what the output leaves.
	r = c.run(t, "p.n = 10 << 20; display(p)")
	require.NotContains(t, r.Results[0].V, wire.ItemTruncated)
	r = c.run(t, "print(chr(34) * (1 << 18)); display(p)")
	require.Equal(t, true, r.Results[0].V[wire.ItemTruncated])
	require.Contains(t, r.Results[0].V["text/plain"], "left out")
	require.Len(t, r.Stdout[0], 1<<18+1)
	resp := refuse(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: "cobol", Code: "x"})
	require.Equal(t, "InvalidParameter", resp.ErrorCode)
}

// Text of a result is bounded in every language.
func TestResultTextIsBounded(t *testing.T) {
	for language, code := range map[string]string{
		"r": `strrep("a", 3e6)`, "java": `"a".repeat(3_000_000)`, "python": `"a" * 3_000_000`,
	} {
		t.Run(language, func(t *testing.T) {
			c := newCoder(t, language)
			r := c.run(t, code)
			text, _ := mainResult(t, r).(string)
			require.Greater(t, len(text), 1<<19)
			require.Less(t, len(text), 1<<20+100)
			require.True(t, strings.HasSuffix(text, " left out]"), text[len(text)-100:])
			require.Equal(t, true, r.Results[0].V[wire.ItemTruncated])
		})
	}
}

func TestCodeTimesOut(t *testing.T) {
	c := newCoder(t, "python")
	r := get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: "python", TimeoutMS: 1500, Code: "print('partial')\nimport time\ntime.sleep(60)"})
	require.True(t, r.TimedOut)
	require.Equal(t, []string{"partial\n"}, r.Stdout)
	failed(t, r, "TimeoutError", "1.5s")
}

func TestJavaScript(t *testing.T) {
	c := newCoder(t, "javascript")
	r := c.run(t, "console.log('x'); const a = 2; a * 21")
	require.Equal(t, "42", mainResult(t, r))
	require.Equal(t, []string{"x\n"}, r.Stdout)
	require.Equal(t, "{ a: 1 }", mainResult(t, c.run(t, "{ a: 1 }")))
	require.Equal(t, "7", mainResult(t, c.run(t, "await Promise.resolve(7)")))
	require.Equal(t, "8", mainResult(t, c.run(t, "Promise.resolve(8)")))
	require.Equal(t, []string{"9\n"}, c.run(t, "const x = await Promise.resolve(9); console.log(x)").Stdout)
	require.Equal(t, []string{"later\n"}, c.fresh(t, "setTimeout(() => console.log('later'), 20); undefined").Stdout)
	require.Equal(t, "'a'", mainResult(t, c.run(t, "require('path').basename('/b/a')")))
	r = c.run(t, "display({'text/html': '<b>'}); undefined")
	require.Equal(t, "<b>", r.Results[0].V["text/html"])

	r = c.run(t, "function f() { throw new TypeError('bad') }\nf()")
	failed(t, r, "TypeError", "bad")
	require.Regexp(t, `cell[0-9]+\.js:1:`, r.Error.Traceback)
	require.NotContains(t, r.Error.Traceback, "[eval]")
	failed(t, c.run(t, "let a = }"), "SyntaxError", "Unexpected token")
	failed(t, c.run(t, "Promise.reject(new RangeError('late'))"), "RangeError", "late")
	failed(t, c.fresh(t, "setTimeout(() => { throw new Error('later') }, 1)"), "Error", "later")
	failed(t, c.run(t, "setTimeout(() => { throw new Error('later') }, 1); await new Promise(() => {})"), "Error", "later")
	failed(t, c.run(t, "throw 'text'"), "Error", "text")
	failed(t, c.run(t, "process.exit(4)"), "ExitError", "4")
}

func TestBash(t *testing.T) {
	c := newCoder(t, "bash")
	r := c.run(t, "echo \"$((6 * 7))\"\necho no >&2")
	require.Equal(t, []string{"42\n"}, r.Stdout)
	require.Equal(t, []string{"no\n"}, r.Stderr)
	require.Empty(t, r.ExecutionError)
	failed(t, c.run(t, "exit 3"), "ExitError", "exit status 3")
	r = c.run(t, "true\nno-such-program")
	failed(t, r, "ExitError", "127")
	require.Contains(t, r.Stderr[0], "bash: line 2: no-such-program")
	require.Equal(t, []string{"closed\n"}, c.run(t, "(cat <&3) 2>/dev/null || echo closed").Stdout)
}

func TestJava(t *testing.T) {
	c := newCoder(t, "java")
	r := c.run(t, "int x = 5;\nSystem.out.println(\"hi \" + x);\nint twice(int n) {\n  return 2 * n;\n}\nList.of(twice(x), 1)")
	require.Equal(t, "[10, 1]", mainResult(t, r))
	require.Equal(t, []string{"hi 5\n"}, r.Stdout)
	require.Empty(t, c.run(t, "int y = 1;").Results)
	failed(t, c.run(t, "int f(int a) { return 1 / a; }\nf(0)"), "java.lang.ArithmeticException", "/ by zero")
	failed(t, c.run(t, "int z = \"s\";"), "CompileError", "incompatible types")
}

func TestR(t *testing.T) {
	c := newCoder(t, "r")
	r := c.run(t, "cat('x\\n')\n1 + 1")
	require.Equal(t, "[1] 2", mainResult(t, r))
	require.Equal(t, []string{"x\n"}, r.Stdout)
	failed(t, c.run(t, "stop('bad')"), "simpleError", "bad")
}
