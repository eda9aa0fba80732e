//go:build linux && (amd64 || arm64)

package linuxns

import (
	"context"
	"io"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
)

// sandbox is a [driver.Sandbox].
type sandbox struct {
	id       uint64
	session  string // the id in Spec, for errors and logs
	launcher *launcher
	stream   *stream
	gone     chan struct{}
}

var _ driver.Sandbox = (*sandbox)(nil)

// Conn implements [driver.Sandbox].
func (s *sandbox) Conn() io.ReadWriteCloser { return s.stream }

// Done implements [driver.Sandbox].
func (s *sandbox) Done() <-chan struct{} { return s.gone }

// end makes it known that every process is gone. Only the launcher's watch
// calls it.
func (s *sandbox) end() {
	select {
	case <-s.gone:
		return
	default:
	}
	close(s.gone)
	if s.stream.closed.Load() {
		s.stream.release()
	}
}

// Destroy implements [driver.Sandbox].
func (s *sandbox) Destroy(ctx context.Context) error {
	_ = s.stream.Close() // never fails
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
		return &apierr.Error{
			Code: e.Code, SessionID: s.session, Cause: context.Cause(ctx),
			Message: "linuxns: destroy: the sandbox is killed but not yet confirmed gone: " + e.Message,
		}
	}
}
