package guest

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"io/fs"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/internal/guest/mux"
)

// record builds a record that need not be right.
func record(kind recordKind, payload ...byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{byte(kind)}, uint32(len(payload)))
	return append(b, payload...)
}

func cat(records ...[]byte) []byte { return bytes.Join(records, nil) }

func encoded(f func(*encoder)) []byte {
	var e encoder
	f(&e)
	return e.b
}

// exitRecord is a result of a run with numbers as given.
func exitRecord(numbers ...int64) []byte {
	return record(recordResult, encoded(func(e *encoder) {
		for i, n := range numbers {
			if i == 2 {
				e.bool(false)
				e.bool(false)
			}
			e.int(n)
		}
	})...)
}

var goodExit = exitRecord(0, 0, 1, 0, 0, 0, 0)

func entry(name string) []byte {
	return encoded(func(e *encoder) { e.fileInfo(&FileInfo{Path: name}) })
}

var stateRecord = record(recordEntries, encoded(func(e *encoder) { e.state(&State{Tag: "t"}) })...)

func eventOf(v Event) []byte { return encoded(func(e *encoder) { e.event(&v) }) }

func text(s string) []byte { return encoded(func(e *encoder) { e.text(s) }) }

// puppet returns a client of a guest that answers every call with answer.
func puppet(tb testing.TB, answer []byte) *Client {
	tb.Helper()
	a, b := net.Pipe()
	session := mux.Acceptor(b, func(st *mux.Stream) {
		go func() {
			r := recordReader{r: st}
			_, _, _ = r.next(RequestLimit)
			_, _ = st.WriteLast(answer)
		}()
	})
	c := NewClient(a)
	tb.Cleanup(func() {
		require.NoError(tb, c.Close())
		require.NoError(tb, session.Close())
	})
	return c
}

// calls makes every call there is.
var calls = map[string]func(context.Context, *Client) error{
	"Hello": func(ctx context.Context, c *Client) error { _, err := c.Hello(ctx); return err },
	"Run": func(ctx context.Context, c *Client) error {
		_, err := c.Run(ctx, Command{Args: []string{"x"}, OutputLimit: 10})
		return err
	},
	"LookPath": func(ctx context.Context, c *Client) error { _, err := c.LookPath(ctx, "x"); return err },
	"Stat":     func(ctx context.Context, c *Client) error { _, err := c.Stat(ctx, "p", true); return err },
	"List":     func(ctx context.Context, c *Client) error { _, err := c.List(ctx, "p"); return err },
	"Read":     func(ctx context.Context, c *Client) error { _, err := c.Read(ctx, "p", 0, 10, io.Discard); return err },
	"Write": func(ctx context.Context, c *Client) error {
		_, err := c.Write(ctx, "p", Overwrite, 0, strings.NewReader("x"))
		return err
	},
	"Mkdir":   func(ctx context.Context, c *Client) error { return c.Mkdir(ctx, "p", 0) },
	"Move":    func(ctx context.Context, c *Client) error { return c.Move(ctx, "p", "p") },
	"Remove":  func(ctx context.Context, c *Client) error { return c.Remove(ctx, "p") },
	"Search":  func(ctx context.Context, c *Client) error { _, err := c.Search(ctx, SearchQuery{Dir: "d"}); return err },
	"Edit":    func(ctx context.Context, c *Client) error { _, err := c.Edit(ctx, "p", nil, true); return err },
	"Changes": func(ctx context.Context, c *Client) error { _, err := c.Changes(ctx, "p"); return err },
	"Metrics": func(ctx context.Context, c *Client) error { _, err := c.Metrics(ctx); return err },
	"Signal":  func(ctx context.Context, c *Client) error { return c.Signal(ctx, 1, 2) },
	"Dial":    func(ctx context.Context, c *Client) error { _, err := c.Dial(ctx, "tcp", "x"); return err },
	"Listen":  func(ctx context.Context, c *Client) error { _, err := c.Listen(ctx, "tcp", "x"); return err },

	"Inspect": func(ctx context.Context, c *Client) error { _, err := c.Inspect(ctx, "p", true, false); return err },
	"Sum":     func(ctx context.Context, c *Client) error { _, err := c.Inspect(ctx, "p", true, true); return err },
	"Fetch": func(ctx context.Context, c *Client) error {
		_, err := c.Fetch(ctx, "p", Fetch{Length: 10}, func(State) error { return nil }, io.Discard)
		return err
	},
	"Store": func(ctx context.Context, c *Client) error {
		_, _, err := c.Store(ctx, "p", Store{}, strings.NewReader("x"))
		return err
	},
	"Copy":     func(ctx context.Context, c *Client) error { return c.Copy(ctx, "p", "q") },
	"Chmod":    func(ctx context.Context, c *Client) error { return c.Chmod(ctx, "p", 0) },
	"Symlink":  func(ctx context.Context, c *Client) error { return c.Symlink(ctx, "p", "q") },
	"Truncate": func(ctx context.Context, c *Client) error { return c.Truncate(ctx, "p", 1) },
	"Walk":     func(ctx context.Context, c *Client) error { _, err := c.Walk(ctx, "p", "b", 2); return err },
	"Archive":  func(ctx context.Context, c *Client) error { _, err := c.Archive(ctx, "p", nil, io.Discard); return err },
	"Extract": func(ctx context.Context, c *Client) error {
		_, err := c.Extract(ctx, "p", strings.NewReader("x"))
		return err
	},
	"Watch": func(ctx context.Context, c *Client) error {
		return c.Watch(ctx, "p", func() error { return nil }, func([]Event) error { return nil })
	},
}

