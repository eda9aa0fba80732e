//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"
	"io"
	"sync"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
)

// sandbox is a [driver.Sandbox].
type sandbox struct {
	id       uint64
	session  string // the id in Spec, for errors and logs
	launcher *launcher
	stream   *stream
	limits   driver.Limits // set by made
	pausing  chan struct{} // holds a token; whoever has it may pause and resume
	paused   bool          // for the holder of that token

	gone chan struct{}
	last *driver.Usage // when gone; nil where nobody kept account

	mu     sync.Mutex
	killed bool // from then on nothing may stop its processes again
}

var _ driver.Sandbox = (*sandbox)(nil)

// made makes a sandbox out of what was forked for it.
func (s *sandbox) made(limits driver.Limits) { s.limits = limits }

// group is the sandbox's control group; where there are none its methods do
// nothing.
func (s *sandbox) group() cgroup.Group {
	return s.launcher.places().Group(cgroup.Name(s.launcher.tag, s.id))
}

// Conn implements [driver.Sandbox].
func (s *sandbox) Conn() io.ReadWriteCloser { return s.stream }

// Done implements [driver.Sandbox].
func (s *sandbox) Done() <-chan struct{} { return s.gone }

// end makes it known that every process is gone, and what they had used, nil if
// nobody kept account. Only the launcher's watch calls it.
func (s *sandbox) end(last *driver.Usage) {
	select {
	case <-s.gone:
		return
	default:
	}
	s.last = last
	close(s.gone)
	if s.stream.closed.Load() {
		s.stream.release()
	}
}

// Destroy implements [driver.Sandbox].
func (s *sandbox) Destroy(ctx context.Context) error {
	_ = s.stream.Close() // never fails
	s.mu.Lock()
	s.killed = true
	s.mu.Unlock()
	select {
	case <-s.gone:
	default:
		s.launcher.kill(s.id)
	}
	select {
	case <-s.gone:
		s.launcher.forget(s)
		return nil
	case <-ctx.Done():
		e := apierr.From(ctx.Err())
		return s.fail(e.Code, context.Cause(ctx),
			"destroy: the sandbox is killed but not yet confirmed gone: "+e.Message)
	}
}

func (s *sandbox) fail(code apierr.Code, cause error, message string) *apierr.Error {
	return &apierr.Error{Code: code, SessionID: s.session, Cause: cause, Message: "linuxns: " + message}
}

// over is the error of calls that need a sandbox that is there.
func (s *sandbox) over(call string) *apierr.Error {
	return s.fail(apierr.SessionNotFound, nil, call+": the sandbox is gone")
}
