// Command testsummary reads the output of "go test -json" and prints what a
// person wants to know of it: the output of what failed, every skipped test
// with its reason, and how many passed, failed and were skipped. It exits with
// 1 when a test or a package failed, or when nothing ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// event is a line of "go test -json", see "go doc test2json".
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// summary is what the events add up to.
type summary struct {
	output  map[string]*strings.Builder // by test; "pkg " for a package itself
	passed  int
	failed  []string
	skipped []string
}

func main() {
	s, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
	s.print(os.Stdout)
	if len(s.failed) > 0 || s.passed == 0 {
		os.Exit(1)
	}
}

func read(r io.Reader) (*summary, error) {
	s := &summary{output: map[string]*strings.Builder{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("not an event: %.200q", lines.Text())
		}
		s.add(e)
	}
	return s, lines.Err()
}

func (s *summary) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		b := s.output[key]
		if b == nil {
			b = &strings.Builder{}
			s.output[key] = b
		}
		b.WriteString(e.Output)
	case "fail":
		s.failed = append(s.failed, key)
	case "skip":
		if e.Test != "" {
			s.skipped = append(s.skipped, key)
		}
	case "pass":
		if e.Test != "" {
			s.passed++
			delete(s.output, key)
		}
	}
}

func (s *summary) print(w io.Writer) {
	for _, key := range s.failed {
		fmt.Fprintf(w, "--- FAIL: %s\n", key)
		if b := s.output[key]; b != nil {
			fmt.Fprint(w, b.String())
		}
	}
	slices.Sort(s.skipped)
	for _, key := range s.skipped {
		fmt.Fprintf(w, "--- SKIP: %s: %s\n", key, reason(s.output[key]))
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", s.passed, len(s.failed), len(s.skipped))
}

// reason returns the last thing that a skipped test said.
func reason(b *strings.Builder) string {
	if b == nil {
		return "no reason given"
	}
	last := "no reason given"
	for line := range strings.Lines(b.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			last = line
		}
	}
	return last
}
