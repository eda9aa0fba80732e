package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/engine/internal/store"
)

// A key makes a creation idempotent, for its tenant, for as long as the store
// has it stand for the session: 24 hours.
//
//	a creation with the key is under way   wait for it, answer what it answers
//	its session lives                      answer the session
//	its session has ended                  refuse, telling which and why
//	the other parameters differ            refuse
//	none of these                          create
//
// That a session with a key is not replaced when it has ended, be it that the
// engine died, is what keeps a repeated request from making a second one.

// maxKey is how long a key may be.
const maxKey = 255

// checkKey refuses keys that are too long, or not printable ASCII without
// blanks.
func checkKey(key string) error {
	if len(key) > maxKey {
		return apierr.Errorf(apierr.InvalidArgument, "idempotency key: %d bytes, at most %d are allowed", len(key), maxKey)
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return apierr.Errorf(apierr.InvalidArgument, "idempotency key: byte %#02x is a blank or not printable ASCII", c)
		}
	}
	return nil
}

// fingerprint stands for all that a client asks for but the key.
func fingerprint(p httpapi.CreateParams) [32]byte {
	p.Image, p.Key = cmp.Or(p.Image, defaultImage), ""
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return sha256.Sum256(text)
}

type flightKey struct{ tenant, key string }

// A flight is a creation with a key that is under way.
type flight struct {
	params [32]byte
	cancel context.CancelFunc

	waiting   int  // callers; guarded by Engine.mu
	abandoned bool // there were none left; guarded by Engine.mu

	done    chan struct{} // closed when it has ended
	session httpapi.Session
	err     error
}

// createOnce is create with a key. The creation goes on while anybody waits for
// it.
func (e *Engine) createOnce(ctx context.Context, w wish) (httpapi.Session, error) {
	for {
		f, kept, err := e.board(ctx, w)
		if err != nil {
			return httpapi.Session{}, err
		}
		if f == nil {
			return e.answerKept(kept)
		}
		if s, ok, err := e.await(ctx, f); ok {
			return s, err
		}
	}
}

// board returns the flight of w's key, a new one if there is none, or the
// record of the session that was made with it.
func (e *Engine) board(ctx context.Context, w wish) (*flight, store.Record, error) {
	k := flightKey{w.tenant, w.key}
	e.mu.Lock()
	defer e.mu.Unlock()
	if f := e.flights[k]; f != nil {
		if f.params != w.params {
			return nil, store.Record{}, errOtherParams()
		}
		if !f.abandoned {
			f.waiting++
		}
		return f, store.Record{}, nil
	}
	if r, ok := e.store.ByKey(w.tenant, w.key); ok {
		if r.KeyParams != w.params {
			return nil, store.Record{}, errOtherParams()
		}
		return nil, r, nil
	}
	if e.closing {
		return nil, store.Record{}, errClosed()
	}
	f := &flight{params: w.params, waiting: 1, done: make(chan struct{})}
	flightCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.cancel = cancel
	e.flights[k] = f
	e.tasks.Add(1)
	go func() {
		defer e.tasks.Done()
		defer cancel()
		f.session, f.err = e.create(flightCtx, w)
		e.mu.Lock()
		delete(e.flights, k)
		e.mu.Unlock()
		close(f.done)
	}()
	return f, store.Record{}, nil
}

// await waits for f, as long as ctx allows. ok is false when f had been given
// up by its callers before this one came.
func (e *Engine) await(ctx context.Context, f *flight) (s httpapi.Session, ok bool, err error) {
	e.mu.Lock()
	late := f.abandoned
	e.mu.Unlock()
	select {
	case <-f.done:
		return f.session, !late, f.err
	case <-ctx.Done():
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !late {
		if f.waiting--; f.waiting == 0 {
			f.abandoned = true
			f.cancel()
		}
	}
	return httpapi.Session{}, true, ctx.Err()
}

// answerKept answers with the session that was made with a key.
func (e *Engine) answerKept(r store.Record) (httpapi.Session, error) {
	v := (*service)(e)
	s, err := v.Find(r.Tenant, r.ID)
	if errors.Is(err, apierr.SessionNotFound.Err()) {
		refusal := apierr.Errorf(apierr.FailedPrecondition, "idempotency key: its session %s %s", r.ID, e.howEnded(r.Tenant, r.ID)).
			WithHint("use another key for another session")
		refusal.SessionID = r.ID
		return httpapi.Session{}, refusal
	}
	return s, err
}

func errOtherParams() error {
	return apierr.Errorf(apierr.InvalidArgument, "idempotency key: it was used with other parameters").
		WithHint("use another key for another session")
}
