package kernel

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what is told of a Go program that failed.
const (
	tailLimit   = 128 << 10 // bytes of the end of its error output that are looked at
	framesLimit = 50        // of its stack
	goPanicked  = 2         // the status of a program that has panicked
)

// tail keeps the end of what is written to it, from tailLimit bytes to twice
// as many.
type tail struct{ b []byte }

func (t *tail) add(p []byte) {
	t.b = append(t.b, p[max(len(p)-tailLimit, 0):]...)
	if len(t.b) > 2*tailLimit {
		t.b = append(t.b[:0], t.b[len(t.b)-tailLimit:]...)
	}
}

// lines returns what is kept. It may be anything.
func (t *tail) lines() []string {
	return strings.Split(strings.TrimRight(strings.ToValidUTF8(string(t.b), "\uFFFD"), "\n"), "\n")
}

var (
	goMessage = regexp.MustCompile(`^(?:\S*/)?` + regexp.QuoteMeta(goFile) + `:([0-9]+)(?::[0-9]+)?: (.*)$`)
	goFrame   = regexp.MustCompile(`^\t(?:\S*/)?` + regexp.QuoteMeta(goFile) + `:([0-9]+)(?: |$)`)
	goCrash   = regexp.MustCompile(`(panic|fatal error): (.*)$`)
)

// goError returns what the error output says of how code has failed: it did not
// compile, or has panicked. It is nil when that is not known.
func goError(code string, e ending, t *tail) *Error {
	var found *Error
	switch src := strings.Split(code, "\n"); {
	case e.unbuilt:
		found = goUnbuilt(src, t.lines())
	case e.status == goPanicked:
		found = goCrashed(src, t.lines())
	}
	if found != nil {
		found.Value, found.Traceback = clip(found.Value), clip(found.Traceback)
	}
	return found
}

// goUnbuilt returns the error that the messages of the go command are.
func goUnbuilt(src, lines []string) *Error {
	e := &Error{Name: "CompileError"}
	var b strings.Builder
	for _, line := range lines {
		if line == "" || strings.HasPrefix(line, "# ") { // the package
			continue
		}
		text, number := line, 0
		if m := goMessage.FindStringSubmatch(line); m != nil {
			number, _ = strconv.Atoi(m[1]) // what is too large is no line
			text = m[2]
			line = goFile + ":" + m[1] + ": " + text
		}
		if e.Value == "" {
			e.Value = text
		}
		b.WriteString(line + "\n" + sourceLine(src, number, "    "))
	}
	if e.Value == "" {
		return nil
	}
	e.Traceback = b.String()
	return e
}

// goCrashed returns the error that the last lines are: what a program panicked
// with, or what the runtime ended it for, and then stacks and nothing else. It
// is nil when they are not that.
func goCrashed(src, lines []string) *Error {
	end := len(lines) // of what stands before the stacks
	for i, line := range slices.Backward(lines) {
		if line != "" {
			continue
		}
		if i+1 == len(lines) {
			break
		}
		if next := lines[i+1]; !strings.HasPrefix(next, "goroutine ") && next != "runtime stack:" {
			break
		}
		end = i
	}
	stacks := lines[end:]
	if len(stacks) == 0 {
		return nil
	}
	for i, line := range slices.Backward(lines[:end]) {
		m := goCrash.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(line, "\t") { // which is more of the text, or an earlier panic's
			continue
		}
		text := m[2]
		for _, more := range lines[i+1 : end] {
			if !strings.HasPrefix(more, "[signal ") {
				text += "\n" + strings.TrimPrefix(more, "\t")
			}
		}
		text = strings.TrimSuffix(text, " [recovered, repanicked]")
		return &Error{Name: m[1], Value: text, Traceback: m[1] + ": " + text + "\n" + goFrames(src, stacks)}
	}
	return nil
}

// goFrames returns what is the code's own of the first stack that has such.
func goFrames(src, stacks []string) string {
	var b strings.Builder
	n := 0
	for i, line := range stacks {
		if line == "" && n > 0 {
			break
		}
		m := goFrame.FindStringSubmatch(line)
		if m == nil || i == 0 {
			continue
		}
		if n++; n > framesLimit {
			b.WriteString("…\n")
			break
		}
		number, _ := strconv.Atoi(m[1]) // what is too large is no line
		b.WriteString("\n" + short(stacks[i-1]) + "\n\t" + goFile + ":" + m[1] + "\n" + sourceLine(src, number, "\t    "))
	}
	return b.String()
}
