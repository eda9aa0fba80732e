package httpapi_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/wire"
)

// However long an error is, telling it does not end the interpreter.
func TestCellsLongErrors(t *testing.T) {
	for language, code := range map[string][]string{
		"javascript": {"var kept = 1", `var e = new Error('\u0001'.repeat(70000)); e.name = '\u0001'.repeat(70000); throw e`, "kept"},
		"r":          {"kept <- 1", `stop(errorCondition(strrep("\001", 70000), class = "long"))`, "kept"},
		"java":       {"int kept = 1;", `throw new RuntimeException("\u0101".repeat(70000));`, "kept"},
	} {
		t.Run(language, func(t *testing.T) {
			c := newCoder(t, language)
			c.run(t, code[0])
			r := c.run(t, code[1])
			require.NotNil(t, r.Error)
			require.Greater(t, len(r.Error.Value), 50000)
			require.Contains(t, mainResult(t, c.run(t, code[2])), "1")
		})
	}
}

// What a run has left behind has no results in the next.
func TestCellsLateResults(t *testing.T) {
	c := newCoder(t, "javascript")
	c.run(t, "setTimeout(() => display('stray'), 50); 1")
	r := c.run(t, "await new Promise((r) => setTimeout(r, 200)); 'mine'")
	require.Len(t, r.Results, 1)
	require.Equal(t, "'mine'", mainResult(t, r))
	require.Contains(t, r.LateStderr+c.run(t, "1").LateStderr, "a result that was shown after its run is left out")
	c.run(t, "setTimeout(() => display('stray'), 20); 1")
	require.Eventually(t, func() bool {
		return strings.Contains(c.run(t, "undefined").LateStderr, "a result that was shown after its run is left out")
	}, 10*time.Second, 50*time.Millisecond)
}

func TestCellsOfJavaScriptAwait(t *testing.T) {
	c := newCoder(t, "javascript")
	for code, want := range map[string]string{
		"async function rows() { const r = await 1; return { value: r, done: true } }\nrows()": "{ value: 1, done: true }",
		"async function* g() { yield await 1 }\ng().next()":                                    "{ value: 1, done: false }",
		"await Promise.resolve({ value: 2 })":                                                  "{ value: 2 }",
		"const one = await 1; one + 1":                                                         "2",
	} {
		require.Equal(t, want, mainResult(t, c.run(t, code)), code)
	}
	require.Empty(t, c.run(t, "const two = await 2").Results)
}

// Errors point to where they are in the code, however it had to be rewritten.
func TestCellsPlacesOfJavaScript(t *testing.T) {
	c := newCoder(t, "javascript")
	for code, want := range map[string]string{
		"const r = await Promise.resolve(1);\nlet y = ;": `cell\d+\.js:2\nlet y = ;\n        \^\n\nSyntaxError: Unexpected token ';'`,
		"{ let a = 1; a.; }":                             `cell\d+\.js:1\n\{ let a = 1; a\.; \}\n               \^\n\nSyntaxError: Unexpected token ';'`,
		"{ x: no }":                                      `cell\d+\.js:1:6`,
		"await 1; no.x; 1":                               `^cell\d+\.js:1\nawait 1; no\.x; 1\n\nReferenceError: no is not defined\n    at cell\d+\.js:1:10$`,
		"await 1;\nno":                                   `^cell\d+\.js:2\nno\n\nReferenceError`,
		"setTimeout(() => {\n  no()\n}, 1);\nawait new Promise(() => {})": `^cell\d+\.js:2\n  no\(\)\n\nReferenceError`,
		"function f() {\n  no()\n}\nf()":                                  `^cell\d+\.js:2\n  no\(\)\n  \^\n\nReferenceError`,
		"const s = 1;\n{ a: [await 1, await ] }":                          `cell\d+\.js:2\n`,
		"const x = 1;\nrequire('fs').readFileSync('/nope')":               `^cell\d+\.js:2\nrequire\('fs'\)\.readFileSync\('/nope'\)\n\nError: ENOENT.*\n(.*node:.*\n)*    at cell\d+\.js:2:15$`,
		"await require('fs/promises').readFile('/nope')":                  `ENOENT`,
		"new URL(\n'bad')": `^cell\d+\.js:1\nnew URL\(\n\n.*Invalid URL`,
		"throw new Error('outer', { cause: new Error('inner') })": `Error: outer\n    at cell\d+\.js:1:7\n\nCaused by: cell\d+\.js:1\n.*\n\nError: inner`,
	} {
		r := c.run(t, code)
		require.NotNil(t, r.Error, code)
		require.Regexp(t, want, r.Error.Traceback, code)
		require.NotContains(t, r.Error.Traceback, "async ()", code)
	}
}

