package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// CodeOK is the code of an envelope that reports success.
const CodeOK = "ok"

// Envelope wraps every answer of the control plane.
type Envelope struct {
	RequestID      string          `json:"requestId"`
	Success        bool            `json:"success"`
	Code           string          `json:"code"`
	Message        string          `json:"message"`
	HTTPStatusCode int             `json:"httpStatusCode"`
	Hint           string          `json:"hint,omitempty"`    // ours
	Missing        []string        `json:"missing,omitempty"` // ours: layers of isolation, see [apierr.Error]
	Data           json.RawMessage `json:"data,omitempty"`

	// Lists only.
	Page

	Holes []Hole `json:"-"` // of what was sealed
}

// Page is what a list says of its pages.
type Page struct {
	NextToken  string `json:"nextToken,omitempty"` // empty on the last page
	MaxResults int    `json:"maxResults,omitempty"`
	Count      *int   `json:"count,omitempty"`         // of all pages
	Selector   string `json:"labelSelector,omitempty"` // ours: the filter that was applied
}

// paged is implemented by responses that have fields of their own in the
// envelope, beside its data.
type paged interface{ page() *Page }

// Seal puts resp into e.
func Seal[Resp any](e *Envelope, resp *Resp) error {
	data, err := marshal(resp)
	if err != nil {
		return fmt.Errorf("wire: encode %T: %w", *resp, err)
	}
	e.Data = data
	if h, ok := any(resp).(holed); ok {
		e.Holes = h.holes()
	}
	if p, ok := any(resp).(paged); ok {
		e.Page = *p.page()
	}
	return nil
}

// Open takes a Resp out of e. Absent and null data are a zero Resp.
func Open[Resp any](e *Envelope) (resp Resp, err error) {
	if data := bytes.TrimSpace(e.Data); len(data) > 0 && !bytes.Equal(data, []byte("null")) {
		if err := json.Unmarshal(data, &resp); err != nil {
			return resp, fmt.Errorf("wire: decode data: %w", err)
		}
	}
	TakePage(e, &resp)
	return resp, nil
}

// TakePage puts into a response, whose data came another way than through
// [Open], what e says beside the data.
func TakePage[Resp any](e *Envelope, resp *Resp) {
	if p, ok := any(resp).(paged); ok {
		*p.page() = e.Page
	}
}
