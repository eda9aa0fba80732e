package filesystem

import (
	"context"
	"unicode/utf8"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Limits of [Client.Edit].
const (
	MaxEdits     = 1000
	MaxEditBytes = 1 << 20 // of all texts together
)

// An Edit replaces the first occurrence of Old, which must not be empty, by New.
type Edit struct{ Old, New string }

// EditOptions are for [Client.Edit].
type EditOptions struct {
	// DryRun leaves the file as it is.
	DryRun bool
}

// EditResult is the outcome of [Client.Edit].
type EditResult struct {
	// Preview is the content that a dry run would have left; otherwise empty.
	// Of AGB's hosted service it is whatever that says.
	Preview   string
	RequestID string
}

// Edit applies edits to a text file, each to what those before it have left. In
// the embedded engine either all are applied or, when a text is not there,
// none. The options may be nil.
func (c *Client) Edit(ctx context.Context, path string, edits []Edit, opts *EditOptions) (*EditResult, error) {
	s, err := c.subject("Edit", path)
	if err != nil {
		return nil, err
	}
	if len(edits) == 0 || len(edits) > MaxEdits {
		return nil, s.failf(apierr.InvalidArgument, "%d edits, from 1 to %d are allowed", len(edits), MaxEdits)
	}
	args := wire.EditFileArgs{Path: path, Edits: make([]wire.FileEdit, len(edits)), DryRun: opts != nil && opts.DryRun}
	size := 0
	for i, e := range edits {
		if e.Old == "" || !utf8.ValidString(e.Old) || !utf8.ValidString(e.New) {
			return nil, s.failf(apierr.InvalidArgument, "edit %d has nothing to replace or is not valid UTF-8", i)
		}
		size += len(e.Old) + len(e.New)
		args.Edits[i] = wire.FileEdit{OldText: e.Old, NewText: e.New}
	}
	if size > MaxEditBytes {
		return nil, s.failf(apierr.InvalidArgument, "edits have %d bytes, at most %d are allowed", size, MaxEditBytes)
	}
	out, id, err := ask(ctx, s, wire.EditFile, args)
	if err != nil {
		return nil, err
	}
	res := &EditResult{RequestID: id}
	if args.DryRun {
		res.Preview = out.Content
	}
	return res, nil
}