// A run has written all when it ends, however much that is.
func TestCellsLargeWrites(t *testing.T) {
	c := newCoder(t, "javascript")
	for _, end := range []string{"", "; await 1", "; process.exit(0)"} {
		r := c.run(t, "console.log('a'.repeat(1000000))"+end)
		require.Len(t, strings.Join(r.Stdout, ""), 1000001)
		r = c.run(t, "1")
		require.Empty(t, r.Stdout)
		require.Empty(t, r.LateStdout)
	}
}

func TestCellsImport(t *testing.T) {
	r := newCoder(t, "javascript").run(t, "const fs2 = await import('fs'); typeof fs2.readFileSync")
	require.Equal(t, "'function'", mainResult(t, r))
	require.Empty(t, r.Stderr)
}

func TestCellsBroadJSON(t *testing.T) {
	c := newCoder(t, "javascript")
	r := c.run(t, "display({ 'application/json': Array(400000).fill(1) }); undefined")
	require.Empty(t, r.Stderr)
	require.Len(t, r.Results[0].V["application/json"], 400000)
}

func TestCellsPlacesOfTypeScript(t *testing.T) {
	c := newCoder(t, "typescript")
	r := c.run(t, "interface X {\n  a: number\n}\nfunction f(x: X): never { throw new Error('bad') }\n  f({ a: 1 })")
	failed(t, r, "Error", "bad")
	require.Regexp(t, `at f \(cell\d+\.js:4:33\)\n    at cell\d+\.js:5:3$`, r.Error.Traceback)
	require.Equal(t, "1", mainResult(t, c.run(t, "enum E { A, B }\nE.B")))
}

// Descriptors of bash are the code's, but for one.
func TestCellsDescriptorsOfBash(t *testing.T) {
	c := newCoder(t, "bash")
	require.Empty(t, c.run(t, "exec 3>/tmp/three 10>/tmp/ten 11>/tmp/eleven\necho a >&3; echo b >&10").ExecutionError)
	r := c.run(t, "echo c >&3; echo d >&10; cat; cat /tmp/three /tmp/ten /tmp/eleven")
	require.Equal(t, []string{"a\nc\nb\nd\n"}, r.Stdout)
	r = c.run(t, "exec 3>&- 10>&- 11>&-; ls -l /proc/self/fd | grep -c socket; bash -c 'echo junk >&250' 2>&1 | grep -c Bad")
	require.Equal(t, []string{"0\n1\n"}, r.Stdout)
}

