package store

import (
	"cmp"
	"slices"
	"time"
)

// An entry is a record in the index. Entries are replaced, never changed.
type entry struct {
	Record
	rev  uint64 // of the write that made it, higher than that of all writes before
	end  uint64 // the revision with which it ended, if it has
	size int    // bytes as encoded
	mark uint64 // stands for what is written, see digest
}

// read returns the record of e, which may be nil.
func (e *entry) read() (Record, bool) {
	if e == nil {
		return Record{}, false
	}
	return e.Record, true
}

// keyStands reports whether the key of e, which may be nil, is in force.
func (e *entry) keyStands(age time.Duration, now time.Time) bool {
	return e != nil && now.Sub(e.Created) < age
}

func (e *entry) tenantKey() tenantKey { return tenantKey{e.Tenant, e.Key} }

type tenantKey struct{ tenant, key string }

// index finds records.
type index struct {
	byID    map[string]*entry
	byKey   map[tenantKey]*entry // of the records with a key the newest
	tenants map[string]*shelf

	live, ended int
	endedBytes  int64
	marks       uint64 // of all entries, each exclusive or the others
}

// A shelf holds the entries of one tenant.
type shelf struct {
	all   []*entry // in the order of making
	ended []*entry // in the order of ending
}

func newIndex() index {
	return index{byID: map[string]*entry{}, byKey: map[tenantKey]*entry{}, tenants: map[string]*shelf{}}
}

func bySeq(e *entry, seq uint64) int { return cmp.Compare(e.Seq, seq) }
func byEnd(e *entry, end uint64) int { return cmp.Compare(e.end, end) }

// replace puts next in the place of old; either may be nil.
func (x *index) replace(old, next *entry) {
	x.count(old, -1)
	x.count(next, 1)
	if old != nil && old.Key != "" && x.byKey[old.tenantKey()] == old {
		delete(x.byKey, old.tenantKey())
		if next != nil && next.tenantKey() == old.tenantKey() {
			x.byKey[next.tenantKey()] = next
		}
	}
	if old != nil && (next == nil || next.Seq != old.Seq) {
		x.remove(old)
	}
	if next == nil {
		return
	}
	if next.Key != "" && (old == nil || old.tenantKey() != next.tenantKey()) {
		x.byKey[next.tenantKey()] = next
	}
	x.byID[next.ID] = next
	s := x.tenants[next.Tenant]
	if s == nil {
		s = &shelf{}
		x.tenants[next.Tenant] = s
	}
	s.all = put(s.all, next, next.Seq, bySeq)
	if !next.Live() {
		s.ended = put(s.ended, next, next.end, byEnd)
	}
}

// remove takes e away.
func (x *index) remove(e *entry) {
	delete(x.byID, e.ID)
	s := x.tenants[e.Tenant]
	s.all = cut(s.all, e.Seq, bySeq)
	if !e.Live() {
		s.ended = cut(s.ended, e.end, byEnd)
	}
	if len(s.all) == 0 {
		delete(x.tenants, e.Tenant)
	}
}

// count counts e, which may be nil, n times.
func (x *index) count(e *entry, n int) {
	if e == nil {
		return
	}
	x.marks ^= e.mark
	if e.Live() {
		x.live += n
		return
	}
	x.ended += n
	x.endedBytes += int64(n * e.size)
}

// older fills page with the entries of a tenant that were made before the one
// with Seq before, or before now when that is 0, the newest first, and returns
// how many there are.
func (x *index) older(tenant string, before uint64, page []*entry) int {
	s := x.tenants[tenant]
	if s == nil {
		return 0
	}
	end := len(s.all)
	if before != 0 {
		end, _ = slices.BinarySearchFunc(s.all, before, bySeq)
	}
	n := copy(page, s.all[max(0, end-len(page)):end])
	slices.Reverse(page[:n])
	return n
}

// put replaces the entry at a place of a sorted list, or inserts one.
func put(list []*entry, e *entry, place uint64, by func(*entry, uint64) int) []*entry {
	i, found := slices.BinarySearchFunc(list, place, by)
	if found {
		list[i] = e
		return list
	}
	return slices.Insert(list, i, e)
}

// cut takes the entry at a place of a sorted list away.
func cut(list []*entry, place uint64, by func(*entry, uint64) int) []*entry {
	if i, found := slices.BinarySearchFunc(list, place, by); found {
		return slices.Delete(list, i, i+1)
	}
	return list
}
