package agb

import "github.com/agb-go/sdk/apierr"

// Error is [apierr.Error], the type of all errors.
type Error = apierr.Error

// Code is [apierr.Code], the kind of an [Error].
type Code = apierr.Code

// Sentinels, one for each [Code], to be matched with [errors.Is]. The codes of
// package apierr say what they mean.
var (
	// ErrNotFound also matches the errors of [ErrSessionNotFound].
	ErrNotFound             = apierr.NotFound.Err()
	ErrSessionNotFound      = apierr.SessionNotFound.Err()
	ErrAlreadyExists        = apierr.AlreadyExists.Err()
	ErrInvalidArgument      = apierr.InvalidArgument.Err()
	ErrFailedPrecondition   = apierr.FailedPrecondition.Err()
	ErrUnauthenticated      = apierr.Unauthenticated.Err()
	ErrPermissionDenied     = apierr.PermissionDenied.Err()
	ErrResourceExhausted    = apierr.ResourceExhausted.Err()
	ErrInterpreterMissing   = apierr.InterpreterMissing.Err()
	ErrIsolationUnavailable = apierr.IsolationUnavailable.Err()
	ErrUnsupported          = apierr.Unsupported.Err()
	// ErrTimeout means that one of the clocks ran out; the message says which.
	ErrTimeout  = apierr.DeadlineExceeded.Err()
	ErrCanceled = apierr.Canceled.Err()
	// ErrUnknownOutcome means that the call may or may not have taken effect.
	// A call that timed out or was cancelled too late to know matches it too.
	ErrUnknownOutcome    = apierr.UnknownOutcome.Err()
	ErrUnavailable       = apierr.Unavailable.Err()
	ErrResponseTooLarge  = apierr.ResponseTooLarge.Err()
	ErrMalformedResponse = apierr.MalformedResponse.Err()
	ErrInternal          = apierr.Internal.Err()
)
