package agb

import (
	"context"
	"iter"
	"maps"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/labels"
)

// DefaultLimit is how many sessions a page has when [ListParams] does not say.
const DefaultLimit = 10

// ListParams say which sessions to list. They are copied.
type ListParams struct {
	// Labels are labels that a session has, all of them. Empty means any.
	Labels map[string]string
	// Selector is a condition on labels, such as "env in (prod,stage),!canary":
	// see package labels. It is added to Labels. A service that understands
	// nothing but equality is asked for that; for more it has to be the
	// embedded engine, else the error matches [ErrUnsupported].
	Selector string
	// Limit is how many sessions a page has at most; 0 means [DefaultLimit].
	// No more than 100 come whatever it says: see [ListResult.Limit].
	Limit int
	// Token is where the page starts, from [ListResult.NextToken]; one request.
	Token string
	// Page is the number of the page, from 1, for which all pages before it
	// are asked for too. 0 means 1. Not together with Token.
	Page int
}

// SessionSummary is a session in a list.
type SessionSummary struct {
	ID string
	// Status is the service's own word, such as "RUNNING".
	Status string
}

// ListResult is a page of sessions.
type ListResult struct {
	Sessions []SessionSummary
	// NextToken leads to the next page; empty on the last.
	NextToken string
	// Total is how many sessions all pages have, -1 when the service does not
	// say.
	Total int
	// Limit is how many a page has at most, as the service sees it.
	Limit     int
	RequestID string
}

// List returns one page of the sessions that params describe; nil means the
// first page of all. A page past the last is an error that matches
// [ErrInvalidArgument].
func (c *Client) List(ctx context.Context, params *ListParams) (*ListResult, error) {
	q, err := newQuery(params)
	if err != nil {
		return nil, transport.Name(err, "agb.List", "")
	}
	for page := 1; ; page++ {
		res, err := q.next(ctx, c)
		if err != nil {
			return nil, transport.Name(err, "agb.List", "")
		}
		if page >= q.page {
			return res, nil
		}
		if res.NextToken == "" {
			return nil, &Error{
				Code: apierr.InvalidArgument, Op: "agb.List", RequestID: res.RequestID,
				Message: "cannot reach the page asked for: there are fewer",
			}
		}
	}
}

// All returns all sessions that params describe, a page at a time as they are
// asked for; nil means all there are. Token, if any, is where to start, and
// Page must not be set. The iteration ends with the first error. Sessions that
// come or go meanwhile may be missing.
func (c *Client) All(ctx context.Context, params *ListParams) iter.Seq2[SessionSummary, error] {
	q, err := newQuery(params)
	if err == nil && params != nil && params.Page != 0 {
		err = apierr.Errorf(apierr.InvalidArgument, "all pages are wanted and page %d of them", params.Page)
	}
	return func(yield func(SessionSummary, error) bool) {
		q, err := q, err // so that every iteration starts afresh
		q.seen = map[string]bool{}
		for first := true; first || q.token != ""; first = false {
			var res *ListResult
			if err == nil {
				res, err = q.next(ctx, c)
			}
			if err != nil {
				yield(SessionSummary{}, transport.Name(err, "agb.All", ""))
				return
			}
			for _, s := range res.Sessions {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

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

// next asks for a page and moves on to the one after it.
func (q *query) next(ctx context.Context, c *Client) (*ListResult, error) {
	resp, meta, err := transport.Do(ctx, c.t, wire.ListSessions, wire.ListSessionsRequest{
		Labels: wire.TextOf(q.labels), MaxResults: q.limit, NextToken: q.token, Selector: q.selector,
	})
	if err != nil {
		return nil, err
	}
	fault := &Error{RequestID: meta.RequestID}
	if q.selector != "" && !sameSelector(q.selector, resp.Page.Selector) {
		fault.Code, fault.Message = apierr.Unsupported, "this service cannot select by "+q.selector
		fault.Hint = "select by equality alone, or filter what All returns"
		return nil, fault
	}
	res := &ListResult{
		Sessions: make([]SessionSummary, len(resp.Sessions)), NextToken: resp.Page.NextToken,
		Total: -1, Limit: q.limit, RequestID: meta.RequestID,
	}
	for i, s := range resp.Sessions {
		if !validID(s.SessionID) {
			fault.Code, fault.Message = apierr.MalformedResponse, "the service lists a session without a valid id"
			return nil, fault
		}
		res.Sessions[i] = SessionSummary{ID: s.SessionID, Status: s.Status}
	}
	if resp.Page.Count != nil {
		res.Total = *resp.Page.Count
	}
	if resp.Page.MaxResults > 0 {
		res.Limit = resp.Page.MaxResults
	}
	if q.token = res.NextToken; q.seen[q.token] {
		fault.Code, fault.Message = apierr.MalformedResponse, "the pages of the list go round in circles"
		return nil, fault
	}
	if q.token != "" {
		q.seen[q.token] = true
	}
	return res, nil
}

// sameSelector reports whether the server applied the selector it was asked
// to.
func sameSelector(asked, applied string) bool {
	s, err := labels.ParseSelector(applied)
	return applied != "" && err == nil && s.String() == asked
}