// Answers that are wrong for every call.
func TestNobodyIsFooled(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string][]byte{
		"nothing":           nil,
		"half a head":       record(recordResult)[:3],
		"half a record":     record(recordResult, 1, 2, 3)[:6],
		"unknown record":    record(99, 1),
		"request":           record(recordRequest, 1),
		"result of garbage": cat(record(recordResult, bytes.Repeat([]byte{0xff}, 100)...)),
		"huge record":       {byte(recordResult), 0xff, 0xff, 0xff, 0xff},
		"record over limit": record(recordResult, make([]byte, recordLimit+1)...),
		"error of garbage":  record(recordError, 1, 0xff),
		"error and more":    cat(record(recordError, encoded(func(e *encoder) { e.failure(&Error{Message: "m"}) })...), record(recordResult)),
		"long error":        record(recordError, append([]byte{1, 0}, text(strings.Repeat("x", messageLimit+1))...)...),
		"only output":       record(recordStdout, 1),
	} {
		for op, call := range calls {
			c := puppet(t, answer)
			err := call(t.Context(), c)
			if op == "Dial" && name == "error and more" {
				continue // raw bytes may follow, and the error is one already
			}
			require.ErrorIs(t, err, ErrProtocol, "%s: %s", op, name)
			<-c.Done()
			require.ErrorIs(t, c.Err(), ErrProtocol, "%s: %s", op, name)
			require.Error(t, c.Remove(t.Context(), "p"))
		}
	}
}

