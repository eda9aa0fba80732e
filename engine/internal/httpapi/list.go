package httpapi

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/labels"
)

// Bounds of a page.
const (
	defaultPage = 10
	maxPage     = 100
)

// maxFilterPairs bounds the label pairs of a filter.
const maxFilterPairs = labels.MaxLabels

func (a *API) listSessions(_ context.Context, by caller, req wire.ListSessionsRequest) (*wire.ListSessionsResponse, error) {
	q, err := newQuery(wire.ListSessions.Name, req.Labels, req.Selector, req.MaxResults)
	if err != nil {
		return nil, err
	}
	position, err := a.openToken(by, q, req.NextToken)
	if err != nil {
		return nil, err
	}
	var after uint64
	if position != nil {
		after = binary.BigEndian.Uint64(position)
	}
	found := slices.DeleteFunc(a.cfg.Engine.List(by.tenant), func(s Session) bool { return !q.matches(s.Labels) })
	count := len(found)
	resp := &wire.ListSessionsResponse{Page: wire.Page{MaxResults: q.size, Count: &count, Selector: req.Selector}}
	rest := slices.DeleteFunc(found, func(s Session) bool { return s.Seq <= after })
	for _, s := range rest[:min(len(rest), q.size)] {
		resp.Sessions = append(resp.Sessions, wire.SessionEntry{SessionID: s.ID, Status: status(s.State)})
		after = s.Seq
	}
	if len(rest) > q.size {
		resp.Page.NextToken = a.sealToken(by, q, binary.BigEndian.AppendUint64(nil, after))
	}
	return resp, nil
}

// query is what a list is asked for.
type query struct {
	list     string // name of the operation
	pairs    map[string]string
	selector string
	size     int // of a page

	matches func(map[string]string) bool // whether labels are asked for: all pairs, and the selector
}

func newQuery(list string, pairs *wire.JSONText[map[string]string], selector string, size int) (query, error) {
	q := query{list: list, selector: selector, size: min(size, maxPage)}
	if size < 0 {
		return q, apierr.Errorf(apierr.InvalidArgument, "maxResults: %d is negative", size)
	}
	if size == 0 {
		q.size = defaultPage
	}
	parsed, err := labels.ParseSelector(selector)
	if err != nil {
		e := apierr.From(err)
		e.Message = "labelSelector: " + e.Message
		return q, e
	}
	if pairs != nil && len(pairs.V) > 0 {
		q.pairs = pairs.V
	}
	if len(q.pairs) > maxFilterPairs {
		return q, apierr.Errorf(apierr.InvalidArgument, "labels: %d pairs, at most %d are allowed", len(q.pairs), maxFilterPairs)
	}
	exact := labels.FromMap(q.pairs)
	q.matches = func(set map[string]string) bool { return exact.Matches(set) && parsed.Matches(set) }
	return q, nil
}
