// Package apierr is the one vocabulary of errors that the SDK, the embedded
// engine and its runtimes share. It imports the standard library alone, so
// every other package may import it.
//
// Users of the SDK normally meet it through package agb, which re-exports
// [Error] and the sentinels, as package os does for io/fs.
package apierr

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Error is the type of every failure that the SDK and the engine report.
// It matches, under [errors.Is], the sentinel of its code, the standard error
// with the same meaning ([io/fs.ErrNotExist], [context.DeadlineExceeded], ...)
// and whatever its cause matches.
type Error struct {
	// Code is the kind of failure; never empty.
	Code Code
	// Message says what happened, in lower case, without secrets.
	Message string
	// Op is the call that failed, such as "filesystem.ReadFile". It may be empty.
	Op string
	// RequestID is the id to quote when asking for help. It may be empty.
	RequestID string
	// SessionID is the session concerned, if any.
	SessionID string
	// HTTPStatus is the status of the answer, 0 when there was none.
	HTTPStatus int
	// RetryAfter is how long the server asked to wait; 0 when it did not.
	RetryAfter time.Duration
	// Missing are the names of the layers and limits that a sandbox could not
	// be given, when Code is [IsolationUnavailable] and they are known.
	Missing []string
	// Hint says what to do about it. It may be empty.
	Hint string
	// Cause is the underlying error, or nil.
	Cause error
}

// Errorf returns an [Error] with the given code. An operand formatted with %w
// becomes its cause.
func Errorf(c Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: c, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// WithHint sets the hint of e and returns e.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Error returns one line: operation, message, hint, and in brackets the code
// with the ids to quote.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	fmt.Fprintf(&b, " [%s", e.Code)
	if e.HTTPStatus != 0 {
		fmt.Fprintf(&b, ", HTTP %d", e.HTTPStatus)
	}
	if e.SessionID != "" {
		b.WriteString(", session " + e.SessionID)
	}
	if e.RequestID != "" {
		b.WriteString(", request " + e.RequestID)
	}
	b.WriteString("]")
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is the sentinel of e's code or the standard error
// that means the same. A missing session matches the sentinel of [NotFound]
// too, but not [io/fs.ErrNotExist].
func (e *Error) Is(target error) bool {
	if s, ok := target.(sentinel); ok {
		return e.Code == Code(s) || e.Code == SessionNotFound && Code(s) == NotFound
	}
	return target != nil && target == standard[e.Code]
}

// LogValue implements [slog.LogValuer].
func (e *Error) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("code", string(e.Code)), slog.String("message", e.Message)}
	for _, a := range []slog.Attr{
		slog.String("op", e.Op), slog.String("request_id", e.RequestID), slog.String("session_id", e.SessionID),
	} {
		if a.Value.String() != "" {
			attrs = append(attrs, a)
		}
	}
	if e.HTTPStatus != 0 {
		attrs = append(attrs, slog.Int("http_status", e.HTTPStatus))
	}
	return slog.GroupValue(attrs...)
}

// From returns the [Error] in err's chain, or a new one around err with the
// code of [CodeOf]. It returns nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeOf(err), Message: err.Error(), Cause: err}
}