// Answers that are wrong for some call.
func TestAnswersAreChecked(t *testing.T) {
	t.Parallel()
	result := func(f func(*encoder)) []byte { return record(recordResult, encoded(f)...) }
	for _, test := range []struct {
		op, name string
		answer   []byte
	}{
		{"Run", "exit twice", cat(goodExit, goodExit)},
		{"Run", "output after exit", cat(goodExit, record(recordStdout, 1))},
		{"Run", "control that was not asked for", cat(record(recordControl, 1), goodExit)},
		{"Run", "code 256", exitRecord(256, 0, 1, 0, 0, 0, 0)},
		{"Run", "code -1", exitRecord(-1, 0, 1, 0, 0, 0, 0)},
		{"Run", "code 2^31", exitRecord(1<<31, 0, 1, 0, 0, 0, 0)},
		{"Run", "signal 65", exitRecord(193, 65, 1, 0, 0, 0, 0)},
		{"Run", "signal 999", exitRecord(137, 999, 1, 0, 0, 0, 0)},
		{"Run", "signal without its code", exitRecord(0, 9, 1, 0, 0, 0, 0)},
		{"Run", "negative duration", exitRecord(0, 0, -1, 0, 0, 0, 0)},
		{"Run", "negative amount", exitRecord(0, 0, 1, -1, 0, 0, 0)},
		{"Run", "negative memory", exitRecord(0, 0, 1, 0, 0, 0, -1)},
		{"Run", "entries", cat(record(recordEntries, 1), goodExit)},
		{"Read", "more than asked for", cat(record(recordContent, make([]byte, 11)...), result(func(e *encoder) { e.int(11) }))},
		{"Read", "wrong count", cat(record(recordContent, 1), result(func(e *encoder) { e.int(2) }))},
		{"Write", "wrong count", result(func(e *encoder) { e.int(2) })},
		{"List", "path as name", cat(record(recordEntries, entry("../../x")...), record(recordResult))},
		{"List", "dots", cat(record(recordEntries, entry("..")...), record(recordResult))},
		{"List", "zero byte", cat(record(recordEntries, entry("a\x00b")...), record(recordResult))},
		{"List", "no name", cat(record(recordEntries, entry("")...), record(recordResult))},
		{"List", "long name", cat(record(recordEntries, entry(strings.Repeat("x", 256))...), record(recordResult))},
		{"List", "out of order", cat(record(recordEntries, append(entry("b"), entry("a")...)...), record(recordResult))},
		{"List", "twice", cat(record(recordEntries, append(entry("a"), entry("a")...)...), record(recordResult))},
		{"List", "negative size", cat(record(recordEntries, encoded(func(e *encoder) { e.fileInfo(&FileInfo{Path: "a", Size: -1}) })...), record(recordResult))},
		{"List", "entries after the result", cat(record(recordResult), record(recordEntries, entry("a")...))},
		{"Search", "relative path", cat(record(recordEntries, text("x")...), record(recordResult, 0))},
		{"Search", "no bool", cat(record(recordEntries, text("/x")...), record(recordResult, 2))},
		{"Search", "too many", cat(bytes.Repeat(record(recordEntries, bytes.Repeat(text("/x"), 1000)...), 11), record(recordResult, 0))},
		{"Changes", "unknown kind", cat(record(recordEntries, append([]byte{4}, append(text("/x"), 0)...)...), record(recordResult))},
		{"Changes", "relative path", cat(record(recordEntries, append([]byte{1}, append(text("x"), 0)...)...), record(recordResult))},
		{"LookPath", "relative path", record(recordResult, text("x")...)},
		{"Edit", "too large", cat(bytes.Repeat(record(recordContent, make([]byte, recordLimit)...), EditLimit/recordLimit+1), result(func(e *encoder) { e.int(0) }))},
		{"Edit", "wrong count", cat(record(recordContent, 1), result(func(e *encoder) { e.int(0) }))},
		{"Inspect", "sum that was not asked for", result(func(e *encoder) { e.state(&State{Sum: strings.Repeat("a", sumLen)}) })},
		{"Inspect", "tag with a line break", result(func(e *encoder) { e.state(&State{Tag: "a\nb"}) })},
		{"Sum", "none", result(func(e *encoder) { e.state(&State{}) })},
		{"Sum", "no digits", result(func(e *encoder) { e.state(&State{Sum: strings.Repeat("X", sumLen)}) })},
		{"Fetch", "no state", cat(record(recordContent, 1), result(func(e *encoder) { e.int(1) }))},
		{"Fetch", "more than asked for", cat(stateRecord, record(recordContent, make([]byte, 11)...), result(func(e *encoder) { e.int(11) }))},
		{"Fetch", "wrong count", cat(stateRecord, record(recordContent, 1), result(func(e *encoder) { e.int(2) }))},
		{"Fetch", "no end", cat(stateRecord, record(recordContent, 1))},
		{"Store", "wrong count", result(func(e *encoder) { e.int(2); e.state(&State{}) })},
		{"Walk", "path out", cat(record(recordEntries, entry("../x")...), record(recordResult, 0))},
		{"Walk", "absolute path", cat(record(recordEntries, entry("/x")...), record(recordResult, 0))},
		{"Walk", "out of order", cat(record(recordEntries, append(entry("d"), entry("c")...)...), record(recordResult, 0))},
		{"Walk", "before the page", cat(record(recordEntries, entry("a/c")...), record(recordResult, 0))},
		{"Walk", "more than asked for", cat(record(recordEntries, cat(entry("c"), entry("d"), entry("e"))...), record(recordResult, 0))},
		{"Walk", "more behind nothing", record(recordResult, 1)},
		{"Archive", "wrong count", cat(record(recordContent, 1), result(func(e *encoder) { e.int(2); e.tally(Tally{}) }))},
		{"Archive", "too many", result(func(e *encoder) { e.int(0); e.tally(Tally{Entries: ArchiveLimit + 1}) })},
		{"Extract", "negative", result(func(e *encoder) { e.tally(Tally{Bytes: -1}) })},
		{"Watch", "result", cat(record(recordEntries), record(recordResult))},
		{"Watch", "not ready", cat(record(recordEntries, eventOf(Event{Kind: EventCreate, Path: "/x"})...))},
		{"Watch", "unknown kind", cat(record(recordEntries), record(recordEntries, eventOf(Event{Kind: EventOverflow + 1, Path: "/x"})...))},
		{"Watch", "relative path", cat(record(recordEntries), record(recordEntries, eventOf(Event{Kind: EventWrite, Path: "x"})...))},
		{"Watch", "rename from nowhere", cat(record(recordEntries), record(recordEntries, eventOf(Event{Kind: EventRename, Path: "/x"})...))},
		{"Watch", "nothing", cat(record(recordEntries), record(recordEntries))},
		{"Watch", "too many", cat(record(recordEntries), record(recordEntries, bytes.Repeat(eventOf(Event{Kind: EventWrite, Path: "/x"}), EventsLimit+1)...))},
		{"Metrics", "not a number", result(func(e *encoder) {
			e.metrics(&Metrics{CPUUsed: math.NaN()})
		})},
		{"Metrics", "negative", result(func(e *encoder) { e.metrics(&Metrics{MemUsed: -1}) })},
	} {
		c := puppet(t, test.answer)
		err := calls[test.op](t.Context(), c)
		require.ErrorIs(t, err, ErrProtocol, "%s: %s", test.op, test.name)
		<-c.Done()
	}
}

