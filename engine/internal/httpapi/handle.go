package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"time"

	"github.com/google/uuid"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// bodyTimeout is how long a client may take to send a request's body. It is
// set for the reading alone, so that it never cuts a long call.
const bodyTimeout = time.Minute

// operation serves a request of a caller who may ask.
type operation func(w http.ResponseWriter, r *http.Request, by caller)

// handle serves op with fn: decode, call, encode. When fn returns both an
// error and a response, the response travels as the failure's data.
func handle[Req, Resp any](a *API, op wire.Op[Req, Resp], fn func(context.Context, caller, Req) (*Resp, error)) {
	a.register(op.Pattern, func(w http.ResponseWriter, r *http.Request, by caller) {
		start, id := time.Now(), requestID(r)
		var resp *Resp
		req, err := read(w, r, op)
		if err == nil {
			resp, err = fn(r.Context(), by, req)
		}
		env := envelope(id, err)
		if resp != nil {
			if sealErr := wire.Seal(env, resp); sealErr != nil {
				env = envelope(id, sealErr)
			}
		}
		a.logCall(r.Context(), op.Name, env, time.Since(start), err)
		write(w, env)
	})
}

// read decodes a request.
func read[Req, Resp any](w http.ResponseWriter, r *http.Request, op wire.Op[Req, Resp]) (Req, error) {
	var none Req
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		err := apierr.Errorf(apierr.InvalidArgument, "a request in content encoding %q is not accepted", encoding)
		err.HTTPStatus = http.StatusUnsupportedMediaType
		return none, err
	}
	if r.ContentLength != 0 {
		// A server without deadlines, such as a test recorder, has none to set.
		rc := http.NewResponseController(w)
		if rc.SetReadDeadline(time.Now().Add(bodyTimeout)) == nil {
			defer func() { _ = rc.SetReadDeadline(time.Time{}) }()
		}
	}
	req, err := op.ReadRequest(w, r)
	if err == nil {
		return req, nil
	}
	fault := apierr.Errorf(apierr.InvalidArgument, "malformed request: %w", err)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		fault.HTTPStatus = http.StatusRequestEntityTooLarge
	}
	return none, fault
}

// envelope returns what reports err, or success when it is nil.
func envelope(id string, err error) *wire.Envelope {
	env := &wire.Envelope{RequestID: id, Success: true, Code: wire.CodeOK, HTTPStatusCode: http.StatusOK}
	if err == nil {
		return env
	}
	e := apierr.From(err)
	env.Success, env.Message, env.Hint = false, e.Message, e.Hint
	env.Code, env.HTTPStatusCode = wire.Fault(e.Code)
	if e.HTTPStatus != 0 {
		env.HTTPStatusCode = e.HTTPStatus
	}
	return env
}

// fail answers with err.
func fail(w http.ResponseWriter, id string, err error) { write(w, envelope(id, err)) }

// write sends env. A client that has gone is not our concern.
func write(w http.ResponseWriter, env *wire.Envelope) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(wire.HeaderRequestID, env.RequestID)
	w.WriteHeader(env.HTTPStatusCode)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(env)
}

var plainID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

// requestID returns the id that the client gave its request, if it is one that
// can go into logs and headers, else a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get(wire.HeaderRequestID); plainID.MatchString(id) {
		return id
	}
	return uuid.NewString()
}

// logCall records a call; defects loudly, all else for debugging.
func (a *API) logCall(ctx context.Context, op string, env *wire.Envelope, d time.Duration, err error) {
	level := slog.LevelDebug
	if env.HTTPStatusCode == http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !a.cfg.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("op", op), slog.String("request_id", env.RequestID),
		slog.Int("status", env.HTTPStatusCode), slog.Duration("duration", d),
	}
	if err != nil {
		attrs = append(attrs, slog.Any("error", apierr.From(err)))
	}
	a.cfg.Logger.LogAttrs(ctx, level, "call", attrs...)
}

// recoverPanic turns a panic of a handler into an answer and a log record.
func (a *API) recoverPanic(w http.ResponseWriter, r *http.Request) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
		panic(p)
	}
	id := requestID(r)
	a.cfg.Logger.Error("panic in a handler", "request_id", id, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	fail(w, id, apierr.Errorf(apierr.Internal, "internal error"))
}

// Refuse answers a request with err, in the protocol's form.
func Refuse(w http.ResponseWriter, r *http.Request, err error) { fail(w, requestID(r), err) }
