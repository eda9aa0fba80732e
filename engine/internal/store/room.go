package store

// A tally counts ended records.
type tally struct {
	records int
	bytes   int64
	tenants map[string]int
}

// add counts e, which may be nil or live, n times.
func (t *tally) add(e *entry, n int) {
	if e == nil || e.Live() {
		return
	}
	t.records += n
	t.bytes += int64(n * e.size)
	if t.tenants != nil {
		t.tenants[e.Tenant] += n
	}
}

func (t *tally) over(l Limits) bool { return t.records > l.Ended || t.bytes > l.EndedBytes }

// most returns the tenant that has most.
func (t *tally) most() (tenant string) {
	n := -1
	for name, count := range t.tenants {
		if count > n || count == n && name < tenant {
			tenant, n = name, count
		}
	}
	return tenant
}

// makeRoom adds the removal of as many ended records as have to go for those
// that the plan adds.
func (p *plan) makeRoom() {
	t := tally{records: p.index.ended, bytes: p.index.endedBytes}
	for _, d := range p.edits {
		t.add(d.old, -1)
		t.add(d.next, 1)
	}
	if !t.over(p.limits) {
		return
	}
	t.tenants = p.endedOf()
	lines := map[string]*line{}
	for t.over(p.limits) {
		tenant := t.most()
		if lines[tenant] == nil {
			lines[tenant] = p.line(tenant)
		}
		e := p.first(lines[tenant])
		t.add(e, -1)
		p.set(edit{old: e})
	}
}

// endedOf counts the ended records of each tenant.
func (p *plan) endedOf() map[string]int {
	t := tally{tenants: map[string]int{}}
	for tenant, shelf := range p.index.tenants {
		t.tenants[tenant] = len(shelf.ended)
	}
	for _, d := range p.edits {
		t.add(d.old, -1)
		t.add(d.next, 1)
	}
	return t.tenants
}

// A line is the ended records of a tenant in the order in which they go: those
// that the index has, then those that end with the plan.
type line struct{ kept, fresh []*entry }

func (p *plan) line(tenant string) *line {
	l := &line{}
	if s := p.index.tenants[tenant]; s != nil {
		l.kept = s.ended
	}
	for _, d := range p.edits {
		e := d.next
		if e != nil && e.Tenant == tenant && !e.Live() && (d.old == nil || d.old.Live() || d.old.end != e.end) {
			l.fresh = append(l.fresh, e)
		}
	}
	return l
}

// first takes the first record from l that the plan leaves, of which there is
// one.
func (p *plan) first(l *line) *entry {
	for len(l.kept) > 0 {
		was := l.kept[0]
		l.kept = l.kept[1:]
		if e := p.find(was.ID); e != nil && !e.Live() && e.end == was.end {
			return e
		}
	}
	e := l.fresh[0]
	l.fresh = l.fresh[1:]
	return e
}
