package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// operation serves a request of a caller who may ask.
type operation func(w http.ResponseWriter, r *http.Request, by caller)

// fallible is implemented by responses that tell of a failure in their own way,
// besides the envelope's.
type fallible interface{ Fail(why string) }

// handle serves op with fn: decode, call, encode.
func handle[Req, Resp any](a *API, op wire.Op[Req, Resp], fn func(context.Context, caller, Req) (*Resp, error)) {
	a.register(op.Pattern, func(w http.ResponseWriter, r *http.Request, by caller) {
		start, id := time.Now(), requestID(r)
		var resp *Resp
		req, err := read(w, r, op)
		if err == nil {
			resp, err = fn(r.Context(), by, req)
		}
		if err != nil {
			resp = failed[Resp](err)
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

// failed returns the response that tells of err, nil when the envelope alone
// does.
func failed[Resp any](err error) *Resp {
	resp := new(Resp)
	f, ok := any(resp).(fallible)
	if !ok {
		return nil
	}
	e := apierr.From(err)
	why := e.Message
	if e.Hint != "" {
		why += "; " + e.Hint
	}
	f.Fail(why)
	return resp
}

// read decodes a request, whose body then has all arrived.
func read[Req, Resp any](w http.ResponseWriter, r *http.Request, op wire.Op[Req, Resp]) (Req, error) {
	var none Req
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		err := apierr.Errorf(apierr.InvalidArgument, "a request in content encoding %q is not accepted", encoding)
		err.HTTPStatus = http.StatusUnsupportedMediaType
		return none, err
	}
	req, err := op.ReadRequest(w, r)
	if err == nil {
		freeBody(w, r)
		return req, nil
	}
	return none, unreadable(err)
}

// unreadable returns the answer to a request that could not be read.
func unreadable(err error) error {
	var tooLarge *http.MaxBytesError
	var format *wire.FormatError
	switch {
	case errors.As(err, &tooLarge):
		e := apierr.Errorf(apierr.InvalidArgument, "malformed request: the body has more than %d bytes", tooLarge.Limit)
		e.HTTPStatus = http.StatusRequestEntityTooLarge
		return e
	case errors.Is(err, os.ErrDeadlineExceeded):
		e := apierr.Errorf(apierr.DeadlineExceeded, "the request's body did not arrive in time")
		e.HTTPStatus = http.StatusRequestTimeout
		return e
	case errors.As(err, &format):
		return apierr.Errorf(apierr.InvalidArgument, "malformed request: %w", format)
	default:
		return apierr.Errorf(apierr.InvalidArgument, "malformed request: the body cannot be read: %w", err)
	}
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
	if passing(env) && h.Get("Retry-After") == "" {
		h.Set("Retry-After", retryAfter)
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(env) // an envelope has nothing in it that cannot be encoded
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(env.HTTPStatusCode)
	_, _ = w.Write(body.Bytes())
}

// retryAfter is when a client may try again, in seconds, when nothing better is
// known.
const retryAfter = "1"

// passing reports whether env tells of a failure that may pass. That isolation
// is missing does not pass by itself.
func passing(env *wire.Envelope) bool {
	isolation, _ := wire.Fault(apierr.IsolationUnavailable)
	return env.HTTPStatusCode == http.StatusTooManyRequests ||
		env.HTTPStatusCode == http.StatusServiceUnavailable && env.Code != isolation
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
func Refuse(w http.ResponseWriter, r *http.Request, err error) {
	expectBody(w, r, bodyTimeout)
	fail(w, requestID(r), err)
}
