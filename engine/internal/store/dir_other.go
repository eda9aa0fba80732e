//go:build !unix

package store

import (
	"io/fs"
	"os"
)

// private leaves it to the system who may write to a directory.
func private(string, fs.FileInfo) error { return nil }

// syncDir does nothing: directories cannot be written to disk by themselves.
func syncDir(*os.Root) error { return nil }
