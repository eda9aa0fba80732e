package store

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"syscall"

	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/agb-go/sdk/apierr"
)

// errPanic is the cause of errors of which bbolt panicked: pages of the file
// are not what they were, or are not there any more.
var errPanic = errors.New("the file changed while it was open")

// guarded calls do and returns an error, which has errPanic as its cause, when
// do panics or touches a part of a mapped file that is gone.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v", errPanic, v)
		}
	}()
	return do()
}

// full are the errors of the system when there is no room for more.
var full = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

// isFull reports which of full err is. bbolt makes a text of the error with
// which a file cannot grow: nothing but the text says then what it was.
func isFull(err error) (syscall.Errno, bool) {
	for _, errno := range full {
		if errors.Is(err, errno) || strings.HasSuffix(err.Error(), ": "+errno.Error()) {
			return errno, true
		}
	}
	return 0, false
}

// diskError returns the error for what an operation on a file failed with. err
// may be nil.
func diskError(op string, err error) error {
	var known *apierr.Error
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, errNewer):
		return apierr.Errorf(apierr.FailedPrecondition, "store: %s: %s was written by a newer version: %w", op, fileName, err).
			WithHint("use that version, or another directory; nothing was changed")
	case errors.Is(err, bolterrors.ErrMaxSizeReached):
		return apierr.Errorf(apierr.ResourceExhausted, "store: %s: the file has %d bytes, more are not allowed: %w", op, int64(maxFileBytes), err)
	case errors.Is(err, bolterrors.ErrTimeout):
		return apierr.Errorf(apierr.FailedPrecondition, "store: %s: another program has %s open: %w", op, fileName, err)
	}
	if errno, ok := isFull(err); ok {
		if !errors.Is(err, errno) {
			err = fmt.Errorf("%v: %w", strings.TrimSuffix(err.Error(), ": "+errno.Error()), errno)
		}
		return apierr.Errorf(apierr.ResourceExhausted, "store: %s: %w", op, err).WithHint("free space on the disk of the store's directory")
	}
	return apierr.Errorf(apierr.Unavailable, "store: %s: %w", op, err)
}
