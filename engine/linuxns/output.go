//go:build linux && (amd64 || arm64)

package linuxns

import (
	"io"
	"os"
	"strings"
)

// outputLimit bounds, in bytes, what is kept of a launcher's error output.
const outputLimit = 4096

// output keeps the beginning of what a dying process says, and drops the rest.
type output struct {
	done chan struct{}
	text strings.Builder // only after done
}

// newOutput reads f to its end, which is when the process is dead, and closes it.
func newOutput(f *os.File) *output {
	t := &output{done: make(chan struct{})}
	go func() {
		defer close(t.done)
		defer func() { _ = f.Close() }() // read only
		if _, err := io.CopyN(&t.text, f, outputLimit); err == nil {
			_, _ = io.Copy(io.Discard, f) // an unreadable rest is no loss
		}
	}()
	return t
}

func (t *output) wait() { <-t.done }

// String returns what was said, after wait.
func (t *output) String() string { return strings.TrimSpace(t.text.String()) }
