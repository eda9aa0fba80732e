package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/guest"
)

var errFake = errors.New("the fake runtime was told to fail")

// fakeRuntime makes sandboxes that are goroutines, for tests of clocks and
// races. What sandboxes really do, others test.
type fakeRuntime struct {
	delay   time.Duration // of each Create
	without string        // a layer that no sandbox has
	usage   error         // of every account

	mu        sync.Mutex
	err       error // of every Create
	sandboxes []*fakeSandbox
	tries     int
	creating  int // under way
	most      int // at once so far
}

func (*fakeRuntime) Name() string { return "fake" }

func (r *fakeRuntime) Create(ctx context.Context, spec driver.Spec) (driver.Sandbox, error) {
	r.mu.Lock()
	r.tries++
	r.creating++
	r.most = max(r.most, r.creating)
	err := r.err
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.creating--
		r.mu.Unlock()
	}()
	select {
	case <-time.After(r.delay):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	ours, theirs := net.Pipe()
	s := &fakeSandbox{spec: spec, without: r.without, usage: r.usage, ours: ours, theirs: theirs, done: make(chan struct{})}
	go func() {
		_ = guest.Serve(theirs, &fakeGuest{sandbox: s}, nil) // its end is that of the sandbox
		s.die()
	}()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sandboxes = append(r.sandboxes, s)
	return s, nil
}

func (*fakeRuntime) Probe(context.Context) (*driver.Report, error) { return &driver.Report{}, nil }

func (r *fakeRuntime) Close() error {
	for _, s := range r.all() {
		s.die()
	}
	return nil
}

func (r *fakeRuntime) all() []*fakeSandbox {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*fakeSandbox(nil), r.sandboxes...)
}

// fail has every further Create fail with err, or succeed.
func (r *fakeRuntime) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// count returns how many sandboxes were made.
func (r *fakeRuntime) count() int { return len(r.all()) }

// atOnce returns how many Creates there were at once.
func (r *fakeRuntime) atOnce() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.most
}

// asked returns how many Creates there were.
func (r *fakeRuntime) asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tries
}

// alive counts the sandboxes that are not gone.
func (r *fakeRuntime) alive() (n int) {
	for _, s := range r.all() {
		select {
		case <-s.done:
		default:
			n++
		}
	}
	return n
}

type fakeSandbox struct {
	spec         driver.Spec
	usage        error
	ours, theirs net.Conn
	done         chan struct{}

	mu        sync.Mutex
	dead      bool
	paused    bool
	pauses    int
	pauseErr  error
	resumeErr error
	runs      int
	silent    bool
	without   string // a layer
	destroyed int
}

func (s *fakeSandbox) Conn() io.ReadWriteCloser { return s.ours }
func (s *fakeSandbox) Done() <-chan struct{}    { return s.done }
func (s *fakeSandbox) Layers() []driver.Layer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var layers []driver.Layer
	for _, name := range []string{driver.MemoryLimit, driver.ProcessLimit, driver.CPULimit, driver.DiskLimit} {
		layers = append(layers, driver.Layer{Name: name, OK: name != s.without})
	}
	return layers
}

func (s *fakeSandbox) Usage(context.Context) (driver.Usage, error) {
	if s.usage != nil {
		return driver.Usage{}, s.usage
	}
	return driver.Usage{CPU: time.Second, PeakBytes: 1 << 20, Processes: 1}, nil
}

func (s *fakeSandbox) OOMKills() (int64, error) { return 0, s.usage }

func (s *fakeSandbox) Pause(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pauseErr == nil {
		s.paused = true
		s.pauses++
	}
	return s.pauseErr
}

func (s *fakeSandbox) Resume(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.resumeErr == nil {
		s.paused = false
	}
	return s.resumeErr
}

func (s *fakeSandbox) Destroy(context.Context) error {
	s.mu.Lock()
	s.destroyed++
	s.mu.Unlock()
	s.die()
	return nil
}

// destructions returns how often the sandbox was destroyed.
func (s *fakeSandbox) destructions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.destroyed
}

// silence has the guest answer no more.
func (s *fakeSandbox) silence() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = true
}

// lose has the sandbox lose a layer.
func (s *fakeSandbox) lose(layer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.without = layer
}

func (s *fakeSandbox) die() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dead {
		s.dead = true
		_ = s.theirs.Close() // returns nil
		close(s.done)
	}
}

// fakeGuest runs commands that end when their context does, or at once when
// they are "/bin/true".
type fakeGuest struct {
	guest.Handler
	sandbox *fakeSandbox
}

func (g *fakeGuest) Run(ctx context.Context, cmd guest.Command) (guest.Exit, error) {
	g.sandbox.mu.Lock()
	g.sandbox.runs++
	g.sandbox.mu.Unlock()
	if cmd.Args[0] != "/bin/true" {
		<-ctx.Done()
	}
	return guest.Exit{}, nil
}

func (g *fakeGuest) Hello(context.Context) (guest.Hello, error) {
	l := g.sandbox.spec.Limits
	return guest.Hello{Version: guest.Version, Self: guest.Self{
		Processes: uint64(l.Processes), DiskBytes: uint64(l.DiskBytes), DiskInodes: uint64(l.DiskInodes),
	}}, nil
}

func (g *fakeGuest) Stat(ctx context.Context, _ string, _ bool) (guest.FileInfo, error) {
	g.sandbox.mu.Lock()
	silent := g.sandbox.silent
	g.sandbox.mu.Unlock()
	if silent {
		<-ctx.Done()
	}
	return guest.FileInfo{}, nil
}

// newFake returns an engine on a fake runtime that is closed with the test.
func newFake(t *testing.T, cfg Config) (*service, *fakeRuntime) {
	t.Helper()
	r := &fakeRuntime{}
	return newFakeOn(t, cfg, r), r
}

func newFakeOn(t *testing.T, cfg Config, r *fakeRuntime) *service {
	t.Helper()
	cfg.Runtime, cfg.Require = r, []string{}
	e, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, e.Close())
		require.Zero(t, r.alive())
		requireNothing(t, e)
	})
	return (*service)(e)
}

// requireNothing requires that an engine that is closed holds nothing.
func requireNothing(t *testing.T, e *Engine) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	require.Empty(t, e.sessions)
	require.Empty(t, e.flights)
	require.Empty(t, e.late)
	require.Zero(t, e.places.making)
	require.Zero(t, e.places.promised)
	require.Zero(t, e.pool.count)
	require.Zero(t, e.pool.memory)
	require.Empty(t, e.turns)
}
