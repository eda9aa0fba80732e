package agb

import (
	"cmp"
	"context"
	"iter"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
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
	// Status is the service's own word, such as [session.StatusRunning].
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
		res, err := q.sessions(ctx, c)
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
	return each(q, err, "agb.All", func(q *query) ([]SessionSummary, error) {
		res, err := q.sessions(ctx, c)
		if err != nil {
			return nil, err
		}
		return res.Sessions, nil
	})
}

// sessions asks for a page of sessions and moves on to the one after it.
func (q *query) sessions(ctx context.Context, c *Client) (*ListResult, error) {
	resp, meta, err := transport.Do(ctx, c.t, wire.ListSessions, wire.ListSessionsRequest{
		Labels: wire.TextOf(q.labels), MaxResults: q.limit, NextToken: q.token, Selector: q.selector,
	})
	if err != nil {
		return nil, err
	}
	if err := q.move(resp.Page, meta); err != nil {
		return nil, err
	}
	res := &ListResult{
		Sessions: make([]SessionSummary, len(resp.Sessions)), NextToken: q.token,
		Total: q.total(resp.Page), Limit: cmp.Or(max(resp.Page.MaxResults, 0), q.limit), RequestID: meta.RequestID,
	}
	for i, s := range resp.Sessions {
		if !validID(s.SessionID) {
			return nil, badEntry(meta)
		}
		res.Sessions[i] = SessionSummary{ID: s.SessionID, Status: s.Status}
	}
	return res, nil
}
