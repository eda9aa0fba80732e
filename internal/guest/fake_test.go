package guest

import (
	"context"
	"io"
	"io/fs"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fake is a Handler that records what it was asked for and answers with what
// it was told to.
type fake struct {
	mu    sync.Mutex
	asked []any
	err   error
	run   func(context.Context, Command) (Exit, error)
	list  []FileInfo
	paths []string
	diff  []Change
	data  []byte
	self  Self
}

func (f *fake) note(args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = args
	return f.err
}

func (f *fake) Hello(context.Context) (Hello, error) { return Hello{Version, f.self}, f.err }

func (f *fake) Run(ctx context.Context, cmd Command) (Exit, error) {
	err := f.note(cmd.Args, cmd.Dir, cmd.Env, cmd.Timeout, cmd.OutputLimit, cmd.Control != nil)
	if f.run != nil {
		return f.run(ctx, cmd)
	}
	return Exit{}, err
}

func (f *fake) Signal(_ context.Context, id uint64, signal int) error { return f.note(id, signal) }
func (f *fake) Resize(_ context.Context, id uint64, size Size) error  { return f.note(id, size) }

func (f *fake) LookPath(_ context.Context, names ...string) (string, error) {
	return "/bin/" + strings.Join(names[:min(len(names), 1)], ""), f.note(names)
}

func (f *fake) Stat(_ context.Context, path string, follow bool) (FileInfo, error) {
	return f.list[0], f.note(path, follow)
}

func (f *fake) List(_ context.Context, path string) ([]FileInfo, error) {
	return f.list, f.note(path)
}

func (f *fake) Read(_ context.Context, path string, offset, length int64, w io.Writer) (int64, error) {
	if err := f.note(path, offset, length); err != nil {
		return 0, err
	}
	n, err := w.Write(f.data)
	return int64(n), err
}

func (f *fake) Write(_ context.Context, path string, mode WriteMode, perm fs.FileMode, r io.Reader) (int64, error) {
	if err := f.note(path, mode, perm); err != nil {
		return 0, err
	}
	b, err := io.ReadAll(r)
	f.data = b
	return int64(len(b)), err
}

func (f *fake) Mkdir(_ context.Context, path string, perm fs.FileMode) error {
	return f.note(path, perm)
}
func (f *fake) Move(_ context.Context, from, to string) error { return f.note(from, to) }
func (f *fake) Remove(_ context.Context, path string) error   { return f.note(path) }

func (f *fake) Search(_ context.Context, q SearchQuery) (SearchResult, error) {
	return SearchResult{Paths: f.paths, Truncated: true}, f.note(q)
}

func (f *fake) Edit(_ context.Context, path string, edits []Edit, dry bool) ([]byte, error) {
	return f.data, f.note(path, edits, dry)
}

func (f *fake) Changes(_ context.Context, path string) ([]Change, error) {
	return f.diff, f.note(path)
}

func (f *fake) Metrics(context.Context) (Metrics, error) {
	return Metrics{CPUCount: 3, CPUUsed: 1.5, MemTotal: 1, MemUsed: 2, DiskTotal: 3, DiskUsed: 4, Received: 5, Sent: 6, Time: time.Unix(7, 8)}, f.note()
}

func (f *fake) Dial(_ context.Context, network, address string) (io.ReadWriteCloser, error) {
	a, b := net.Pipe()
	go func() {
		_, _ = io.Copy(b, b)
		_ = b.Close()
	}()
	return a, f.note(network, address)
}

func (f *fake) Listen(_ context.Context, network, address string) (Acceptor, error) {
	return &fakeAcceptor{address: address, closed: make(chan struct{})}, f.note(network, address)
}

// fakeAcceptor accepts one connection after the other, which echo.
type fakeAcceptor struct {
	address string
	closed  chan struct{}
}

func (a *fakeAcceptor) Address() string { return a.address }

func (a *fakeAcceptor) Accept(ctx context.Context) (io.ReadWriteCloser, error) {
	return new(fake).Dial(ctx, "", "")
}

func (a *fakeAcceptor) Close() error {
	close(a.closed)
	return nil
}

// connect returns a client of h.
func connect(tb testing.TB, h Handler) *Client {
	tb.Helper()
	a, b := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- Serve(b, h, nil) }()
	c := NewClient(a)
	tb.Cleanup(func() {
		require.NoError(tb, c.Close())
		require.Error(tb, <-done)
	})
	return c
}

func (f *fake) Inspect(_ context.Context, path string, follow, sum bool) (State, error) {
	s := State{FileInfo: f.list[0], Tag: "t-1"}
	if sum {
		s.Sum = strings.Repeat("a", sumLen)
	}
	return s, f.note(path, follow, sum)
}

func (f *fake) Fetch(_ context.Context, path string, q Fetch, begin func(State) error, w io.Writer) (int64, error) {
	if err := f.note(path, q); err != nil {
		return 0, err
	}
	if err := begin(State{FileInfo: f.list[0], Tag: "t-1"}); err != nil {
		return 0, err
	}
	n, err := w.Write(f.data)
	return int64(n), err
}

func (f *fake) Store(_ context.Context, path string, s Store, r io.Reader) (int64, State, error) {
	if err := f.note(path, s); err != nil {
		return 0, State{}, err
	}
	n, err := io.Copy(io.Discard, r)
	return n, State{FileInfo: f.list[0], Tag: "t-2"}, err
}

func (f *fake) Copy(_ context.Context, from, to string) error        { return f.note(from, to) }
func (f *fake) Symlink(_ context.Context, target, path string) error { return f.note(target, path) }

func (f *fake) Chmod(_ context.Context, path string, perm fs.FileMode) error {
	return f.note(path, perm)
}

func (f *fake) Truncate(_ context.Context, path string, size int64) error { return f.note(path, size) }

func (f *fake) Walk(_ context.Context, path, after string, limit int) (Page, error) {
	return Page{Entries: f.list, More: true}, f.note(path, after, limit)
}

func (f *fake) Archive(_ context.Context, path string, exclude []string, w io.Writer) (Tally, error) {
	n, err := w.Write(f.data)
	_ = f.note(path, exclude)
	return Tally{Entries: 1, Bytes: int64(n)}, err
}

func (f *fake) Extract(_ context.Context, path string, r io.Reader) (Tally, error) {
	n, err := io.Copy(io.Discard, r)
	_ = f.note(path)
	return Tally{Entries: 1, Bytes: n}, err
}

func (f *fake) Watch(ctx context.Context, path string, ready func() error, events func([]Event) error) error {
	if err := f.note(path); err != nil {
		return err
	}
	if err := ready(); err != nil {
		return err
	}
	if err := events([]Event{{Kind: EventRename, Path: "/b", Old: "/a"}}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}
