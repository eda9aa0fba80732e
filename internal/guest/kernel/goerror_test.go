package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// said is what a program wrote to its error output.
func said(text string) *tail {
	t := new(tail)
	t.add([]byte(text))
	return t
}

const goStack = "\n\ngoroutine 1 [running]:\nmain.f(...)\n\tcell.go:2\nruntime.x()\n\t/usr/lib/go/src/runtime/x.go:1 +0x1\n" +
	"main.main()\n\t/tmp/x/cell.go:3 +0x4c\n"

func TestGoErrors(t *testing.T) {
	const code = "func f() {\n\tpanic(1)\n  f() }"
	const frames = "\nmain.f(...)\n\tcell.go:2\n\t    panic(1)\n\nmain.main()\n\tcell.go:3\n\t    f() }\n"
	for name, c := range map[string]struct {
		text string
		want Error
	}{
		"a panic":              {"x\npanic: bad" + goStack, Error{"panic", "bad", "panic: bad\n" + frames}},
		"after half a line":    {"panic: not\nx panic: bad" + goStack, Error{"panic", "bad", "panic: bad\n" + frames}},
		"of several lines":     {"panic: a\n\t\n\tpanic: b" + goStack, Error{"panic", "a\n\npanic: b", "panic: a\n\npanic: b\n" + frames}},
		"by a signal":          {"panic: nil\n[signal SIGSEGV: x]" + goStack, Error{"panic", "nil", "panic: nil\n" + frames}},
		"panicked again":       {"panic: a [recovered, repanicked]" + goStack, Error{"panic", "a", "panic: a\n" + frames}},
		"several stacks":       {"fatal error: x\n\nruntime stack:\ny" + strings.TrimSuffix(goStack, "\n") + goStack, Error{"fatal error", "x", "fatal error: x\n" + frames}},
		"no frame of the code": {"panic: a\n\ngoroutine 1 [running]:\nf()\n\tx.go:2", Error{"panic", "a", "panic: a\n"}},
	} {
		got := goError(code, ending{status: 2}, said(c.text))
		require.NotNil(t, got, name)
		require.Equal(t, c.want, *got, name)
		require.Nil(t, goError(code, ending{status: 1}, said(c.text)), name)
		require.Nil(t, goError(code, ending{status: 2}, said(c.text+"more\n\nend\n")), name)
	}
	for _, odd := range []string{"", "\n", "\n\n", "panic: x", "panic: x\n\n", "goroutine 1", goStack, "x" + goStack, "\tpanic: x" + goStack, "\xff\n\n\xff"} {
		require.Nil(t, goError(code, ending{status: 2}, said(odd)), odd)
	}

	got := goError(code, ending{status: 1, unbuilt: true}, said("# main\ntmp/x/cell.go:2:7: bad\n\tmore\ncell.go:99: worse\ncell.go:x: odd\n"))
	require.Equal(t, Error{"CompileError", "bad", "cell.go:2: bad\n    panic(1)\n\tmore\ncell.go:99: worse\ncell.go:x: odd\n"}, *got)
	require.Equal(t, "go: no", goError(code, ending{unbuilt: true}, said("go: no\n")).Value)
	require.Nil(t, goError(code, ending{unbuilt: true}, said("# main\n")))
}

// However much a program writes, little is kept, and what is told is bounded.
func TestGoErrorsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 4<<20)
	tl := said(long)
	for range 5 {
		tl.add([]byte(long[:tailLimit-1]))
		require.LessOrEqual(t, len(tl.b), 2*tailLimit)
	}
	tl.add([]byte("\npanic: bad" + goStack))
	e := goError(long+"\n"+long, ending{status: 2}, tl)
	require.Equal(t, "bad", e.Value)
	require.Less(t, len(e.Traceback), 1000)
	e = goError(long, ending{status: 2}, said("panic: "+strings.Repeat("€", 30<<10)+"\n\ngoroutine 1:"+strings.Repeat("\nf()\n\tcell.go:1", 1000)))
	require.LessOrEqual(t, len(e.Value), maxErrorText+len("[…]"))
	require.LessOrEqual(t, len(e.Traceback), maxErrorText+len("[…]"))
	require.Equal(t, framesLimit, strings.Count(e.Traceback, "f()"))
	e = goError(long, ending{unbuilt: true}, said(strings.Repeat("cell.go:1: "+long[:9]+"\n", 10000)))
	require.LessOrEqual(t, len(e.Traceback), maxErrorText+len("[…]"))
}

func FuzzGoError(f *testing.F) {
	f.Add("a\nb", "panic: bad"+goStack, true)
	f.Fuzz(func(t *testing.T, code, text string, unbuilt bool) {
		if e := goError(code, ending{status: 2, unbuilt: unbuilt}, said(text)); e != nil {
			require.LessOrEqual(t, len(e.Traceback), maxErrorText+len("[…]"))
		}
	})
}
