package agent

import (
	"errors"
	"syscall"

	"github.com/agb-go/sdk/internal/guest"
)

// kinds tells what system call errors mean for who asked.
var kinds = map[syscall.Errno]guest.Kind{
	syscall.ENOENT:       guest.NotExist,
	syscall.EEXIST:       guest.Exist,
	syscall.EADDRINUSE:   guest.Exist,
	syscall.EACCES:       guest.Permission,
	syscall.EPERM:        guest.Permission,
	syscall.EROFS:        guest.Permission,
	syscall.EISDIR:       guest.IsDir,
	syscall.ENOTDIR:      guest.NotDir,
	syscall.ENOTEMPTY:    guest.NotEmpty,
	syscall.ENXIO:        guest.NotRegular, // a pipe nobody reads, a socket, a device that is none
	syscall.ENODEV:       guest.NotRegular,
	syscall.ESPIPE:       guest.NotRegular,
	syscall.ELOOP:        guest.Loop,
	syscall.ENAMETOOLONG: guest.NameTooLong,
	syscall.ENOSPC:       guest.NoSpace,
	syscall.EDQUOT:       guest.NoSpace,
	syscall.EFBIG:        guest.FileTooLarge,
	syscall.EAGAIN:       guest.Busy,
	syscall.ENOMEM:       guest.Busy,
	syscall.EMFILE:       guest.Busy,
	syscall.ENFILE:       guest.Busy,
	syscall.EBUSY:        guest.Busy,
	syscall.ETXTBSY:      guest.Busy,
	syscall.E2BIG:        guest.ArgsTooLong,
	syscall.EINVAL:       guest.Invalid,
	syscall.ECONNREFUSED: guest.Refused,
	syscall.ECONNRESET:   guest.Refused,
}

// failure returns err, of doing what, as the engine is told of it.
func failure(what string, err error) error {
	if err == nil {
		return nil
	}
	var own *guest.Error
	if errors.As(err, &own) {
		return err
	}
	e := &guest.Error{Message: what + ": " + err.Error()}
	var errno syscall.Errno
	if errors.As(err, &errno) {
		e.Kind, e.Errno = kinds[errno], uint32(errno)
	}
	return e
}

// fail returns a failure that the agent itself found out.
func fail(kind guest.Kind, errno syscall.Errno, message string) error {
	return &guest.Error{Kind: kind, Errno: uint32(errno), Message: message}
}
