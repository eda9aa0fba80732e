package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/engine/internal/store"
)

// usageTimeout bounds the wait for the account of a session that ends.
const usageTimeout = time.Second

// ending is the end of a session.
type ending struct {
	reason string
	at     time.Time
	usage  *store.Usage // nil where nobody kept account
}

// openStore returns the store of an engine's records. Those of sessions whose
// engine died are ended in it.
func openStore(cfg Config) (*store.Store, error) {
	if cfg.StateDir == "" {
		return store.Memory(store.Limits{}), nil
	}
	s, report, err := store.Open(cfg.StateDir, store.Options{Wait: ownerPatience})
	if err != nil {
		return nil, err
	}
	if n := len(report.Orphans); n > 0 {
		cfg.Logger.Warn("sessions ended with the engine that had them", "sessions", n)
	}
	if d := report.Damage; d != nil {
		cfg.Logger.Error("the file of records was damaged", "found", d.Found, "kept_as", d.File, "saved", d.Saved, "lost", d.Lost, "complete", d.Complete)
	}
	return s, nil
}

// keepRecord makes the record of s, of which nobody knows yet.
func (e *Engine) keepRecord(s *session, w wish) error {
	r, err := e.store.Put(store.Record{
		ID: s.id, Tenant: s.tenant, Image: s.image, Labels: s.labels, State: store.Running, Created: s.created,
		Key: w.key, KeyParams: w.params, Lifetime: w.lifetime, Idle: w.idle,
	})
	s.seq = r.Seq
	return err
}

// dropRecord takes away the record of a session of which nobody was told, and
// with it its key.
func (e *Engine) dropRecord(id string) {
	if err := e.store.Delete(id); err != nil {
		e.log.Error("delete record", "session_id", id, "error", err)
		e.lateEnd(id, ending{reason: endedUnused, at: time.Now()})
	}
}

// keepEnd records the end of a session. When that fails the end is kept in
// memory, and recorded when the next one can be.
func (e *Engine) keepEnd(id string, end ending) {
	if err := e.writeEnd(id, end); err != nil {
		e.log.Error("record the end of a session", "session_id", id, "error", err)
		e.lateEnd(id, end)
		return
	}
	e.writeLate()
}

func (e *Engine) writeEnd(id string, end ending) error {
	_, err := e.store.Update(id, func(r *store.Record) error {
		r.State, r.Reason, r.Ended, r.Usage = store.Ended, end.reason, end.at, end.usage
		return nil
	})
	if apierr.CodeOf(err) == apierr.NotFound {
		return nil // there is nothing to be ended
	}
	return err
}

// lateEnd keeps an end that could not be recorded. There are at most as many
// as the store has records of live sessions.
func (e *Engine) lateEnd(id string, end ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.late[id] = end
}

// writeLate records the ends that could not be before. The first that fails
// ends it.
func (e *Engine) writeLate() {
	for {
		e.mu.Lock()
		var id string
		var end ending
		for id, end = range e.late {
			break
		}
		e.mu.Unlock()
		if id == "" || e.writeEnd(id, end) != nil {
			return
		}
		e.mu.Lock()
		delete(e.late, id)
		e.mu.Unlock()
	}
}

// keepChange changes the record of a session that is alive.
func (e *Engine) keepChange(s *session, change func(*store.Record)) error {
	_, err := e.store.Update(s.id, func(r *store.Record) error {
		if !r.Live() {
			return errSessionOver
		}
		change(r)
		return nil
	})
	if errors.Is(err, errSessionOver) {
		return e.errNotFound(s.tenant, s.id)
	}
	return err
}

// lastUsage returns what s has used, or nil where nobody kept account.
func (e *Engine) lastUsage(s *session) *store.Usage {
	ctx, cancel := context.WithTimeout(context.Background(), usageTimeout)
	defer cancel()
	u, err := s.sandbox.Usage(ctx)
	if err != nil {
		if apierr.CodeOf(err) != apierr.Unsupported {
			e.log.Warn("no usage of a session that ends", "session_id", s.id, "error", err)
		}
		return nil
	}
	return &store.Usage{CPU: u.CPU, PeakBytes: u.PeakBytes, OOMKills: u.OOMKills}
}

// recorded returns the record of a session of tenant, as far as it ended.
func (e *Engine) recorded(tenant, id string) (store.Record, bool) {
	r, ok := e.store.Get(id)
	if !ok || r.Tenant != tenant {
		return store.Record{}, false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.withLate(r), true
}

// withLate returns r with its end, if that could not be recorded. e.mu is held.
func (e *Engine) withLate(r store.Record) store.Record {
	if end, ok := e.late[r.ID]; ok && r.Live() {
		r.State, r.Reason, r.Ended, r.Usage = store.Ended, end.reason, end.at, end.usage
	}
	return r
}

// Records implements [httpapi.Engine].
func (v *service) Records(tenant string) []httpapi.Record {
	e := (*Engine)(v)
	kept := slices.Collect(e.store.All(tenant, 0))
	e.mu.Lock()
	defer e.mu.Unlock()
	records := make([]httpapi.Record, len(kept))
	for i, r := range kept {
		records[i] = viewRecord(e.withLate(r))
	}
	return records
}

var stateNames = map[store.State]string{
	store.Creating: httpapi.StateRunning, store.Running: httpapi.StateRunning,
	store.Paused: httpapi.StatePaused, store.Ended: httpapi.StateEnded,
}

func viewRecord(r store.Record) httpapi.Record {
	view := httpapi.Record{
		ID: r.ID, Image: r.Image, Labels: r.Labels, Created: r.Created, State: stateNames[r.State],
		Ended: r.Ended, Reason: r.Reason,
	}
	if u := r.Usage; u != nil {
		view.Usage = &driver.Usage{CPU: u.CPU, PeakBytes: u.PeakBytes, OOMKills: u.OOMKills}
	}
	return view
}

// errNotFound is the answer about a session that is over, foreign, or never
// was. The tenant whose session it was is told how it ended.
func (e *Engine) errNotFound(tenant, id string) error {
	message := "Session " + clip(id) + " not found"
	if how := e.howEnded(tenant, id); how != "" {
		message += ": it " + how
	}
	return &apierr.Error{Code: apierr.SessionNotFound, Message: message, SessionID: clip(id)}
}

// howEnded says when and why a session of tenant ended; nothing if it did not.
func (e *Engine) howEnded(tenant, id string) string {
	e.mu.Lock()
	s := e.sessions[id]
	if s != nil && s.tenant == tenant && s.why != "" {
		defer e.mu.Unlock()
		return "is ending: " + s.why
	}
	e.mu.Unlock()
	r, ok := e.recorded(tenant, id)
	if !ok || r.Live() {
		return ""
	}
	return "ended " + time.Since(r.Ended).Round(time.Second).String() + " ago: " + r.Reason
}
