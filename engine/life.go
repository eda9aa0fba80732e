package engine

import (
	"context"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/internal/guest"
)

// A session's life: start, publish, watch, retire.

// start makes the sandbox of s and waits for its guest.
func (e *Engine) start(ctx context.Context, s *session, image Image) error {
	sandbox, err := e.runtime.Create(ctx, driver.Spec{ID: s.id, Root: image.Root, Hostname: "agb", Limits: e.limits})
	if err != nil {
		return err
	}
	client := guest.NewClient(sandbox.Conn())
	if _, err := client.Hello(ctx); err != nil {
		_ = client.Close() // the guest's own error tells more
		destroyCtx, cancel := context.WithTimeout(context.Background(), destroyTimeout)
		defer cancel()
		if destroyErr := sandbox.Destroy(destroyCtx); destroyErr != nil {
			e.log.Error("destroy sandbox", "session_id", s.id, "error", destroyErr)
		}
		if ctx.Err() != nil {
			return err
		}
		return apierr.Errorf(apierr.Unavailable, "the sandbox did not start: %w", err)
	}
	s.sandbox, s.guest, s.tools = sandbox, client, e.api.Open(client)
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return nil
}

// publish makes s known and has somebody watch it.
func (e *Engine) publish(s *session, idle time.Duration) (httpapi.Session, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reserved--
	e.seq++
	s.seq = e.seq
	e.sessions[s.id] = s
	// A lease that is over at once has to wait for e.mu.
	s.lease = startLease(idle, e.cfg.MaxLifetime, func(why string) { e.end(s, why) })
	if e.closing {
		e.retire(s, "engine closed")
		return httpapi.Session{}, errClosed()
	}
	e.tasks.Add(1)
	go e.watch(s)
	e.log.Info("session made", "session_id", s.id, "image", s.image)
	return s.view(), nil
}

// watch ends s when its sandbox dies. It returns when s ends.
func (e *Engine) watch(s *session) {
	defer e.tasks.Done()
	select {
	case <-s.guest.Done():
		if s.ctx.Err() == nil {
			e.log.Warn("the guest of a session is gone", "session_id", s.id, "error", s.guest.Err())
		}
	case <-s.sandbox.Done():
		if s.ctx.Err() == nil {
			e.log.Warn("the sandbox of a session died", "session_id", s.id)
		}
	case <-s.ctx.Done():
	}
	e.end(s, "sandbox died")
}

// end ends s. It does not wait.
func (e *Engine) end(s *session, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.retire(s, why)
}

// retire hides s and starts to destroy it. e.mu is held.
func (e *Engine) retire(s *session, why string) {
	if s.ending {
		return
	}
	s.ending = true
	e.tasks.Add(1)
	e.log.Info("session ends", "session_id", s.id, "why", why)
	go func() {
		defer e.tasks.Done()
		if err := s.destroy(); err != nil {
			e.log.Error("destroy session", "session_id", s.id, "error", err)
		}
		e.mu.Lock()
		delete(e.sessions, s.id)
		e.mu.Unlock()
		close(s.gone)
	}()
}
