package agb

import (
	"iter"
	"maps"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/labels"
)

// query is a list being read.
type query struct {
	labels   map[string]string
	selector string // canonical; empty when labels say it all
	limit    int
	token    string
	page     int
	seen     map[string]bool // tokens
}

func newQuery(params *ListParams) (q query, err error) {
	var p ListParams
	if params != nil {
		p = *params
	}
	q = query{labels: map[string]string{}, limit: p.Limit, token: p.Token, page: max(p.Page, 1), seen: map[string]bool{}}
	maps.Copy(q.labels, p.Labels)
	switch {
	case p.Page != 0 && p.Token != "":
		return q, apierr.Errorf(apierr.InvalidArgument, "there are both a page and a token")
	case p.Page < 0:
		return q, apierr.Errorf(apierr.InvalidArgument, "page %d is negative", p.Page)
	case p.Limit < 0:
		return q, apierr.Errorf(apierr.InvalidArgument, "limit %d is negative", p.Limit)
	case p.Limit == 0:
		q.limit = DefaultLimit
	}
	selector, err := labels.ParseSelector(p.Selector)
	if err != nil {
		return q, err
	}
	pairs, plain := selector.Pairs()
	for k, v := range pairs {
		if old, ok := q.labels[k]; ok && old != v {
			plain = false
		}
	}
	if plain {
		maps.Copy(q.labels, pairs)
	} else {
		q.selector = selector.String()
	}
	return q, nil
}

// each returns the entries of all pages of q, from its token on, a page at a
// time as they are asked for of next. Every iteration starts afresh. err, if
// any, is all there is.
func each[Entry any](q query, err error, op string, next func(*query) ([]Entry, error)) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		q, err := q, err
		q.seen = map[string]bool{}
		for first := true; first || q.token != ""; first = false {
			var entries []Entry
			if err == nil {
				entries, err = next(&q)
			}
			if err != nil {
				var none Entry
				yield(none, transport.Name(err, op, ""))
				return
			}
			for _, e := range entries {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
}

// move takes what the service says of a page and moves on to the one after it.
func (q *query) move(page wire.Page, meta transport.Meta) error {
	fault := &Error{RequestID: meta.RequestID}
	if q.selector != "" && !sameSelector(q.selector, page.Selector) {
		fault.Code, fault.Message = apierr.Unsupported, "this service cannot select by "+q.selector
		fault.Hint = "select by equality alone, or filter what All returns"
		return fault
	}
	if q.token = page.NextToken; q.seen[q.token] {
		fault.Code, fault.Message = apierr.MalformedResponse, "the pages of the list go round in circles"
		return fault
	}
	if q.token != "" {
		q.seen[q.token] = true
	}
	return nil
}

// total returns how many entries all pages have, -1 when the service does not
// say.
func (q *query) total(page wire.Page) int {
	if page.Count == nil {
		return -1
	}
	return *page.Count
}

// badEntry is the fault of a service that lists what cannot be.
func badEntry(meta transport.Meta) error {
	return &Error{
		Code: apierr.MalformedResponse, RequestID: meta.RequestID, Message: "the service lists a session without a valid id",
	}
}

// sameSelector reports whether the server applied the selector it was asked
// to.
func sameSelector(asked, applied string) bool {
	s, err := labels.ParseSelector(applied)
	return applied != "" && err == nil && s.String() == asked
}
