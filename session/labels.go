package session

import (
	"context"
	"maps"

	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/labels"
)

// SetLabelsResult is the outcome of [Session.SetLabels].
type SetLabelsResult struct{ RequestID string }

// SetLabels replaces all of the session's labels. The rules of
// [labels.Validate] hold, so a session's last label cannot be taken away; the
// embedded engine demands [labels.Bounds] besides. Labels that break a rule are
// an error with code [apierr.InvalidArgument]. The map is copied.
func (s *Session) SetLabels(ctx context.Context, set map[string]string) (*SetLabelsResult, error) {
	if err := labels.Validate(set); err != nil {
		return nil, s.fail(err, "SetLabels")
	}
	_, meta, err := transport.Do(ctx, s.t, wire.SetLabels, wire.SetLabelsRequest{
		SessionID: s.ID, Labels: *wire.TextOf(maps.Clone(set)),
	})
	if err != nil {
		return nil, s.fail(err, "SetLabels")
	}
	return &SetLabelsResult{RequestID: meta.RequestID}, nil
}

// GetLabelsResult is the outcome of [Session.GetLabels].
type GetLabelsResult struct {
	Labels    map[string]string // never nil
	RequestID string
}

// GetLabels returns the session's labels.
func (s *Session) GetLabels(ctx context.Context) (*GetLabelsResult, error) {
	resp, meta, err := transport.Do(ctx, s.t, wire.GetLabels, wire.SessionQuery{SessionID: s.ID})
	if err != nil {
		return nil, s.fail(err, "GetLabels")
	}
	res := &GetLabelsResult{Labels: map[string]string{}, RequestID: meta.RequestID}
	if resp.Labels != nil && resp.Labels.V != nil {
		res.Labels = resp.Labels.V
	}
	return res, nil
}
