package agb

import (
	"cmp"
	"context"
	"iter"
	"time"

	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/session"
)

// RecordsOptions are the options of [Client.Records] and [Client.AllRecords].
// Nil is ready to use. They are copied.
type RecordsOptions struct {
	// Labels and Selector say which labels the sessions have or had, as those
	// of [ListParams].
	Labels   map[string]string
	Selector string
	// Limit is how many records a page has at most; 0 means [DefaultLimit]. No
	// more than 100 come whatever it says: see [RecordsResult.Limit].
	Limit int
	// Token is where to start, from [RecordsResult.NextToken].
	Token string
}

// Record is what the service keeps of a session, also after its end.
type Record struct {
	ID      string
	ImageID string
	// Status is the service's own word: [session.StatusFinish] when the session
	// has ended.
	Status    string
	Labels    map[string]string // never nil
	CreatedAt time.Time

	// EndedAt is when the session ended, zero while it lives, and Reason why:
	// such as "deleted", "idle" or "end of life".
	EndedAt time.Time
	Reason  string
	// Usage is what a session that ended had used, nil where nobody kept
	// account; see [session.Session.Usage] for one that lives.
	Usage *session.Usage
}

// RecordsResult is a page of records.
type RecordsResult struct {
	Records []Record
	// NextToken leads to the next page; empty on the last. It is good for the
	// same labels and selector, and while the service runs.
	NextToken string
	// Total is how many records all pages have, -1 when the service does not
	// say.
	Total int
	// Limit is how many a page has at most, as the service sees it.
	Limit     int
	RequestID string
}

// Records returns one page of the records of sessions, alive and ended, the
// newest first. For how long, and of how many, the service keeps records is its
// own to say. AGB's hosted service has none: the error then matches
// [ErrUnsupported].
func (c *Client) Records(ctx context.Context, opts *RecordsOptions) (*RecordsResult, error) {
	q, err := opts.query()
	if err != nil {
		return nil, transport.Name(err, "agb.Records", "")
	}
	res, err := q.records(ctx, c)
	return res, transport.Name(err, "agb.Records", "")
}

// AllRecords returns all records that opts describe, a page at a time as they
// are asked for. The iteration ends with the first error. Otherwise it is as
// [Client.Records].
func (c *Client) AllRecords(ctx context.Context, opts *RecordsOptions) iter.Seq2[Record, error] {
	q, err := opts.query()
	return each(q, err, "agb.AllRecords", func(q *query) ([]Record, error) {
		res, err := q.records(ctx, c)
		if err != nil {
			return nil, err
		}
		return res.Records, nil
	})
}

func (o *RecordsOptions) query() (query, error) {
	if o == nil {
		return newQuery(nil)
	}
	return newQuery(&ListParams{Labels: o.Labels, Selector: o.Selector, Limit: o.Limit, Token: o.Token})
}

// records asks for a page of records and moves on to the one after it.
func (q *query) records(ctx context.Context, c *Client) (*RecordsResult, error) {
	resp, meta, err := transport.Do(ctx, c.t, wire.ListRecords, wire.ListRecordsRequest{
		Labels: wire.TextOf(q.labels), MaxResults: q.limit, NextToken: q.token, Selector: q.selector,
	})
	if err != nil {
		return nil, err
	}
	if err := q.move(resp.Page, meta); err != nil {
		return nil, err
	}
	res := &RecordsResult{
		Records: make([]Record, len(resp.Records)), NextToken: q.token,
		Total: q.total(resp.Page), Limit: cmp.Or(max(resp.Page.MaxResults, 0), q.limit), RequestID: meta.RequestID,
	}
	for i, r := range resp.Records {
		if !validID(r.SessionID) {
			return nil, badEntry(meta)
		}
		res.Records[i] = recordOf(r)
	}
	return res, nil
}

func recordOf(r wire.Record) Record {
	record := Record{
		ID: r.SessionID, ImageID: r.ImageID, Status: r.Status, Labels: r.Labels, CreatedAt: r.CreatedAt.UTC(), Reason: r.Reason,
	}
	if record.Labels == nil {
		record.Labels = map[string]string{}
	}
	if r.EndedAt != nil {
		record.EndedAt = r.EndedAt.UTC()
	}
	if r.Usage != nil {
		used := session.UsageOf(*r.Usage)
		record.Usage = &used
	}
	return record
}
