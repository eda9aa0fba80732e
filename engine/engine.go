package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/engine/internal/store"
	"github.com/agb-go/sdk/engine/linuxns"
)

// closeTimeout bounds how long Close waits for requests under way, whose
// sessions are gone by then.
const closeTimeout = 10 * time.Second

// ownerPatience bounds how long New waits for an engine that was killed to let
// go of the directory for records.
const ownerPatience = 2 * time.Second

// Engine is an embedded sandbox service. It is safe for concurrent use.
type Engine struct {
	cfg     Config
	limits  driver.Limits
	log     *slog.Logger
	runtime driver.Runtime
	api     *httpapi.API
	memory  *transport

	ctx    context.Context
	cancel context.CancelFunc

	store   *store.Store
	machine machine
	turns   chan struct{} // a slot for each sandbox in the making

	mu       sync.Mutex
	sessions map[string]*session // also those that are on their way out
	places   places
	pool     pool
	flights  map[flightKey]*flight
	late     map[string]ending // ends that are not recorded yet, by session
	closing  bool
	tasks    sync.WaitGroup // requests, creations, and what is on its way out; Add under mu

	closeOnce sync.Once
	closeErr  error
}

// New returns a running Engine. The error has code [apierr.InvalidArgument]
// when cfg is wrong, [apierr.Unsupported] when cfg has no runtime and this
// operating system no default one, and [apierr.FailedPrecondition] when another
// engine uses cfg.StateDir or it cannot be used. Whether sandboxes can be made
// here shows when the first is made; see [Probe]. When New fails, cfg.Runtime
// stays the caller's.
func New(cfg Config) (*Engine, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	records, err := openStore(cfg)
	if err != nil {
		return nil, err
	}
	rt := cfg.Runtime
	if rt == nil {
		if rt, err = linuxns.New(linuxns.Config{Logger: cfg.Logger}); err != nil {
			return nil, errors.Join(err, records.Close())
		}
	}
	e := &Engine{
		cfg: cfg, limits: cfg.limits(), log: cfg.Logger, runtime: rt, store: records,
		machine: machine{off: cfg.MemoryBudget == NoLimit}, turns: make(chan struct{}, createsAtOnce),
		sessions: map[string]*session{}, pool: newPool(cfg), flights: map[flightKey]*flight{}, late: map[string]ending{},
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	api := httpapi.Config{Engine: (*service)(e), Logger: cfg.Logger, PublicURL: cfg.PublicURL}
	_, _ = rand.Read(api.PageKey[:]) // never fails
	e.api = httpapi.New(api)
	e.memory = serveMemory(e.admitRequest(e.api.Handler(func(*http.Request) (string, bool) { return owner, true })), cfg.Logger)
	if len(e.pool.want) > 0 {
		e.tasks.Add(1)
		go e.refill()
	}
	return e, nil
}

// Probe finds out, by trying, whether this machine can make sandboxes with the
// default runtime, layer by layer. The error has code [apierr.Unsupported] on
// an operating system without one.
func Probe(ctx context.Context) (*driver.Report, error) {
	rt, err := linuxns.New(linuxns.Config{})
	if err != nil {
		return nil, err
	}
	report, err := rt.Probe(ctx)
	return report, errors.Join(err, rt.Close())
}

// Handler returns a handler that serves the engine to whoever has one of
// [Config.APIKeys]. Links, and the tools of a session at its own URL, need
// none: the answers that name these hold a secret of their own. Use it with a
// server that bounds headers and idle connections, but not the time of a
// request: calls may take as long as the commands they run.
func (e *Engine) Handler() http.Handler {
	return e.admitRequest(e.api.PortHandler(httpapi.NewKeyring(e.cfg.APIKeys).Authorize))
}

// Transport returns the way to the engine from within the program. It needs no
// key: who has it is the engine's owner, a tenant of its own. Every call
// returns the same one.
func (e *Engine) Transport() http.RoundTripper { return e.memory }

// admitRequest lets requests in while the engine is open, and has Close wait
// for them.
func (e *Engine) admitRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !e.task() {
			httpapi.Refuse(w, r, errClosed())
			return
		}
		defer e.tasks.Done()
		next.ServeHTTP(w, r)
	})
}

// task adds a task that Close waits for, unless the engine is closing.
func (e *Engine) task() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return false
	}
	e.tasks.Add(1)
	return true
}

func errClosed() error { return apierr.Errorf(apierr.Unavailable, "the engine is closed") }

// Close destroys every session and ready sandbox, waits until everything is gone, and frees what
// the engine holds, its runtime included. Calls under way fail, and from then on
// every call does, with code [apierr.Unavailable] and a message that the engine
// is closed. Closing again waits for the first and returns what it returned.
func (e *Engine) Close() error {
	e.closeOnce.Do(func() { e.closeErr = e.close() })
	return e.closeErr
}

func (e *Engine) close() error {
	e.mu.Lock()
	e.closing = true
	for _, s := range e.sessions {
		e.retire(s, endedClosed)
	}
	for b := e.pool.any(); b != nil; b = e.pool.any() {
		e.discard(b)
	}
	e.mu.Unlock()
	e.cancel()

	idle := make(chan struct{})
	go func() { e.tasks.Wait(); close(idle) }()
	var err error
	select {
	case <-idle:
	case <-time.After(destroyTimeout + closeTimeout):
		err = apierr.Errorf(apierr.DeadlineExceeded, "engine: close: calls or sessions did not end in %v", destroyTimeout+closeTimeout)
	}
	// The runtime kills whatever may be left.
	err = errors.Join(err, e.runtime.Close(), e.memory.close())
	e.writeLate()
	return errors.Join(err, e.store.Close())
}
