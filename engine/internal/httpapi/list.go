package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/labels"
)

// Bounds of a page of sessions.
const (
	defaultPage = 10
	maxPage     = 100
)

// maxFilterPairs bounds the label pairs of a filter.
const maxFilterPairs = labels.MaxLabels

func (a *API) listSessions(_ context.Context, by caller, req wire.ListSessionsRequest) (*wire.ListSessionsResponse, error) {
	if req.MaxResults == 0 {
		req.MaxResults = defaultPage
	}
	if req.MaxResults < 0 {
		return nil, apierr.Errorf(apierr.InvalidArgument, "maxResults: %d is negative", req.MaxResults)
	}
	req.MaxResults = min(req.MaxResults, maxPage)
	matches, err := filter(req)
	if err != nil {
		return nil, err
	}
	after, err := a.openToken(by, req)
	if err != nil {
		return nil, err
	}
	found := slices.DeleteFunc(a.cfg.Engine.List(by.tenant), func(s Session) bool { return !matches(s.Labels) })
	count := len(found)
	resp := &wire.ListSessionsResponse{Page: wire.Page{MaxResults: req.MaxResults, Count: &count, Selector: req.Selector}}
	rest := slices.DeleteFunc(found, func(s Session) bool { return s.Seq <= after })
	for _, s := range rest[:min(len(rest), req.MaxResults)] {
		resp.Sessions = append(resp.Sessions, wire.SessionEntry{SessionID: s.ID, Status: wire.StatusRunning})
		after = s.Seq
	}
	if len(rest) > req.MaxResults {
		resp.Page.NextToken = a.sealToken(by, req, after)
	}
	return resp, nil
}

// filter returns what a list asks of labels: all of its pairs, and the
// selector.
func filter(req wire.ListSessionsRequest) (func(map[string]string) bool, error) {
	selector, err := labels.ParseSelector(req.Selector)
	if err != nil {
		return nil, apierr.Errorf(apierr.InvalidArgument, "labelSelector: %w", err)
	}
	var pairs map[string]string
	if req.Labels != nil {
		pairs = req.Labels.V
	}
	if len(pairs) > maxFilterPairs {
		return nil, apierr.Errorf(apierr.InvalidArgument, "labels: %d pairs, at most %d are allowed", len(pairs), maxFilterPairs)
	}
	exact := labels.FromMap(pairs)
	return func(set map[string]string) bool { return exact.Matches(set) && selector.Matches(set) }, nil
}

// A page token is the position of the last session of its page, authenticated
// together with the tenant and the filter, so that it is good for the list
// that it came from and for no other.

func (a *API) sealToken(by caller, req wire.ListSessionsRequest, after uint64) string {
	b := binary.BigEndian.AppendUint64(nil, after)
	return base64.RawURLEncoding.EncodeToString(append(b, a.tokenMAC(by, req, b)...))
}

// openToken returns the position that a list goes on after, 0 for its start.
func (a *API) openToken(by caller, req wire.ListSessionsRequest) (uint64, error) {
	if req.NextToken == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(req.NextToken)
	if err != nil || len(b) != 8+sha256.Size || !hmac.Equal(b[8:], a.tokenMAC(by, req, b[:8])) {
		return 0, apierr.Errorf(apierr.InvalidArgument, "nextToken: invalid, or from another list").
			WithHint("take it from the answer to a list with the same filter")
	}
	return binary.BigEndian.Uint64(b), nil
}

func (a *API) tokenMAC(by caller, req wire.ListSessionsRequest, position []byte) []byte {
	var pairs map[string]string
	if req.Labels != nil && len(req.Labels.V) > 0 {
		pairs = req.Labels.V
	}
	mac := hmac.New(sha256.New, a.cfg.PageKey[:])
	// JSON keeps the parts apart and has the keys of a map in order. Strings
	// and a map of strings always encode.
	_ = json.NewEncoder(mac).Encode([]any{by.tenant, req.Selector, pairs, position})
	return mac.Sum(nil)
}
