package filesystem

import (
	"context"

	"github.com/agb-go/sdk/internal/wire"
)

// MkdirOptions are for [Client.Mkdir]. There are none yet.
type MkdirOptions struct{}

// MkdirResult is the outcome of [Client.Mkdir].
type MkdirResult struct{ RequestID string }

// Mkdir makes a directory with its parents. One that exists is no error, a file
// of that name is. The options may be nil.
func (c *Client) Mkdir(ctx context.Context, path string, _ *MkdirOptions) (*MkdirResult, error) {
	s, err := c.subject("Mkdir", path)
	if err != nil {
		return nil, err
	}
	_, id, err := ask(ctx, s, wire.CreateDirectory, wire.PathArgs{Path: path})
	if err != nil {
		return nil, err
	}
	return &MkdirResult{id}, nil
}

// MoveOptions are for [Client.Move]. There are none yet.
type MoveOptions struct{}

// MoveResult is the outcome of [Client.Move].
type MoveResult struct{ RequestID string }

// Move renames a file or directory. In the embedded engine it replaces a file
// at the destination, in one step when both are in the same file system, and
// makes no parent directories. The options may be nil.
func (c *Client) Move(ctx context.Context, from, to string, _ *MoveOptions) (*MoveResult, error) {
	s, err := c.subject("Move", from)
	if err == nil {
		err = s.check("destination", to, MaxPathBytes)
	}
	if err != nil {
		return nil, err
	}
	_, id, err := ask(ctx, s, wire.MoveFile, wire.MoveFileArgs{Source: from, Destination: to})
	if err != nil {
		return nil, err
	}
	return &MoveResult{id}, nil
}

// RemoveOptions are for [Client.Remove]. There are none yet.
type RemoveOptions struct{}

// RemoveResult is the outcome of [Client.Remove].
type RemoveResult struct{ RequestID string }

// Remove removes a file, or a directory with all that is in it. Of a symbolic
// link it removes the link. Nothing there is an error that matches
// [io/fs.ErrNotExist]. The options may be nil.
func (c *Client) Remove(ctx context.Context, path string, _ *RemoveOptions) (*RemoveResult, error) {
	s, err := c.subject("Remove", path)
	if err != nil {
		return nil, err
	}
	_, id, err := ask(ctx, s, wire.DeleteFile, wire.PathArgs{Path: path})
	if err != nil {
		return nil, err
	}
	return &RemoveResult{id}, nil
}
