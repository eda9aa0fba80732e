package store

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"

	"github.com/agb-go/sdk/apierr"
)

// lock is the ownership of a directory: a lock of the system on a file that
// says who the owner is. It ends with the process, however that ends. The file
// stays, and is empty when nobody owns the directory or ever died while doing
// so.
type lock struct{ file *os.File }

const (
	lockPoll      = 10 * time.Millisecond
	maxOwnerBytes = 4 << 10
)

// acquire takes dir's lock, for which it waits for wait, and returns who had it
// before and did not release it.
func acquire(dir *os.Root, wait time.Duration) (*lock, *Owner, error) {
	f, err := dir.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, dirError(dir.Name(), err)
	}
	for end := time.Now().Add(wait); ; time.Sleep(lockPoll) {
		ok, err := tryLock(f)
		if err != nil {
			return nil, nil, errors.Join(diskError("lock", err), f.Close())
		}
		if ok {
			break
		}
		if time.Now().After(end) {
			return nil, nil, errors.Join(errLocked(dir.Name(), readOwner(f)), f.Close())
		}
	}
	previous := readOwner(f)
	if err := writeOwner(f); err != nil {
		return nil, nil, errors.Join(diskError("lock", err), f.Close())
	}
	return &lock{f}, previous, nil
}

// errLocked is the error of a directory that another owner has, who may be nil
// when it is not known.
func errLocked(dir string, o *Owner) error {
	e := apierr.Errorf(apierr.FailedPrecondition, "store: open: directory %s has another owner", dir)
	if o == nil {
		return e.WithHint("end the other one, or use another directory")
	}
	return e.WithHint("end process %d, which has it since %s, or use another directory", o.PID, o.Since.Format(time.RFC3339))
}

// readOwner returns who f says is the owner, nil when it does not.
func readOwner(f *os.File) *Owner {
	var o Owner
	text, err := io.ReadAll(io.NewSectionReader(f, 0, maxOwnerBytes))
	if err != nil || json.Unmarshal(text, &o) != nil || o.PID <= 0 {
		return nil
	}
	return &o
}

// writeOwner has f say that this process is the owner.
func writeOwner(f *os.File) error {
	text, err := json.Marshal(self())
	if err != nil {
		return err
	}
	// In this order it works on a full disk too, if there was an owner before.
	if _, err := f.WriteAt(text, 0); err != nil {
		return err
	}
	if err := f.Truncate(int64(len(text))); err != nil {
		return err
	}
	return f.Sync()
}

// release says that the directory has no owner and lets go of it.
func (l *lock) release() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