// What the code has bash do at each command is not done at the driver's.
func TestCellsTrapsOfBash(t *testing.T) {
	c := newCoder(t, "bash")
	require.Equal(t, []string{"on echo a\na\n"}, c.run(t, "trap 'echo \"on $BASH_COMMAND\"' DEBUG\necho a").Stdout)
	require.Equal(t, []string{"on echo b\nb\non for i in 1\non break\n"}, c.run(t, "echo b\nfor i in 1; do break; done").Stdout)
	r := c.run(t, "echo c; break 2; echo not")
	require.Equal(t, []string{"on echo c\nc\non break 2\n"}, r.Stdout)
	require.False(t, r.Ended)
	r = c.run(t, "\nset -x\nno-such-program")
	require.Equal(t, []string{"on set -x\non no-such-program\n"}, r.Stdout)
	require.Contains(t, strings.Join(r.Stderr, ""), "bash: line 3: no-such-program")
	r = c.run(t, "trap - DEBUG\necho e")
	require.Equal(t, []string{"on trap - DEBUG\ne\n"}, r.Stdout)
	require.NotContains(t, strings.Join(r.Stderr, ""), "_agb")
	require.Equal(t, []string{"f\n"}, c.run(t, "set +x; echo f").Stdout)
}

// Functions of the code with names that the driver uses are the code's alone.
func TestCellsFunctionsOfBash(t *testing.T) {
	c := newCoder(t, "bash")
	r := c.run(t, "printf() { echo mine; }; read() { return 1; }; head() { :; }; cat() { :; }\nprintf x")
	require.Equal(t, []string{"mine\n"}, r.Stdout)
	in := "a\n"
	r = get(t, c.p, c.session, wire.RunCode, wire.RunCodeArgs{Language: "bash", Code: "printf; read x || command read x; echo $x", Stdin: &in})
	require.Empty(t, r.ExecutionError)
	require.Equal(t, []string{"mine\na\n"}, r.Stdout)
	require.Equal(t, 4, *c.run(t, ":").ExecutionCount)
}

// To break out of a loop that is not there ends the code, and is no failure.
func TestCellsBreaksOfBash(t *testing.T) {
	c := newCoder(t, "bash")
	for _, code := range []string{"false; break", "continue", "false; continue 5", "break 2", "for i in 1; do break 9; done", "for i in 1; do continue 9; done"} {
		r := c.run(t, code)
		require.Empty(t, r.ExecutionError, code)
		require.False(t, r.Ended, code)
	}
	failed(t, c.run(t, "false"), "ExitError", "exit status 1")
}

func TestCellsPlacesOfBash(t *testing.T) {
	c := newCoder(t, "bash")
	c.run(t, "f() {\n\n\n  return 4\n}\nprintf 'true\\nreturn 5' >/tmp/five.sh")
	for code, want := range map[string]string{
		"true\nls /nope":                    "cell.sh:2: ls /nope\nExitError: exit status 2\n",
		"ls /nope\n\n  f":                   "cell.sh:3: f\nExitError: exit status 4\n",
		"true\n. /tmp/five.sh":              "cell.sh:2: . /tmp/five.sh\nExitError: exit status 5\n",
		"for i in 1; do\n  false\ndone":     "cell.sh:2: false\nExitError: exit status 1\n",
		"cat <<X >/dev/null\n\nX\n(exit 7)": "cell.sh:4: (exit 7)\nExitError: exit status 7\n",
		"\neval 'true; (exit 8)'":           "cell.sh:2: eval 'true; (exit 8)'\nExitError: exit status 8\n",
		"ls /nope; ! true":                  "",
	} {
		r := c.run(t, code)
		require.NotNil(t, r.Error, code)
		require.Equal(t, "ExitError", r.Error.Name, code)
		require.Equal(t, want, r.Error.Traceback, code)
		require.Contains(t, r.ExecutionError, r.Error.Value, code)
	}
	for code, want := range map[string]string{
		"set -e\nfalse\necho no":                      "cell.sh:2: false\nExitError: exit status 1\n",
		"set -eE\nf() {\n  (false)\n}\nf":             "cell.sh:5: f\nExitError: exit status 1\n",
		"set -e\nprintf '\\nfalse' >/tmp/x\n. /tmp/x": "cell.sh:3: . /tmp/x\nExitError: exit status 1\n",
		"exit 3": "",
	} {
		for _, run := range []func(*testing.T, string) wire.RunCodeResult{c.run, c.fresh} {
			r := run(t, code)
			require.True(t, r.Ended, code)
			require.Equal(t, want, r.Error.Traceback, code)
		}
	}
}

