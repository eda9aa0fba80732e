package httpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/guest/kernel"
)

// toolFault marks an error as a tool's own.
type toolFault struct{ fault *apierr.Error }

func (f toolFault) Error() string { return f.fault.Error() }
func (f toolFault) Unwrap() error { return f.fault }

// asTool returns err as a tool's own failure, unless it concerns the call
// itself: a conversation that is over, or a caller who has gone.
func asTool(err error) error {
	for _, over := range []error{
		guest.ErrClosed, guest.ErrProtocol, guest.ErrStalled, guest.ErrUnresponsive, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, over) {
			return err
		}
	}
	if errors.Is(err, guest.ErrBusy) {
		return toolFault{apierr.Errorf(apierr.ResourceExhausted, "too many calls at once in this session")}
	}
	switch {
	case errors.Is(err, kernel.ErrCodeTooLong):
		return toolFault{apierr.Errorf(apierr.InvalidArgument, "invalid arguments: code: more than %d bytes", kernel.CodeLimit)}
	case errors.Is(err, kernel.ErrStdinTooLong):
		return toolFault{apierr.Errorf(apierr.InvalidArgument, "invalid arguments: stdin: more than %d bytes", kernel.StdinLimit)}
	case errors.Is(err, kernel.ErrBusy):
		return toolFault{apierr.Errorf(apierr.ResourceExhausted, "another run is under way in this context, and this one was not begun").
			WithHint("runs of one context take turns: make another context, or run it fresh; a run whose output is streamed waits for as long as it takes")}
	case errors.Is(err, kernel.ErrClosed), errors.Is(err, kernel.ErrRestarted):
		return toolFault{apierr.Errorf(apierr.FailedPrecondition, "%w while the code ran", err)}
	}
	var missing *kernel.MissingError
	if errors.As(err, &missing) {
		return toolFault{apierr.Errorf(apierr.InterpreterMissing, "%w", missing).WithHint("%s", missing.Install)}
	}
	var inside *guest.Error
	if errors.As(err, &inside) {
		return toolFault{fromGuest(inside, err.Error())}
	}
	return toolFault{apierr.From(err)}
}

// toolError returns the tool's own failure in err's chain, or nil.
func toolError(err error) *apierr.Error {
	var f toolFault
	if errors.As(err, &f) {
		return f.fault
	}
	return nil
}

// fromInside returns err, of an operation on a session, as a caller's.
func fromInside(err error) error {
	if err != nil {
		if fault := toolError(asTool(err)); fault != nil {
			return fault
		}
	}
	return err
}

// kinds says what each kind of failure inside a sandbox is to a caller, and
// the words for it that AGB's clients look for.
var kinds = map[guest.Kind]struct {
	code  apierr.Code
	words string
}{
	guest.Other:           {apierr.Unknown, ""},
	guest.Invalid:         {apierr.InvalidArgument, "invalid argument"},
	guest.NotExist:        {apierr.NotFound, "not found"},
	guest.Exist:           {apierr.AlreadyExists, "already exists"},
	guest.Permission:      {apierr.PermissionDenied, "permission denied"},
	guest.IsDir:           {apierr.FailedPrecondition, "is a directory"},
	guest.NotDir:          {apierr.FailedPrecondition, "not a directory"},
	guest.NotEmpty:        {apierr.FailedPrecondition, "directory not empty"},
	guest.NotRegular:      {apierr.FailedPrecondition, "not a regular file"},
	guest.Loop:            {apierr.FailedPrecondition, "too many symbolic links"},
	guest.NameTooLong:     {apierr.InvalidArgument, "name too long"},
	guest.NoSpace:         {apierr.ResourceExhausted, "no space left"},
	guest.TooLarge:        {apierr.ResourceExhausted, "too large"},
	guest.Busy:            {apierr.ResourceExhausted, "resource busy"},
	guest.NoMatch:         {apierr.FailedPrecondition, "no match"},
	guest.CommandNotFound: {apierr.NotFound, "not found"},
	guest.NotExecutable:   {apierr.PermissionDenied, "permission denied"},
	guest.BadDir:          {apierr.FailedPrecondition, "working directory"},
	guest.ArgsTooLong:     {apierr.InvalidArgument, "too long"},
	guest.Refused:         {apierr.Unavailable, "connection refused"},
	guest.Unsupported:     {apierr.Unsupported, "unsupported"},
	guest.NoProcess:       {apierr.ResourceExhausted, "no more processes"},
	guest.FileTooLarge:    {apierr.ResourceExhausted, "file too large"},
	guest.Mismatch:        {apierr.FailedPrecondition, "not as expected"},
}

// fromGuest returns a failure inside the sandbox, worded text, as a caller's.
func fromGuest(e *guest.Error, text string) *apierr.Error {
	k := kinds[e.Kind]
	if k.code == "" {
		k.code = apierr.Unknown
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	if !strings.Contains(strings.ToLower(text), k.words) {
		text = k.words + ": " + text
	}
	return &apierr.Error{Code: k.code, Message: text, Hint: hints[e.Kind], Cause: e}
}

// hints say what limit of a session was reached.
var hints = map[guest.Kind]string{
	guest.NoSpace:      "the session's limit of disk space, or of files, is reached: remove something, or create sessions with a higher limit",
	guest.NoProcess:    "the session's limit of processes is reached: end some that run in the background, or create sessions with a higher limit",
	guest.FileTooLarge: "the session's limit of a file's size is reached: create sessions with a higher limit",
}

// need returns an error unless an argument is there.
func need(tool, name, value string) error {
	if value == "" {
		return apierr.Errorf(apierr.InvalidArgument, "%s: invalid arguments: %s is missing", tool, name)
	}
	return nil
}
