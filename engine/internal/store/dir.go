package store

import (
	"errors"
	"os"

	"github.com/agb-go/sdk/apierr"
)

// openDir opens a directory, which it makes if need be, and refuses one that is
// not private.
func openDir(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, dirError(dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, dirError(dir, err)
	}
	info, err := root.Stat(".")
	if err == nil {
		err = private(dir, info)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

// dirError returns the error of a directory that cannot be had.
func dirError(dir string, err error) error {
	if errors.Is(err, os.ErrPermission) || errors.Is(err, os.ErrExist) {
		return apierr.Errorf(apierr.FailedPrecondition, "store: open: directory %s: %w", dir, err)
	}
	return diskError("open", err)
}
