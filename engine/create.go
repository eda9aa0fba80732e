package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/httpapi"
)

// A creation passes
//
//	grant     what is asked for is allowed; defaults are filled in
//	flight    one creation for all callers with the same key
//	admit     there is a place for it
//	claim     a ready sandbox of the pool, or
//	makeBox   one made for it: turn, runtime, guest, checks
//	record    what is to survive is on disk
//	publish   it can be found
//
// Whatever fails, and whenever the caller gives up, all before is undone.

// wish is what a creation is asked for, with the defaults filled in.
type wish struct {
	tenant, image  string
	root           Image
	labels         map[string]string
	idle, lifetime time.Duration
	limits         driver.Limits
	layers         []string // that have to be verified, besides what the engine requires
	key            string
	params         [32]byte // fingerprint of what was asked for; with a key
}

// grant checks what is asked for.
func (e *Engine) grant(tenant string, p httpapi.CreateParams) (wish, error) {
	w := wish{
		tenant: tenant, image: cmp.Or(p.Image, defaultImage), labels: p.Labels, key: p.Key,
		idle: cmp.Or(p.Idle, e.cfg.IdleTimeout), lifetime: cmp.Or(p.Lifetime, e.cfg.MaxLifetime),
		limits: orLimits(p.Limits, e.limits), layers: limitLayers(p.Limits),
	}
	var ok bool
	if w.root, ok = e.cfg.Images[w.image]; !ok {
		return w, apierr.Errorf(apierr.InvalidArgument, "image %q is unknown", clip(w.image)).
			WithHint("known images: %s", strings.Join(slices.Sorted(maps.Keys(e.cfg.Images)), ", "))
	}
	if w.idle < 0 && w.idle != NoTimeout {
		return w, apierr.Errorf(apierr.InvalidArgument, "idle time: %v is negative", w.idle)
	}
	if err := e.checkLifetime(w.lifetime); err != nil {
		return w, err
	}
	if err := checkLimits(w.limits, leastLimits, e.cfg.maxLimits()); err != nil {
		return w, err
	}
	if w.key != "" {
		w.params = fingerprint(p)
	}
	return w, checkKey(w.key)
}

// checkLifetime refuses a lifetime that a session must not have.
func (e *Engine) checkLifetime(d time.Duration) error {
	most := e.cfg.MaxLifetime
	switch {
	case d <= 0 && d != NoTimeout:
		return apierr.Errorf(apierr.InvalidArgument, "lifetime: %v is not positive", d)
	case most != NoTimeout && (d == NoTimeout || d > most):
		return apierr.Errorf(apierr.InvalidArgument, "lifetime: at most %v may be asked for", most).
			WithHint("the engine's Config.MaxLifetime says how much may be asked for")
	}
	return nil
}

// create makes a session. ctx bounds the making.
func (e *Engine) create(ctx context.Context, w wish) (httpapi.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, createTimeout)
	defer cancel()
	defer context.AfterFunc(e.ctx, cancel)()
	ready, err := e.admit(w.root, w.limits)
	if err != nil {
		return httpapi.Session{}, err
	}
	s, err := e.settle(ctx, w, ready)
	if err != nil {
		e.mu.Lock()
		e.made()
		e.release(w.limits)
		e.mu.Unlock()
		if e.ctx.Err() != nil {
			err = errClosed()
		}
		return httpapi.Session{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := failpoint.At(failpoint.CreatePublished); err != nil {
		e.retire(s, endedUnused)
		return httpapi.Session{}, err
	}
	return s.view(), nil
}

// settle makes a session that can be found, in the sandbox ready if that is not
// nil and alive. When it fails nothing is left but the place.
func (e *Engine) settle(ctx context.Context, w wish, ready *box) (*session, error) {
	b, err := e.claim(ctx, w, ready)
	if err != nil {
		return nil, err
	}
	if err := demand(w.layers, b.layers); err != nil {
		e.scrap(b)
		return nil, err
	}
	s := newSession(b, w, e)
	if err := e.introduce(s, w); err != nil {
		s.tools.Close()
		e.scrap(b)
		return nil, err
	}
	return s, nil
}

// introduce has the record of s kept and then s be found.
func (e *Engine) introduce(s *session, w wish) error {
	if err := failpoint.At(failpoint.CreateOpened); err != nil {
		return err
	}
	if err := e.keepRecord(s, w); err != nil {
		return err
	}
	err := failpoint.At(failpoint.CreateRecorded)
	if err == nil {
		err = e.publish(s, w)
	}
	if err != nil {
		e.dropRecord(s.id)
	}
	return err
}

// maxEcho is how many bytes of a client's text are told back.
const maxEcho = 128

func clip(s string) string { return s[:min(len(s), maxEcho)] }

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return "s-" + hex.EncodeToString(b[:])
}
