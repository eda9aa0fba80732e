package filesystem

import (
	"context"

	"github.com/agb-go/sdk/internal/wire"
)

// ChangeKind is what happened to a file. There may be kinds that are not listed
// here.
type ChangeKind string

// Kinds of change.
const (
	Created  ChangeKind = wire.ChangeCreate
	Modified ChangeKind = wire.ChangeModify
	Deleted  ChangeKind = wire.ChangeDelete
)

// Change is a difference between two looks at a directory.
type Change struct {
	Kind  ChangeKind
	Path  string
	IsDir bool
}

// ChangesOptions are for [Client.Changes]. There are none yet.
type ChangesOptions struct{}

// ChangesResult is the outcome of [Client.Changes].
type ChangesResult struct {
	Changes   []Change
	RequestID string
}

// Changes returns what changed below a directory since Changes was last called
// for it in this session, by anybody. The first call finds nothing. What was told once is
// not told again, so when a call fails, changes may be lost. The options may
// be nil.
func (c *Client) Changes(ctx context.Context, dir string, _ *ChangesOptions) (*ChangesResult, error) {
	s, err := c.subject("Changes", dir)
	if err != nil {
		return nil, err
	}
	out, id, err := ask(ctx, s, wire.GetFileChange, wire.PathArgs{Path: dir})
	if err != nil {
		return nil, err
	}
	res := &ChangesResult{Changes: make([]Change, len(out)), RequestID: id}
	for i, c := range out {
		res.Changes[i] = Change{ChangeKind(c.EventType), c.Path, c.PathType == wire.PathDir}
	}
	return res, nil
}
