//go:build unix

package store

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/agb-go/sdk/apierr"
)

// private refuses a directory that is somebody else's or that others may write
// to.
func private(dir string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || int(stat.Uid) != os.Geteuid():
		return apierr.Errorf(apierr.FailedPrecondition, "store: open: directory %s belongs to another user", dir).
			WithHint("use a directory of your own; one that does not exist is made")
	case info.Mode().Perm()&0o022 != 0:
		return apierr.Errorf(apierr.FailedPrecondition, "store: open: others may write to directory %s", dir).
			WithHint("chmod go-w %s", dir)
	}
	return nil
}

// syncDir has the names in dir written to disk.
func syncDir(dir *os.Root) error {
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
