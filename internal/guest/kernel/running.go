package kernel

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/agb-go/sdk/internal/guest"
)

// itemsLimit is how many bytes all results of a run may have.
const itemsLimit = 16 << 20

// running is a run under way. What is not guarded is changed by the goroutine
// that takes in what the interpreter says, and read when that is over.
type running struct {
	opts  Options
	last  bool
	began time.Time
	over  chan struct{} // closed when the driver says so, unless it is the last

	stdout, stderr limited
	code           string // as it was given
	tail           *tail  // of its error output until the driver says that it is over; nil when nobody looks at it
	place          place  // of the command that failed last
	items          []Item
	count, size    int // of results
	dropped        int
	ending         *ending

	interrupted sync.Once // by [Context.Interrupt]

	once   sync.Once
	failed chan struct{} // closed when err is set: nobody wants the rest
	err    error
}

func newRunning(opts Options, last bool) *running {
	r := &running{opts: opts, last: last, began: time.Now(), over: make(chan struct{}), failed: make(chan struct{})}
	limit := opts.OutputLimit
	if limit <= 0 {
		limit = guest.OutputLimit
	}
	r.stdout, r.stderr = limited{opts.Stdout, limit, 0}, limited{opts.Stderr, limit, 0}
	return r
}

// fail ends the run because of what the caller's part cannot do.
func (r *running) fail(err error) {
	r.once.Do(func() {
		r.err = err
		close(r.failed)
	})
}

func (r *running) output(to *limited, p []byte) {
	if err := to.take(p); err != nil {
		r.fail(err)
	}
}

// wants reports whether a result of so many bytes is wanted.
func (r *running) wants(size int) bool {
	if r.count >= maxItems || size > itemLimit || r.size+size > itemsLimit || r.opts.Reserve != nil && !r.opts.Reserve(size) {
		r.dropped++
		return false
	}
	r.count++
	r.size += size
	return true
}

// item takes in a result.
func (r *running) item(body []byte) {
	item, err := parseItem(body)
	if err != nil {
		item.Truncated = true
		item.Data = map[string]any{"text/plain": fmt.Sprintf("[result left out: %v]", err)}
	}
	if r.opts.Item == nil {
		r.items = append(r.items, item)
	} else if err := r.opts.Item(item); err != nil {
		r.fail(err)
	}
}

// frame returns what the driver is told to run.
func (r *running) frame(code string) []byte {
	var b bytes.Buffer
	mode, stdin := "more", "-"
	if r.last {
		mode = "last"
	}
	if r.opts.Stdin != nil {
		stdin = strconv.Itoa(len(r.opts.Stdin))
	}
	code += "\n"
	fmt.Fprintf(&b, "run %s %d %d %s\n", mode, bytes.Count([]byte(code), []byte("\n")), len(code), stdin)
	b.WriteString(code)
	b.Write(r.opts.Stdin)
	return b.Bytes()
}

// limited is where one stream of a run's output goes.
type limited struct {
	w       io.Writer
	left    int64
	dropped int64
}

// take writes what is not beyond the limit. What follows an error is lost.
func (l *limited) take(p []byte) error {
	n := min(int64(len(p)), l.left)
	l.left -= n
	l.dropped += int64(len(p)) - n
	if l.w == nil || n == 0 {
		return nil
	}
	if _, err := l.w.Write(p[:n]); err != nil {
		l.w = nil
		return err
	}
	return nil
}