// What tells where code has failed does nothing that the code notices.
func TestCellsPlacesOfBashAreApart(t *testing.T) {
	c := newCoder(t, "bash")
	r := c.run(t, "set -xu\nls a-b | false x\necho $? ${PIPESTATUS[@]}; false y; echo $_")
	require.Empty(t, r.ExecutionError)
	require.NotContains(t, strings.Join(r.Stderr, ""), "_agb")
	require.Equal(t, []string{"1 2 1\ny\n"}, r.Stdout)
	r = c.run(t, "set +x; trap 'echo mine $?' ERR\nfalse; true")
	require.Empty(t, r.ExecutionError)
	require.Equal(t, []string{"mine 1\n"}, r.Stdout)
	require.Empty(t, c.run(t, "(exit 3)").Error.Traceback)
	require.Contains(t, c.run(t, "trap -p ERR").Stdout[0], "mine")
	require.Empty(t, c.run(t, "trap - ERR; false; trap -p ERR").Stdout)

	c = newCoder(t, "bash")
	r = c.run(t, "trap 'echo on $BASH_COMMAND' DEBUG\nfalse")
	require.Equal(t, []string{"on false\n"}, r.Stdout)
}

func TestCellsPlacesOfJava(t *testing.T) {
	c := newCoder(t, "java")
	c.run(t, "\nint f(int a) {\n  return 1 / a;\n}")
	r := c.run(t, "int x = 0;\n\n  f(x)")
	failed(t, r, "java.lang.ArithmeticException", "/ by zero")
	require.Regexp(t, `\n\tat f\(cell\d+\.java:3\)\n\t    return 1 / a;\n\tat cell\d+\.java:3\n\t    f\(x\)\n$`, r.Error.Traceback)
	r = c.run(t, "int y = 1;\nint z =\n  \"s\";")
	failed(t, r, "CompileError", "incompatible types")
	require.Regexp(t, `^cell\d+\.java:3: error: incompatible types.*\n    "s";\n$`, r.Error.Traceback)
}

func TestCellsCausesOfJava(t *testing.T) {
	c := newCoder(t, "java")
	c.run(t, "void a() { throw new IllegalStateException(\"inner\"); }\nvoid b() {\n  try {\n    a();\n  } catch (Exception e) {\n    throw new RuntimeException(\"outer\", e);\n  }\n}")
	r := c.run(t, "b();")
	failed(t, r, "java.lang.RuntimeException", "outer")
	require.Regexp(t, `^java.lang.RuntimeException: outer\n\tat b\(cell\d+\.java:6\)\n.*\n\tat cell\d+\.java:1\n\t    b\(\);\n`+
		`Caused by: java.lang.IllegalStateException: inner\n\tat a\(cell\d+\.java:1\)\n.*\n\tat b\(cell\d+\.java:4\)\n\t    a\(\);\n\t\.\.\. 1 more\n$`, r.Error.Traceback)
}

// What code of Java lacks is told when it is used, and may come afterwards.
func TestCellsOfJavaThatLack(t *testing.T) {
	c := newCoder(t, "java")
	c.run(t, "int p = 1;\nint useLater() {\n  return later();\n}")
	r := c.run(t, "useLater()")
	failed(t, r, "UnresolvedReferenceException", "useLater needs what is not declared: method later()")
	require.Regexp(t, `: method later\(\)\n\tat cell\d+\.java:2\n\t    int useLater\(\) \{\n$`, r.Error.Traceback)
	c.run(t, "int later() { return 7; }")
	require.Equal(t, "7", mainResult(t, c.run(t, "useLater()")))
}

