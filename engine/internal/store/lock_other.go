//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd || windows)

package store

import (
	"errors"
	"os"
)

// tryLock fails: this system has no lock that ends with the process and the open
// file.
func tryLock(*os.File) (bool, error) { return false, errors.ErrUnsupported }

// unlock does nothing: locks end when f is closed.
func unlock(*os.File) error { return nil }
