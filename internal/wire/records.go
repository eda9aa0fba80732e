package wire

import (
	"encoding/json"
	"time"
)

// ListRecords lists what is kept of sessions, alive and ended, the newest
// first.
var ListRecords = Op[ListRecordsRequest, ListRecordsResponse]{Name: "ListRecords", Pattern: "GET /v1/records", Repeatable: true, Ours: true}

// ListRecordsRequest asks for a page of records.
type ListRecordsRequest struct {
	Labels     *JSONText[map[string]string] `query:"labels" json:"-"`
	Selector   string                       `query:"labelSelector,omitempty" json:"-"`
	MaxResults int                          `query:"maxResults" json:"-"`
	NextToken  string                       `query:"nextToken,omitempty" json:"-"`
}

// ListRecordsResponse is a page of records.
type ListRecordsResponse struct {
	Records []Record
	Page    Page
}

// Record is what is kept of a session.
type Record struct {
	SessionID string            `json:"sessionId"`
	ImageID   string            `json:"imageId"`
	Status    string            `json:"status"` // StatusFinish of one that ended
	Labels    map[string]string `json:"labels,omitempty"`
	CreatedAt time.Time         `json:"createdAt"`

	// Of one that ended.
	EndedAt *time.Time `json:"endedAt,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	Usage   *Usage     `json:"usage,omitempty"` // absent where nobody kept account
}

func (r *ListRecordsResponse) page() *Page { return &r.Page }

// MarshalJSON implements [json.Marshaler]: the data is the bare array.
func (r ListRecordsResponse) MarshalJSON() ([]byte, error) {
	if r.Records == nil {
		return []byte("[]"), nil
	}
	return marshal(r.Records)
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *ListRecordsResponse) UnmarshalJSON(b []byte) error {
	return json.Unmarshal(b, &r.Records)
}
