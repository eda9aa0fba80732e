package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/agb-go/sdk/internal/wire"
)

// listRecords returns a page of records. Those that are made meanwhile come
// before the first page, so that no page repeats what another had.
func (a *API) listRecords(_ context.Context, by caller, req wire.ListRecordsRequest) (*wire.ListRecordsResponse, error) {
	q, err := newQuery(wire.ListRecords.Name, req.Labels, req.Selector, req.MaxResults)
	if err != nil {
		return nil, err
	}
	after, err := a.openToken(by, q, req.NextToken)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(a.cfg.Engine.Records(by.tenant), func(r Record) bool { return !q.matches(r.Labels) })
	slices.SortFunc(found, newestFirst)
	count := len(found)
	resp := &wire.ListRecordsResponse{Page: wire.Page{MaxResults: q.size, Count: &count, Selector: req.Selector}}
	rest := slices.DeleteFunc(found, func(r Record) bool { return after != nil && bytes.Compare(place(r), after) <= 0 })
	for _, r := range rest[:min(len(rest), q.size)] {
		resp.Records = append(resp.Records, record(r))
		after = place(r)
	}
	if len(rest) > q.size {
		resp.Page.NextToken = a.sealToken(by, q, after)
	}
	return resp, nil
}

func newestFirst(a, b Record) int {
	return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
}

// place is where a record stands in the order of newestFirst: byte strings
// compare as their records do.
func place(r Record) []byte {
	return append(binary.BigEndian.AppendUint64(nil, ^uint64(r.Created.UnixNano())), r.ID...)
}

// record returns what a record is told as.
func record(r Record) wire.Record {
	told := wire.Record{
		SessionID: r.ID, ImageID: r.Image, Status: status(r.State), Labels: r.Labels,
		CreatedAt: r.Created.UTC(), EndedAt: utc(r.Ended), Reason: r.Reason,
	}
	if r.Usage != nil {
		told.Usage = sessionUsage(*r.Usage)
	}
	return told
}
