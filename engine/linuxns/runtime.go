//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// Bounds of a runtime.
const (
	createTimeout = 10 * time.Second // for one Create
	undoTimeout   = 5 * time.Second  // for a failed Create to see that nothing is left
	closeTimeout  = 10 * time.Second // for Close
	createsAtOnce = 32               // further ones wait
)

// Runtime is a [driver.Runtime]. The launcher process starts with the first
// Create or Probe. Should it die, its sandboxes die with it, and the next
// Create starts another.
type Runtime struct {
	log     *slog.Logger
	tag     func() (string, error) // what groups of the next launcher begin with
	guest   string                 // Config.GuestBinary
	creates chan struct{}          // holds a token for each Create under way
	ctx     context.Context
	cancel  context.CancelFunc // by Close

	mu        sync.Mutex
	closed    bool
	programs  *programs // made with the first launcher
	launchers []*launcher
}

var _ driver.Runtime = (*Runtime)(nil)

// New returns a runtime. It starts nothing. On systems other than Linux, and
// on Linux other than on amd64 and arm64, it returns an error of code
// [apierr.Unsupported].
func New(cfg Config) (*Runtime, error) {
	ctx, cancel := context.WithCancel(context.Background())
	return &Runtime{
		log: cfg.logger(), tag: newTag, guest: cfg.GuestBinary, creates: make(chan struct{}, createsAtOnce), ctx: ctx, cancel: cancel,
	}, nil
}

// Name implements [driver.Runtime].
func (*Runtime) Name() string { return name }

// Create implements [driver.Runtime]. It waits at most 10 seconds for the
// guest to be started; what the guest says first is for the caller to await.
//
// Besides [apierr.IsolationUnavailable] it returns errors of code
// [apierr.InvalidArgument] for a Spec.Root that cannot be one,
// [apierr.FailedPrecondition] for a Spec.Root with a guest that is dynamically
// linked,
// [apierr.ResourceExhausted] when the machine is out of processes, descriptors
// or memory at the moment, [apierr.Unavailable] when launchers die or the
// runtime is closed, and those of ctx.
func (r *Runtime) Create(ctx context.Context, spec driver.Spec) (driver.Sandbox, error) {
	if err := check(spec); err != nil {
		return nil, err
	}
	req := control.Request{Op: control.Start, Root: spec.Root, Hostname: spec.Hostname, Limits: spec.Limits}
	s, err := r.create(ctx, req, spec.ID)
	if err != nil {
		e := explain(err)
		e.SessionID = spec.ID
		e.Message = "linuxns: create: " + e.Message
		return nil, e
	}
	return s, nil
}

func check(spec driver.Spec) error {
	invalid := func(format string, args ...any) error {
		return apierr.Errorf(apierr.InvalidArgument, "linuxns: create: "+format, args...)
	}
	if len(spec.Hostname) == 0 || len(spec.Hostname) > control.HostnameLimit {
		return invalid("host name of %d bytes", len(spec.Hostname))
	}
	if spec.Root == "" {
		return nil
	}
	if err := checkRoot(spec.Root); err != nil {
		return invalid("root %q %w", spec.Root, err)
	}
	return nil
}

// create makes a sandbox, or nothing.
func (r *Runtime) create(ctx context.Context, req control.Request, session string) (*sandbox, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, createTimeout, errSlow)
	defer cancel()
	defer context.AfterFunc(r.ctx, cancel)()
	select {
	case r.creates <- struct{}{}:
		defer func() { <-r.creates }()
	case <-ctx.Done():
		return nil, r.cause(ctx)
	}
	s, err := r.createOnce(ctx, req, session)
	if errors.Is(err, errBroken) {
		s, err = r.createOnce(ctx, req, session) // nothing came of it; another launcher may do better
	}
	return s, err
}

func (r *Runtime) createOnce(ctx context.Context, req control.Request, session string) (*sandbox, error) {
	l, err := r.launcher()
	if err != nil {
		return nil, err
	}
	if req.Root != "" && l.dynamic {
		return nil, errDynamic
	}
	s, report, err := l.open(ctx, req, session)
	if err != nil {
		return nil, err
	}
	defer func() { _ = report.Close() }() // read only
	if err = await(ctx, report); err == nil {
		err = l.awaitReady(ctx)
	}
	if err == nil {
		s.made(req.Limits)
		return s, nil
	}
	if ctx.Err() != nil {
		err = r.cause(ctx)
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if undoErr := s.Destroy(undo); undoErr != nil {
		r.log.Error("linuxns: a sandbox that failed to start is not confirmed gone", "error", undoErr)
	}
	// Whatever a child says that lost its launcher: it is not the machine's fault.
	if ctx.Err() == nil && l.isBroken() {
		r.log.Debug("linuxns: a launcher was lost while it made a sandbox", "error", err)
		err = errBroken
	}
	return nil, err
}

var (
	errSlow   = fmt.Errorf("no sandbox within %v", createTimeout)
	errClosed = errors.New("the runtime is closed")
)

// cause returns why ctx, made by create, ended.
func (r *Runtime) cause(ctx context.Context) error {
	if r.ctx.Err() != nil {
		return errClosed
	}
	return context.Cause(ctx)
}

// await reads a report to its end.
func await(ctx context.Context, report *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = report.SetReadDeadline(past) }) // closed means read
	defer stop()
	text, err := io.ReadAll(io.LimitReader(report, tape.ReportLimit))
	if err != nil {
		return fmt.Errorf("read the report: %w", err)
	}
	return tape.Parse(text)
}

// awaitReady waits until it is known where the launcher's groups are, which is
// so before it makes anything.
func (l *launcher) awaitReady(ctx context.Context) error {
	select {
	case <-l.ready:
		return nil
	case <-l.done:
		return errBroken
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// launcher returns the launcher, starting one if there is none alive.
func (r *Runtime) launcher() (*launcher, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, errClosed
	}
	if n := len(r.launchers); n > 0 && !r.launchers[n-1].isBroken() {
		return r.launchers[n-1], nil
	}
	if r.programs == nil {
		programs, err := newPrograms(r.guest)
		if err != nil {
			return nil, &startError{layer: layerCopy, err: err}
		}
		r.programs = programs
	}
	l, err := startLauncher(r.programs, r.tag, r.log)
	if err != nil {
		return nil, &startError{layer: layerLauncher, err: err}
	}
	r.launchers = append(slices.DeleteFunc(r.launchers, (*launcher).finished), l)
	return l, nil
}

// Close implements [driver.Runtime]. It returns an error when the end of every
// sandbox is not confirmed within 10 seconds; the killing goes on.
func (r *Runtime) Close() error {
	r.cancel()
	r.mu.Lock()
	launchers, programs := r.launchers, r.programs
	r.closed, r.launchers, r.programs = true, nil, nil
	r.mu.Unlock()
	if programs != nil {
		programs.close()
	}
	for _, l := range launchers {
		l.stop()
	}
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	for _, l := range launchers {
		select {
		case <-l.done:
			l.release()
		case <-timeout.C:
			return &apierr.Error{
				Code:    apierr.DeadlineExceeded,
				Message: fmt.Sprintf("linuxns: close: sandboxes not confirmed gone within %v", closeTimeout),
			}
		}
	}
	return nil
}