func TestCellsPlacesOfR(t *testing.T) {
	c := newCoder(t, "r")
	c.run(t, "f <- function(x) {\n  y <- x\n  stop('bad')\n}")
	r := c.run(t, "x <- 1\n\nlapply(x, function(i) {\n  f(i)\n})")
	failed(t, r, "simpleError", "bad")
	require.Regexp(t, `\nlapply\(x, function\(i\) \{ at cell\d+\.R:3\nFUN\(X\[\[i\]\], \.\.\.\)\nf\(i\) at cell\d+\.R:4\nstop\("bad"\) at cell\d+\.R:3$`, r.Error.Traceback)
	for code, want := range map[string]string{
		"1\nnone": `\nnone at cell\d+\.R:2$`,
		"g <- function(x) {\n  y <- 1\n  none\n}\ng(1)":                     `\nCalls:\ng\(1\) at cell\d+\.R:5\nnone at cell\d+\.R:3$`,
		"g <- function(x) {\n  y <- 1\n  as.numeric(x) + log('b')\n}\ng(1)": `\ng\(1\) at cell\d+\.R:5\nas.numeric\(x\) \+ log\('b'\) at cell\d+\.R:3$`,
		"g <- function(x) {\n  y <- x +\n    none\n}\nsapply(1, g)":         `\nFUN\(X\[\[i\]\], \.\.\.\)\ny <- x \+ at cell\d+\.R:2$`,
		"if (TRUE) {\n  none\n}":                                            `\nCalls:\nnone at cell\d+\.R:2$`,
		"stopifnot(\"it\" = 1 == 2)":                                        `\nCalls:\nstopifnot\(.*\) at cell\d+\.R:1\nstop\(simpleError\(.*\)$`,
	} {
		r := c.run(t, code)
		require.NotNil(t, r.Error, code)
		require.Regexp(t, want, r.Error.Traceback, code)
	}
	require.Regexp(t, `cell\d+\.R:2:3: unexpected`, c.run(t, "1\n2 3").Error.Value)
}

// Lines of R end with LF or CRLF, and a CR anywhere else is the code's.
func TestCellsLinesOfR(t *testing.T) {
	c := newCoder(t, "r")
	for code, want := range map[string]string{
		"a <- 1\r\nnchar(\"x\ny\")":             "[1] 3",
		"b <- 'x\r\ny'\r\n\r\nnchar(b) # é\r\n": "[1] 3",
		"nchar('x\ry')\n":                       "[1] 3",
	} {
		require.Equal(t, want, mainResult(t, c.run(t, code)), code)
	}
	require.Regexp(t, `\nnone at cell\d+\.R:3$`, c.run(t, "1\r\n\r\nnone\r\n").Error.Traceback)
}

// A warning names the call that it is from, and no call of the driver's.
func TestCellsWarningsOfR(t *testing.T) {
	c := newCoder(t, "r")
	for code, want := range map[string]string{
		"warning('careful')":                           "Warning: careful\n",
		"x <- as.numeric('a')":                         "Warning: NAs introduced by coercion\n",
		"f <- function() warning('careful')\nx <- f()": "Warning in f() : careful\n",
		"suppressWarnings(warning('careful'))":         "",
	} {
		r := c.run(t, code)
		require.Empty(t, r.ExecutionError, code)
		require.Equal(t, want, strings.Join(r.Stderr, ""), code)
	}
	r := c.run(t, "options(warn = 2)\nas.numeric('a')")
	failed(t, r, "simpleError", "(converted from warning) NAs introduced by coercion")
}

// Programs that R starts do not have the driver's socket, and no error is told
// in a way that ends it.
func TestCellsOfRGoOn(t *testing.T) {
	c := newCoder(t, "r")
	c.run(t, "kept <- 1")
	require.False(t, c.run(t, `system("echo junk >&3")`).Ended)
	require.Equal(t, `a<ff>`, c.run(t, "stop(errorCondition(rawToChar(as.raw(c(97, 255)))))").Error.Value)
	require.Equal(t, "[1] 1", mainResult(t, c.run(t, "kept")))
}
