package store

import (
	"maps"
	"time"

	"github.com/agb-go/sdk/apierr"
)

// A plan is what one transaction does. It sees the index as it is and its own
// edits on top. Whoever makes and carries out a plan holds Store.writing, so
// that the index stays as it is.
type plan struct {
	index   *index
	limits  Limits
	now     time.Time
	edits   []edit
	at      map[string]int       // id → position in edits
	holders map[tenantKey]*entry // of the keys that edits gave to others; nil: nobody
	live    int                  // live records once it is done
	last    uint64               // the highest revision given away
	served  []*change            // whose outcome is the transaction's
}

// An edit replaces an entry: of a new record old is nil, of a removed one next.
type edit struct {
	old, next *entry
	text      []byte // next as it is written
}

// plan checks changes one after the other, each against what those before it
// leave, and settles which ended records have to go. A change that is refused
// has its error at once.
func (s *Store) plan(changes []*change) *plan {
	p := &plan{
		index: &s.index, limits: s.limits, now: time.Now(), at: map[string]int{}, holders: map[tenantKey]*entry{},
		live: s.index.live, last: s.last,
	}
	for _, c := range changes {
		old := p.find(c.id)
		switch {
		case c.edit != nil:
			if c.result, c.err = p.change(c, old); c.err != nil {
				continue
			}
		case old != nil:
			p.set(edit{old: old})
		default:
			continue
		}
		p.served = append(p.served, c)
	}
	p.makeRoom()
	return p
}

// fail tells everybody whose change is in the plan that it failed.
func (p *plan) fail(err error) {
	for _, c := range p.served {
		c.result, c.err = Record{}, err
	}
}

// find returns a record, nil when there is none.
func (p *plan) find(id string) *entry {
	if i, ok := p.at[id]; ok {
		return p.edits[i].next
	}
	return p.index.byID[id]
}

// holder returns the record that has a key, nil when there is none.
func (p *plan) holder(k tenantKey) *entry {
	if e, ok := p.holders[k]; ok {
		return e
	}
	return p.index.byKey[k]
}

// change makes the edit that c asks for and returns the record as it will be,
// or, with an error, the one that has its key.
func (p *plan) change(c *change, old *entry) (Record, error) {
	var before *Record
	if old != nil {
		r := old.Record
		before = &r
	}
	r, err := c.run(before)
	if err != nil {
		return Record{}, err
	}
	if err := p.check(&r, old); err != nil {
		return Record{}, err
	}
	if r.Key != "" && (old == nil || old.Key != r.Key) { // old is the same tenant's
		if h := p.holder(tenantKey{r.Tenant, r.Key}); h.keyStands(p.limits.KeyAge, p.now) {
			return h.Record, apierr.Errorf(apierr.AlreadyExists, "store: put: the key is that of session %q", h.ID)
		}
	}
	p.last++
	e := newEntry(r, old, p.last, p.now)
	text, err := e.seal()
	if err != nil {
		return Record{}, err
	}
	p.set(edit{old, e, text})
	return e.Record, nil
}

// check refuses a record that must not replace old, which may be nil.
func (p *plan) check(r *Record, old *entry) error {
	switch {
	case old == nil && r.Live() && p.live >= MaxLive:
		return apierr.Errorf(apierr.ResourceExhausted, "store: put: there are %d sessions, more cannot be recorded", p.live)
	case old != nil && old.Tenant != r.Tenant:
		return apierr.Errorf(apierr.InvalidArgument, "store: put: record %q is another tenant's", r.ID)
	case old != nil && !old.Live() && r.Live():
		return apierr.Errorf(apierr.FailedPrecondition, "store: put: session %q has ended", r.ID)
	}
	return r.check()
}

// newEntry makes the entry of r, which replaces old or, when that is nil, is new.
func newEntry(r Record, old *entry, rev uint64, now time.Time) *entry {
	e := &entry{Record: r, rev: rev, end: rev}
	e.Labels = maps.Clone(r.Labels)
	e.Seq = rev
	if old != nil {
		e.Seq = old.Seq
		if !old.Live() {
			e.end = old.end
		}
	}
	if e.Created.IsZero() {
		e.Created = now
	}
	if !e.Live() && e.Ended.IsZero() {
		e.Ended = now
	}
	e.Created, e.Ended = e.Created.Round(0).UTC(), e.Ended.Round(0).UTC()
	return e
}

// set adds an edit. Its old is what find returned.
func (p *plan) set(d edit) {
	was, next := d.old, d.next
	if was != nil {
		if was.Live() {
			p.live--
		}
		if k := was.tenantKey(); was.Key != "" && p.holder(k) == was {
			p.holders[k] = nil
			if next != nil && next.tenantKey() == k {
				p.holders[k] = next
			}
		}
	}
	id := ""
	if next != nil {
		id = next.ID
		if next.Live() {
			p.live++
		}
		if next.Key != "" && (was == nil || was.tenantKey() != next.tenantKey()) {
			p.holders[next.tenantKey()] = next
		}
	} else {
		id = was.ID
	}
	if i, ok := p.at[id]; ok {
		p.edits[i].next, p.edits[i].text = next, d.text
		return
	}
	p.at[id] = len(p.edits)
	p.edits = append(p.edits, d)
}
