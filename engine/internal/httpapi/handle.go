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
	if op.Ours {
		a.beyond = append(a.beyond, op.Name)
	}
	a.register(op.Pattern, func(w http.ResponseWriter, r *http.Request, by caller) {
		start, id := time.Now(), requestID(r)
		ctx, sent := answering(r.Context())
		defer sent()
		var resp *Resp
		req, err := read(w, r, op)
		if err == nil {
			resp, err = fn(ctx, by, req)
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

// answering returns a context of which answerKey is one that ends with sent, and
// not when the client leaves: what it has not taken yet may still be read.
func answering(ctx context.Context) (with context.Context, sent context.CancelFunc) {
	answered, sent := context.WithCancel(context.Background())
	return context.WithValue(ctx, answerKey{}, answered), sent
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
	if err := checkEncoding(r); err != nil {
		return none, err
	}
	req, err := op.ReadRequest(w, r)
	if err == nil {
		freeBody(w, r)
		return req, nil
	}
	return none, unreadable(err)
}

// checkEncoding refuses a body that is compressed.
func checkEncoding(r *http.Request) error {
	encoding := r.Header.Get("Content-Encoding")
	if encoding == "" || encoding == "identity" {
		return nil
	}
	err := apierr.Errorf(apierr.InvalidArgument, "a request in content encoding %q is not accepted", encoding)
	err.HTTPStatus = http.StatusUnsupportedMediaType
	return err
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
	env.Success, env.Message, env.Hint, env.Missing = false, e.Message, e.Hint, e.Missing
	env.Code, env.HTTPStatusCode = wire.Fault(e.Code)
	if e.HTTPStatus != 0 {
		env.HTTPStatusCode = e.HTTPStatus
	}
	return env
}

// fail answers with err.
func fail(w http.ResponseWriter, id string, err error) { write(w, envelope(id, err)) }

// write sends env.
func write(w http.ResponseWriter, env *wire.Envelope) {
	if h := w.Header(); passing(env) && h.Get("Retry-After") == "" {
		h.Set("Retry-After", retryAfter)
	}
	send(w, env.HTTPStatusCode, env.RequestID, env, env.Holes)
}

// send sends an answer, in which the holes are. A client that has gone is not
// our concern.
func send(w http.ResponseWriter, status int, id string, answer any, holes []wire.Hole) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set(wire.HeaderRequestID, id)
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(answer) // no answer has anything in it that cannot be encoded
	if len(holes) > 0 {
		w.WriteHeader(status)
		fill(w, body.Bytes(), holes)
		return
	}
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
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
func requestID(r *http.Request) string { return requestIDOf(r.Header.Get(wire.HeaderRequestID)) }

func requestIDOf(given string) string {
	if plainID.MatchString(given) {
		return given
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
