//go:build !linux

package store_test

import "errors"

// fillDisk has no disk here that it could fill.
func fillDisk(string) error { return errors.ErrUnsupported }
