package store

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	bolterrors "go.etcd.io/bbolt/errors"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/failpoint"
)

// Options say how to open a directory.
type Options struct {
	Limits Limits
	// Wait is how long to wait for another owner to let go of the directory: one
	// that was killed may take a moment. 0: not at all.
	Wait time.Duration
}

// Report says what [Open] found.
type Report struct {
	// Previous is the owner that had the directory before and did not close it:
	// it died. Nil when there was none, or it closed.
	Previous *Owner
	// Orphans are the records of sessions that had not ended. They are ended,
	// with reason [OwnerDied] and the time of Open. Those that were still being
	// made have lost their key: nobody was given them.
	Orphans []Record
	// Damage is what was wrong with the file; nil when it was whole.
	Damage *Damage
}

// Damage says what became of a damaged file.
type Damage struct {
	Found string // what was wrong first
	File  string // the name in the directory that the damaged file has now
	Saved int    // records that were read
	Lost  int    // records that are known to be lost
	// Complete means that there were no others. When it is false parts of the
	// file are gone, and with them perhaps records that left no trace.
	Complete bool
}

// Open returns a store that keeps its records in a directory, which it makes if
// need be. The directory has to be the user's own and nobody else may write to
// it. One store owns it at a time.
//
// A file that is damaged is renamed, of which the newest four are kept, and
// every record that can be read goes to a new one. Nothing that was committed
// is lost when only the end of the last write is missing, or one of the pages
// that say where the tree is. No error is returned for that: see [Report].
//
// Errors have these codes, and leave everything as it was, but for the last:
//
//	FailedPrecondition  another owner has the directory; or it is not private;
//	                    or the file has a newer format, or none of ours
//	ResourceExhausted   the disk is full
//	Unavailable         the disk failed
func Open(dir string, opts Options) (*Store, *Report, error) {
	root, err := openDir(dir)
	if err != nil {
		return nil, nil, err
	}
	lock, previous, err := acquire(root, opts.Wait)
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	s := Memory(opts.Limits)
	s.file = &file{dir: root, lock: lock}
	report := &Report{Previous: previous}
	if err := s.load(report); err != nil {
		return nil, nil, errors.Join(err, s.file.abandon())
	}
	return s, report, nil
}

// abandon frees what f holds after a failure to open it.
func (f *file) abandon() error {
	var err error
	if f.db != nil {
		err = guarded(f.db.Close)
	}
	return errors.Join(err, f.lock.file.Close(), f.dir.Close())
}

// load reads the file, repairs it if need be and fills the index.
func (s *Store) load(report *Report) error {
	if err := failpoint.At(failpoint.StoreLocked); err != nil {
		return err
	}
	f := s.file
	if err := f.ensure(); err != nil {
		return diskError("open", err)
	}
	c, err := f.inspect(fileName)
	if err == nil {
		if f.db, f.raw, err = openBolt(f.dir, fileName); errors.Is(err, errPanic) {
			err = &fault{err.Error()}
		}
	}
	if isFault(err) {
		if c, report.Damage, err = f.repair(c, err); err == nil {
			f.db, f.raw, err = openBolt(f.dir, fileName)
		}
	}
	if err != nil {
		return diskError("open", err)
	}
	s.fill(c)
	return s.endOrphans(report)
}

// ensure sees to it that there is a file.
func (f *file) ensure() error {
	switch info, err := f.dir.Lstat(fileName); {
	case err == nil && !info.Mode().IsRegular():
		return apierr.Errorf(apierr.FailedPrecondition, "store: open: %s in %s is no file", fileName, f.dir.Name())
	case err == nil && info.Size() > maxFileBytes:
		return apierr.Errorf(apierr.FailedPrecondition, "store: open: %s in %s has %d bytes, more than the store ever writes", fileName, f.dir.Name(), info.Size())
	case err == nil || !errors.Is(err, fs.ErrNotExist):
		return err
	}
	// A whole file under the temporary name is that of a repair that ended
	// between two renamings.
	switch _, err := f.inspect(newName); {
	case isFault(err), errors.Is(err, fs.ErrNotExist):
		if err := build(f.dir, &contents{}); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	return f.place()
}

// place gives the file that was built its name.
func (f *file) place() error {
	if err := f.dir.Rename(newName, fileName); err != nil {
		return err
	}
	return errors.Join(syncDir(f.dir), failpoint.At(failpoint.StorePlaced))
}

// inspect reads and checks a file.
func (f *file) inspect(name string) (c *contents, err error) {
	err = f.read(name, func(src *os.File) error {
		info, err := src.Stat()
		if err == nil {
			c, err = inspect(src, info.Size())
		}
		return err
	})
	return c, err
}

// read has fn read a file, which no tool has open meanwhile to write to it.
func (f *file) read(name string, fn func(*os.File) error) error {
	src, err := f.dir.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }() // it was only read
	switch ok, err := tryLock(src); {
	case err != nil:
		return err
	case !ok:
		return bolterrors.ErrTimeout
	}
	return fn(src)
}

// revisionGap is how far the revisions of an owner are from those of the one
// before, who may have left some in the file that it did not commit.
const revisionGap = 1 << 20

// fill fills the empty index with what a file holds.
func (s *Store) fill(c *contents) {
	s.last = c.last + revisionGap
	slices.SortFunc(c.entries, func(a, b *entry) int { return cmp.Compare(a.rev, b.rev) })
	for i, e := range c.entries {
		e.end = uint64(i)
	}
	slices.SortFunc(c.entries, func(a, b *entry) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, e := range c.entries {
		s.index.replace(nil, e)
	}
}

// endOrphans ends the records of the owner before, and removes what is more than
// the limits allow.
func (s *Store) endOrphans(report *Report) error {
	if err := failpoint.At(failpoint.StoreOrphans); err != nil {
		return err
	}
	now := time.Now()
	var changes []*change
	for _, e := range s.index.byID {
		if !e.Live() {
			continue
		}
		changes = append(changes, &change{id: e.ID, edit: func(old *Record) (Record, error) {
			r := *old
			if r.State == Creating {
				r.Key = ""
			}
			r.State, r.Reason, r.Ended = Ended, OwnerDied, now
			return r, nil
		}})
	}
	s.commit(changes)
	for _, c := range changes {
		if c.err != nil {
			return c.err
		}
		report.Orphans = append(report.Orphans, c.result)
	}
	slices.SortFunc(report.Orphans, func(a, b Record) int { return cmp.Compare(a.Seq, b.Seq) })
	return nil
}
