package wire

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/agb-go/sdk/apierr"
)

// faults says how each code travels. The first line of a code is how it is
// sent; all lines are understood.
var faults = []struct {
	code   apierr.Code
	wire   string
	status int
}{
	{apierr.SessionNotFound, "InvalidMcpSession.NotFound", http.StatusBadRequest},
	{apierr.SessionNotFound, "InvalidSession.NotFound", http.StatusBadRequest},
	{apierr.InvalidArgument, "InvalidParameter", http.StatusBadRequest},
	{apierr.Unauthenticated, "Unauthorized", http.StatusUnauthorized},
	{apierr.PermissionDenied, "Forbidden", http.StatusForbidden},
	{apierr.NotFound, "NotFound", http.StatusNotFound},
	{apierr.AlreadyExists, "AlreadyExists", http.StatusConflict},
	{apierr.FailedPrecondition, "FailedPrecondition", http.StatusPreconditionFailed},
	{apierr.InterpreterMissing, "InterpreterMissing", http.StatusUnprocessableEntity},
	{apierr.ResourceExhausted, "Throttling", http.StatusTooManyRequests},
	{apierr.Internal, "InternalError", http.StatusInternalServerError},
	{apierr.Unsupported, "Unsupported", http.StatusNotImplemented},
	{apierr.Unavailable, "ServiceUnavailable", http.StatusServiceUnavailable},
	{apierr.IsolationUnavailable, "IsolationUnavailable", http.StatusServiceUnavailable},
	{apierr.DeadlineExceeded, "Timeout", http.StatusGatewayTimeout},
	{apierr.Canceled, "Canceled", 499},
}

// Fault returns how c travels: its name on the wire and the HTTP status.
func Fault(c apierr.Code) (wire string, status int) {
	for _, f := range faults {
		if f.code == c {
			return f.wire, f.status
		}
	}
	return "InternalError", http.StatusInternalServerError
}

// FaultCode returns what a fault means, going by its name, else by its HTTP
// status, else by the words of its message, which is all that some of AGB's
// answers have.
func FaultCode(wire string, status int, message string) apierr.Code {
	for _, f := range faults {
		if f.wire == wire {
			return f.code
		}
	}
	switch {
	case status == http.StatusRequestEntityTooLarge:
		return apierr.InvalidArgument
	case status == http.StatusBadRequest && SaysSessionGone(wire+" "+message):
		return apierr.SessionNotFound
	case status == http.StatusBadGateway:
		return apierr.Unavailable
	}
	for _, f := range faults {
		if f.status == status && f.code != apierr.SessionNotFound {
			return f.code
		}
	}
	if SaysSessionGone(message) {
		return apierr.SessionNotFound
	}
	return apierr.Unknown
}

// SaysSessionGone reports whether the message of a control-plane failure means
// that the session does not exist.
func SaysSessionGone(message string) bool {
	m := strings.ToLower(message)
	return (strings.Contains(m, "not found") || strings.Contains(m, "notfound")) && NamesSession(message)
}

// sessionWord is the word, or the code of a session that is gone; the paths of
// operations have it within longer words.
var sessionWord = regexp.MustCompile(`(?i)\bsession\b|session\.notfound\b`)

// NamesSession reports whether the message of a control-plane failure is about
// a session: an image, an operation or an address may not be found either.
func NamesSession(message string) bool { return sessionWord.MatchString(message) }

// toolFaults are the words by which the text of a failed tool call is
// understood, when the server says no more.
var toolFaults = []struct {
	words string
	code  apierr.Code
}{
	{"no such file", apierr.NotFound},
	{"not found", apierr.NotFound},
	{"does not exist", apierr.NotFound},
	{"file exists", apierr.AlreadyExists},
	{"already exists", apierr.AlreadyExists},
	{"permission denied", apierr.PermissionDenied},
	{"not permitted", apierr.PermissionDenied},
	{"read-only file system", apierr.PermissionDenied},
	{"no space left", apierr.ResourceExhausted},
	{"timed out", apierr.DeadlineExceeded},
	{"timeout", apierr.DeadlineExceeded},
	{"unknown tool", apierr.Unsupported},
	{"unsupported", apierr.Unsupported},
	{"invalid", apierr.InvalidArgument},
}

// ToolFaultCode returns what the text of a failed tool call means.
func ToolFaultCode(text string) apierr.Code {
	text = strings.ToLower(text)
	for _, f := range toolFaults {
		if strings.Contains(text, f.words) {
			return f.code
		}
	}
	return apierr.Unknown
}
