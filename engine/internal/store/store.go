// Package store keeps the record of every session, and of its end: in memory,
// or in a directory as well.
//
// Reads are answered by an index in memory. A write is checked, put into the
// file, and then into the index:
//
//	Put, Update, Delete   queue, the first to come commits for all that wait
//	plan                  rules, and which old records have to go
//	file                  one transaction of bbolt, on disk when it returns
//	index                 by id, by tenant and order, by key
//
// [Open] gives a file to bbolt only after having checked every page of it,
// because bbolt trusts its pages. A file that is damaged is put aside and what
// can be read of it goes to a new one:
//
//	lock      one owner for a directory
//	inspect   walk the pages, read the records, compare with their total
//	rescue    look for records anywhere in the file
//	orphans   end the records of an owner that died
package store

import (
	"cmp"
	"iter"
	"sync"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/failpoint"
)

// Limits bound what a store keeps. A zero field means its default.
//
// When there are more ended records than allowed, those that ended first go, of
// the tenant that has most of them: no tenant drives out the history of another.
type Limits struct {
	Ended      int           // records of sessions that ended; default 10,000
	EndedBytes int64         // the same, in bytes as encoded; default 32 MiB
	KeyAge     time.Duration // how long a key stands for the session that was made with it; default 24 h
}

func (l Limits) withDefaults() Limits {
	return Limits{
		Ended: cmp.Or(l.Ended, 10_000), EndedBytes: cmp.Or(l.EndedBytes, 32<<20), KeyAge: cmp.Or(l.KeyAge, 24*time.Hour),
	}
}

// Store keeps records. It is safe for concurrent use. Reads never wait for a
// disk.
type Store struct {
	limits Limits

	mu    sync.RWMutex // guards index; whoever changes it holds writing too
	index index

	waiting sync.Mutex // guards queue
	queue   []*change

	writing sync.Mutex // held by the one who commits; guards what follows
	file    *file      // nil: in memory alone
	last    uint64     // the highest revision given away
	doubt   bool       // the file may hold what was not acknowledged
	closed  bool
}

// Memory returns a store that forgets everything with the process.
func Memory(l Limits) *Store {
	return &Store{limits: l.withDefaults(), index: newIndex()}
}

// Put makes a record, or replaces the one with its ID, whose Tenant and Seq
// stay. Labels are copied; a zero Created, and Ended of one that ended, is set
// to the time. It returns the record as it is kept, on disk if there is one.
//
// Errors have these codes; whatever they are nothing was changed:
//
//	InvalidArgument     too large, not UTF-8, without ID, or of another tenant
//	AlreadyExists       a record of the tenant, which is returned, has the Key
//	FailedPrecondition  the session has ended and cannot live again
//	ResourceExhausted   more than MaxLive; or the disk is full
//	Unavailable         the store is closed; or the disk failed
//
// After a failure of the disk the store tells of the state before. The next
// write that succeeds puts the file in order too; a crash before that may leave
// either state.
func (s *Store) Put(r Record) (Record, error) {
	return s.apply(&change{id: r.ID, edit: func(*Record) (Record, error) { return r, nil }})
}

// Update replaces the record with what edit makes of it. No other write comes
// between. edit gets a copy whose Labels are shared; its error is returned as
// it is, and so is its panic. It is called with a lock held, perhaps on another
// goroutine: it has to be quick and must not call the store. Errors are those of [Store.Put], and of code NotFound without such
// a record.
func (s *Store) Update(id string, edit func(*Record) error) (Record, error) {
	return s.apply(&change{id: id, edit: func(old *Record) (Record, error) {
		if old == nil {
			return Record{}, apierr.Errorf(apierr.NotFound, "store: update: there is no record %q", id)
		}
		r := *old
		err := edit(&r)
		r.ID = id
		return r, err
	}})
}

// Delete removes a record, whatever its state. One that is not there is no
// error. Errors are those of [Store.Put].
func (s *Store) Delete(id string) error {
	_, err := s.apply(&change{id: id})
	return err
}

// Get returns a record.
func (s *Store) Get(id string) (Record, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.index.byID[id].read()
}

// ByKey returns the record that was made with a key of a tenant, while the key
// stands for it, see [Limits.KeyAge].
func (s *Store) ByKey(tenant, key string) (Record, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.index.byKey[tenantKey{tenant, key}]
	if !e.keyStands(s.limits.KeyAge, time.Now()) {
		return Record{}, false
	}
	return e.read()
}

// All returns the records of a tenant, the newest first, starting after the one
// with Seq before, or with the newest when before is 0. Holding no lock while
// it yields, it tells of each record as it is when its turn comes; no record
// comes twice.
//
// To choose by labels, match the Labels of what it yields.
func (s *Store) All(tenant string, before uint64) iter.Seq[Record] {
	return func(yield func(Record) bool) {
		var chunk [256]*entry
		for {
			s.mu.RLock()
			n := s.index.older(tenant, before, chunk[:])
			s.mu.RUnlock()
			for _, e := range chunk[:n] {
				if !yield(e.Record) {
					return
				}
				before = e.Seq
			}
			if n < len(chunk) {
				return
			}
		}
	}
}

// Count returns how many records there are of sessions that live and of those
// that ended.
func (s *Store) Count() (live, ended int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.index.live, s.index.ended
}

// Close waits for the write under way, closes the file and lets go of the
// directory. Later writes fail, reads do not. Closing again does nothing.
func (s *Store) Close() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.file == nil {
		return nil
	}
	return s.file.close()
}

// commit writes what changes say and then puts it into the index. s.writing is
// held.
func (s *Store) commit(changes []*change) {
	p := s.plan(changes)
	s.last = p.last // also when it fails: the file may hold those revisions
	if len(p.edits) == 0 {
		return
	}
	if err := s.write(p); err != nil {
		s.doubt = true
		p.fail(err)
		return
	}
	s.doubt = false
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range p.edits {
		s.index.replace(d.old, d.next)
	}
}

// write writes p to the file, if there is one.
func (s *Store) write(p *plan) error {
	if err := failpoint.At(failpoint.StoreBegun); err != nil {
		return err
	}
	if s.file != nil {
		if err := s.file.write(p, s.doubt); err != nil {
			return err
		}
	}
	return failpoint.At(failpoint.StoreCommitted)
}
