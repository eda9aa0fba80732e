package store

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockOffset is the upper half of the place that is locked. What is locked
// cannot be read by others: it is far behind the text.
const lockOffset = 1 << 30

// tryLock takes the lock on f unless another open file has it, see LockFileEx.
func tryLock(f *os.File) (bool, error) {
	at := windows.Overlapped{OffsetHigh: lockOffset}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION):
		return false, nil
	}
	return false, os.NewSyscallError("LockFileEx", err)
}

// unlock does nothing: locks end when f is closed.
func unlock(*os.File) error { return nil }
