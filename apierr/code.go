package apierr

import (
	"context"
	"errors"
	"io/fs"
)

// A Code says what kind of failure an [Error] reports, in one word that is
// stable across releases.
type Code string

// Codes. The list grows; no code is ever renamed or reused.
const (
	// Unknown is a failure that fits no other code.
	Unknown Code = "unknown"
	// Canceled means that the caller's context was cancelled.
	Canceled Code = "canceled"
	// DeadlineExceeded means that one of the four clocks ran out: the
	// caller's context, the request timeout, a command's timeout, or a
	// session's lifetime. The message says which.
	DeadlineExceeded Code = "deadline_exceeded"
	// InvalidArgument means that the call cannot succeed as it was made.
	InvalidArgument Code = "invalid_argument"
	// NotFound means that a thing inside a session, such as a file, does not
	// exist.
	NotFound Code = "not_found"
	// SessionNotFound means that the session is gone or never was.
	SessionNotFound Code = "session_not_found"
	// AlreadyExists means that what was to be created exists.
	AlreadyExists Code = "already_exists"
	// PermissionDenied means that the sandbox or the service refused.
	PermissionDenied Code = "permission_denied"
	// Unauthenticated means that the API key is missing or wrong.
	Unauthenticated Code = "unauthenticated"
	// ResourceExhausted means that a limit or a rate was reached.
	ResourceExhausted Code = "resource_exhausted"
	// FailedPrecondition means that something has to be different first, such
	// as a directory being empty.
	FailedPrecondition Code = "failed_precondition"
	// InterpreterMissing means that the image has no interpreter for the
	// language of the code.
	InterpreterMissing Code = "interpreter_missing"
	// IsolationUnavailable means that this machine cannot isolate a sandbox as
	// asked. Nothing was run without isolation.
	IsolationUnavailable Code = "isolation_unavailable"
	// ResponseTooLarge means that the server answered more than the client
	// accepts.
	ResponseTooLarge Code = "response_too_large"
	// MalformedResponse means that the server's answer could not be understood.
	MalformedResponse Code = "malformed_response"
	// UnknownOutcome means that the request may or may not have taken effect:
	// the connection broke after it was sent and repeating it is not safe.
	UnknownOutcome Code = "unknown_outcome"
	// Unavailable means that the service cannot answer now. Trying again later
	// may help.
	Unavailable Code = "unavailable"
	// Unsupported means that the server, the runtime or this operating system
	// does not have the operation.
	Unsupported Code = "unsupported"
	// Internal is a defect of the service or the engine.
	Internal Code = "internal"
)

// Err returns the sentinel of c: the error that every [Error] with that code
// matches under [errors.Is].
func (c Code) Err() error { return sentinel(c) }

type sentinel Code

func (s sentinel) Error() string { return string(s) }

// standard says which error of the standard library a code means.
var standard = map[Code]error{
	Canceled:         context.Canceled,
	DeadlineExceeded: context.DeadlineExceeded,
	NotFound:         fs.ErrNotExist,
	AlreadyExists:    fs.ErrExist,
	PermissionDenied: fs.ErrPermission,
	Unsupported:      errors.ErrUnsupported,
}

// CodeOf returns the code of err: that of the [Error] in its chain, else the
// one its standard meaning implies, else [Unknown]. It returns "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	for c, std := range standard {
		if errors.Is(err, std) {
			return c
		}
	}
	return Unknown
}
