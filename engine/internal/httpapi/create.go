package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/labels"
)

// maxIdleSeconds bounds the idle release that a client may ask for: 30 days.
const maxIdleSeconds = 30 * 24 * 60 * 60

func (a *API) createSession(ctx context.Context, by caller, req wire.CreateSessionRequest) (*wire.CreateSessionResponse, error) {
	s, err := a.create(ctx, by, req)
	if err != nil {
		return nil, err
	}
	ok := true
	resp := &wire.CreateSessionResponse{SessionHandle: describe(s, by), Success: &ok}
	a.offer(&resp.SessionHandle, by)
	return resp, nil
}

func (a *API) create(ctx context.Context, by caller, req wire.CreateSessionRequest) (Session, error) {
	p := CreateParams{Image: req.ImageID, Idle: time.Duration(req.Timeout) * time.Second}
	var err error
	if p.Key, err = by.key(); err != nil {
		return Session{}, err
	}
	if req.Timeout < 0 || req.Timeout > maxIdleSeconds {
		return Session{}, apierr.Errorf(apierr.InvalidArgument, "timeout: %d s is not between 0 and %d s", req.Timeout, maxIdleSeconds)
	}
	if len(req.Contexts) > 0 {
		return Session{}, apierr.Errorf(apierr.Unsupported, "persistenceDataList: unsupported: this engine has no persistent contexts")
	}
	if req.LifetimeMS != nil {
		if p.Lifetime, err = lifetime(*req.LifetimeMS); err != nil {
			return Session{}, err
		}
	}
	if req.Limits != nil {
		if p.Limits, err = limitsWanted(*req.Limits); err != nil {
			return Session{}, err
		}
	}
	if req.Labels != nil && len(req.Labels.V) > 0 {
		p.Labels = req.Labels.V
		if err := checkLabels(p.Labels); err != nil {
			return Session{}, err
		}
	}
	return a.cfg.Engine.Create(ctx, by.tenant, p)
}

func checkLabels(set map[string]string) error {
	if err := labels.Validate(set); err != nil {
		return err
	}
	return labels.Bounds(set)
}

// maxKey bounds an idempotency key, in bytes.
const maxKey = 255

// key returns the idempotency key of the call, which is printable ASCII without
// blanks; empty when it has none.
func (by caller) key() (string, error) {
	switch {
	case len(by.keys) == 0:
		return "", nil
	case len(by.keys) > 1:
		return "", apierr.Errorf(apierr.InvalidArgument, "%s: there are %d of it", wire.HeaderIdempotencyKey, len(by.keys))
	}
	key := by.keys[0]
	if len(key) > maxKey {
		return "", apierr.Errorf(apierr.InvalidArgument, "%s: %d bytes, at most %d are allowed", wire.HeaderIdempotencyKey, len(key), maxKey)
	}
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", apierr.Errorf(apierr.InvalidArgument, "%s: a blank or a character that is not printable ASCII", wire.HeaderIdempotencyKey)
	}
	return key, nil
}

// maxLifetime bounds the lifetime that a client may ask for, whatever the
// engine's own bound: a year.
const maxLifetime = 365 * 24 * time.Hour

// lifetime returns a lifetime in milliseconds as what it is.
func lifetime(ms int64) (time.Duration, error) {
	if ms <= 0 || ms > int64(maxLifetime/time.Millisecond) {
		return 0, apierr.Errorf(apierr.InvalidArgument, "lifetimeMs: %d is not between 1 and %d", ms, int64(maxLifetime/time.Millisecond))
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// maxLimit bounds each limit that a client may ask for, whatever the engine's
// own bounds. On every machine it is an int.
const maxLimit = 1<<31 - 1

// maxLimitBytes bounds limits in bytes.
const maxLimitBytes = 1 << 50

// limitsWanted returns the limits that a client asks for.
func limitsWanted(l wire.Limits) (driver.Limits, error) {
	var err error
	l.Each(func(name string, value *int64) {
		most := int64(maxLimit)
		if strings.HasSuffix(name, "Bytes") {
			most = maxLimitBytes
		}
		if err == nil && (*value < 0 || *value > most) {
			err = apierr.Errorf(apierr.InvalidArgument, "limits.%s: %d is not between 0 and %d", name, *value, most)
		}
	})
	if err != nil {
		return driver.Limits{}, err
	}
	return driver.Limits{
		Processes: int(l.Processes), OpenFiles: int(l.OpenFiles), FileBytes: l.FileBytes, DataBytes: l.DataBytes,
		DiskBytes: l.DiskBytes, DiskInodes: l.DiskInodes, MemoryBytes: l.MemoryBytes, MilliCPU: int(l.MilliCPU),
	}, nil
}

// limitsInForce returns what a session's limits are told as, nil for none.
func limitsInForce(l driver.Limits) *wire.Limits {
	if l == (driver.Limits{}) {
		return nil
	}
	return &wire.Limits{
		Processes: int64(l.Processes), OpenFiles: int64(l.OpenFiles), FileBytes: l.FileBytes, DataBytes: l.DataBytes,
		DiskBytes: l.DiskBytes, DiskInodes: l.DiskInodes, MemoryBytes: l.MemoryBytes, MilliCPU: int64(l.MilliCPU),
	}
}