func TestOtherVersion(t *testing.T) {
	t.Parallel()
	c := puppet(t, record(recordResult, Version+1))
	_, err := c.Hello(t.Context())
	require.ErrorIs(t, err, ErrVersion)
}

// A guest that does not keep to the limit of output is cut off here.
func TestOutputIsCutOff(t *testing.T) {
	t.Parallel()
	c := puppet(t, cat(record(recordStdout, make([]byte, 8)...), record(recordStdout, make([]byte, 8)...),
		record(recordStderr, make([]byte, 10)...), goodExit))
	var out, errOut bytes.Buffer
	exit, err := c.Run(t.Context(), Command{Args: []string{"x"}, Stdout: &out, Stderr: &errOut, OutputLimit: 10})
	require.NoError(t, err)
	require.Equal(t, 10, out.Len())
	require.EqualValues(t, 6, exit.StdoutDropped)
	require.Equal(t, 10, errOut.Len())
	require.Zero(t, exit.StderrDropped)
}

// A time that cannot be written down is moved to one that can.
func TestOddTimes(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{time.Unix(math.MaxInt64/2, 0), time.Unix(math.MinInt64/2, 0)} {
		c := puppet(t, record(recordResult, encoded(func(e *encoder) { e.fileInfo(&FileInfo{Path: "x", ModTime: at}) })...))
		info, err := c.Stat(t.Context(), "x", true)
		require.NoError(t, err)
		_, err = info.ModTime.UTC().MarshalText()
		require.NoError(t, err)
	}
}

// A result that comes while content is still being sent ends the sending.
func TestWriteIsRefusedEarly(t *testing.T) {
	t.Parallel()
	f := &fake{err: fs.ErrExist}
	c := connect(t, f)
	_, err := c.Write(t.Context(), "p", CreateNew, 0, endless{})
	require.ErrorIs(t, err, fs.ErrExist)
	require.NoError(t, c.Err())
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// FuzzAnswer gives every call an answer made of anything.
func FuzzAnswer(f *testing.F) {
	f.Add(goodExit)
	f.Add(cat(record(recordStdout, 1, 2), goodExit))
	f.Add(cat(record(recordEntries, append(entry("a"), entry("b")...)...), record(recordResult)))
	f.Add(cat(record(recordEntries, text("/x")...), record(recordResult, 1)))
	f.Add(record(recordError, encoded(func(e *encoder) { e.failure(&Error{Kind: NotExist, Errno: 2, Message: "m"}) })...))
	f.Add(record(recordResult, encoded(func(e *encoder) { e.metrics(&Metrics{}) })...))
	f.Add(cat(record(recordContent, 1), record(recordResult, 2)))
	f.Add(cat(stateRecord, record(recordContent, 1), record(recordResult, 2)))
	f.Add(cat(record(recordEntries), record(recordEntries, eventOf(Event{Kind: EventRename, Path: "/b", Old: "/a"})...)))
	f.Add(record(recordResult, encoded(func(e *encoder) { e.int(0); e.tally(Tally{1, 2}) })...))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, call := range calls {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			err := call(ctx, puppet(t, answer))
			require.NotErrorIs(t, err, context.DeadlineExceeded)
			cancel()
		}
	})
}

// FuzzRequest gives the guest's end a request made of anything.
func FuzzRequest(f *testing.F) {
	for o := opHello; o <= opWatch; o++ {
		f.Add([]byte{byte(o), 1, 'x', 1, 'y', 0, 0})
	}
	f.Add(append([]byte{byte(opRun)}, encoded(func(e *encoder) { e.command(&Command{Args: []string{"x"}, Control: io.Discard}) })...))
	f.Fuzz(func(t *testing.T, request []byte) {
		a, b := net.Pipe()
		h := &fake{list: make([]FileInfo, 1)}
		done := make(chan struct{})
		go func() { _ = Serve(b, h, nil); close(done) }()
		session := mux.Opener(a)
		st, err := session.Open()
		require.NoError(t, err)
		_, _ = st.WriteLast(record(recordRequest, request[:min(len(request), RequestLimit)]...))
		_, _ = io.Copy(io.Discard, struct{ io.Reader }{st})
		require.NoError(t, session.Close())
		<-done
	})
}
