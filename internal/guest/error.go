package guest

import (
	"errors"
	"io/fs"
	"runtime"
	"syscall"
)

// How a conversation ends, or a call of it.
var (
	ErrClosed   = errors.New("guest: closed")
	ErrGone     = errors.New("guest: is gone") // it closed the conversation
	ErrProtocol = errors.New("guest: protocol error")
	ErrVersion  = errors.New("guest: speaks another version")
	// ErrStalled means that the guest did not take what was sent to it.
	ErrStalled = errors.New("guest: does not read")
	// ErrBusy means that too many calls are under way.
	ErrBusy = errors.New("guest: too many calls at once")
	// ErrUnresponsive means that the guest did not say in time that a
	// command is gone. It may still run: destroy the sandbox.
	ErrUnresponsive = errors.New("guest: no answer in time")
)

// Kind is what went wrong inside a sandbox.
type Kind uint8

// Kinds of errors.
const (
	Other           Kind = iota
	Invalid              // an argument that can never work
	NotExist             // matches fs.ErrNotExist
	Exist                // matches fs.ErrExist
	Permission           // matches fs.ErrPermission
	IsDir                // a file was asked for
	NotDir               // a directory was asked for
	NotEmpty             // a directory that is to be replaced
	NotRegular           // a pipe, a device or a socket
	Loop                 // too many symbolic links, or a magic one of /proc
	NameTooLong          //
	NoSpace              // the disk or a quota is full
	TooLarge             // more than a limit of this package
	Busy                 // out of processes, descriptors or memory for now; or in use
	NoMatch              // text to be replaced is not there
	CommandNotFound      // no such program, or its interpreter is missing; matches fs.ErrNotExist
	NotExecutable        // the program cannot be executed; matches fs.ErrPermission
	BadDir               // the working directory cannot be used
	ArgsTooLong          // more arguments and environment than the system takes
	Refused              // nobody listens there
	Unsupported          // the guest cannot do this
	NoProcess            // the limit of processes is reached
	FileTooLarge         // the limit of one file's size is reached
	Mismatch             // the file is not as the condition says
	kindLimit
)

// messageLimit is how many bytes of an error's message travel.
const messageLimit = 4 << 10

// Error is a failure inside the sandbox.
type Error struct {
	Kind    Kind
	Errno   uint32 // Linux's number for it, or 0
	Message string // for people; made by the guest, so never to be trusted
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Is reports whether the error is what target of io/fs stands for, or, on
// Linux, the system call error target.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Kind == NotExist || e.Kind == CommandNotFound
	case fs.ErrExist:
		return e.Kind == Exist
	case fs.ErrPermission:
		return e.Kind == Permission || e.Kind == NotExecutable
	case fs.ErrInvalid:
		return e.Kind == Invalid
	case errors.ErrUnsupported:
		return e.Kind == Unsupported
	}
	errno, ok := target.(syscall.Errno)
	return ok && runtime.GOOS == "linux" && e.Errno != 0 && uint32(errno) == e.Errno
}

// asError returns err as what travels.
func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	e = &Error{Message: err.Error()}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Kind = NotExist
	case errors.Is(err, fs.ErrExist):
		e.Kind = Exist
	case errors.Is(err, fs.ErrPermission):
		e.Kind = Permission
	case errors.Is(err, fs.ErrInvalid):
		e.Kind = Invalid
	case errors.Is(err, errors.ErrUnsupported):
		e.Kind = Unsupported
	}
	return e
}
