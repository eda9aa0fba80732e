package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/failpoint"
)

// Names in the directory.
const (
	fileName = "sessions.db"
	newName  = "sessions.db.new" // becomes fileName when it is whole
	lockName = "sessions.lock"
)

// Bounds of the file.
const (
	maxFileBytes = 1 << 30
	growBytes    = 1 << 20
)

// mapBytes is how much address space is set aside for the file at once: a
// mapping that has to move costs a lot.
const mapBytes = 64 << 20

// file is the open file of a store. Store.writing guards it.
type file struct {
	dir    *os.Root
	lock   *lock
	db     *bolt.DB
	raw    *os.File // db's
	broken error    // not nil: db's state is unknown, raw is closed
}

// openBolt opens, or makes, a file in dir. raw is the file that db has open and
// closes.
func openBolt(dir *os.Root, name string) (db *bolt.DB, raw *os.File, err error) {
	opts := bolt.Options{
		// Nobody else has it, unless somebody looks at it with a tool.
		Timeout: time.Second,
		// The list is made from the tree when the file is opened: there is less
		// to write, and less to be wrong.
		NoFreelistSync: true,
		FreelistType:   bolt.FreelistMapType,
		PageSize:       pageSize,
		MaxSize:        maxFileBytes,
		NoStatistics:   true,
		OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			raw, err = dir.OpenFile(name, flag, mode)
			return raw, err
		},
	}
	if runtime.GOOS != "windows" && strconv.IntSize == 64 {
		opts.InitialMmapSize = mapBytes
	}
	err = guarded(func() error {
		db, err = bolt.Open(name, 0o600, &opts)
		return err
	})
	if err != nil {
		if raw != nil { // bbolt closes it, but when it panics
			_, _ = unlock(raw), raw.Close()
		}
		return nil, nil, err
	}
	db.AllocSize = growBytes
	return db, raw, nil
}

// build writes a file that holds c under its temporary name.
func build(dir *os.Root, c *contents) error {
	if err := dir.Remove(newName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, _, err := openBolt(dir, newName)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		about, err := tx.CreateBucket([]byte(bucketAbout))
		if err != nil {
			return err
		}
		sessions, err := tx.CreateBucket([]byte(bucketSessions))
		if err != nil {
			return err
		}
		var t total
		for _, e := range c.entries {
			text, err := e.seal()
			if err != nil {
				return err
			}
			if err := sessions.Put(seqKey(e.Seq), text); err != nil {
				return err
			}
			t.add(e)
		}
		return errors.Join(about.Put([]byte(keyFormat), strconv.AppendInt(nil, format, 10)), t.write(about), sessions.SetSequence(c.last))
	})
	return errors.Join(err, db.Close(), failpoint.At(failpoint.StoreBuilt))
}

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }

// write carries p out. With doubt it first makes the file what the index is.
func (f *file) write(p *plan, doubt bool) error {
	if f.broken != nil {
		return f.broken
	}
	if err := f.present(); err != nil {
		return err
	}
	err := guarded(func() error {
		return f.db.Update(func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucketSessions))
			if doubt {
				if err := reconcile(b, p.index); err != nil {
					return err
				}
			}
			if err := errors.Join(p.write(b), p.total().write(tx.Bucket([]byte(bucketAbout)))); err != nil {
				return err
			}
			return failpoint.At(failpoint.StoreWritten)
		})
	})
	if errors.Is(err, errPanic) {
		// To close db might wait for ever. Its mapping stays, and would keep the
		// lock that bbolt has on the file.
		err = errors.Join(err, unlock(f.raw), f.raw.Close())
		f.broken = apierr.Errorf(apierr.Unavailable, "store: put: %w", err).
			WithHint("restart the engine: it repairs %s in %s", fileName, f.dir.Name())
		return f.broken
	}
	return diskError("put", err)
}

// present returns an error unless the directory still has the file and the lock:
// what is written elsewhere nobody finds, and another owner would take the lock.
func (f *file) present() error {
	for name, open := range map[string]*os.File{fileName: f.raw, lockName: f.lock.file} {
		ours, err := open.Stat()
		if err != nil {
			return diskError("put", err)
		}
		if there, err := f.dir.Stat(name); err != nil || !os.SameFile(ours, there) {
			return apierr.Errorf(apierr.Unavailable, "store: put: %s is not in %s any more: somebody has removed or replaced it", name, f.dir.Name()).
				WithHint("restart the engine, and let nothing else change that directory")
		}
	}
	return nil
}

// write carries p out on the bucket of the records.
func (p *plan) write(b *bolt.Bucket) error {
	for _, d := range p.edits {
		if d.old != nil && (d.next == nil || d.next.Seq != d.old.Seq) {
			if err := b.Delete(seqKey(d.old.Seq)); err != nil {
				return err
			}
		}
		if d.next != nil {
			if err := b.Put(seqKey(d.next.Seq), d.text); err != nil {
				return err
			}
		}
	}
	return b.SetSequence(p.last)
}

// reconcile undoes in b whatever is not in x.
func reconcile(b *bolt.Bucket, x *index) error {
	want := make(map[uint64]*entry, len(x.byID))
	for _, e := range x.byID {
		want[e.Seq] = e
	}
	var strange [][]byte
	err := b.ForEach(func(k, v []byte) error {
		e := want[binary.BigEndian.Uint64(k)]
		if e == nil {
			strange = append(strange, bytes.Clone(k))
			return nil
		}
		if same, err := encode(e); err != nil || bytes.Equal(v, same) {
			delete(want, e.Seq)
			return err
		}
		return nil
	})
	for _, k := range strange {
		err = errors.Join(err, b.Delete(k))
	}
	for _, e := range want {
		text, encodeErr := encode(e)
		if err = errors.Join(err, encodeErr); err == nil {
			err = b.Put(seqKey(e.Seq), text)
		}
	}
	return err
}

// close closes the file and lets go of the directory.
func (f *file) close() error {
	var err error
	if f.broken == nil {
		err = guarded(f.db.Close)
	}
	return diskError("close", errors.Join(err, f.lock.release(), f.dir.Close()))
}
