package filesystem

import (
	"context"
	"io/fs"
	"iter"
	"path"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// do performs an operation of ours.
func do[Req, Resp any](ctx context.Context, s subject, op wire.Op[Req, Resp], req Req) (Resp, string, error) {
	if err := s.c.t.Can(ctx, op.Name); err != nil {
		var none Resp
		return none, "", s.fail(err, "")
	}
	resp, meta, err := transport.Do(ctx, s.c.t, op, req)
	if err != nil {
		return resp, meta.RequestID, s.fail(err, meta.RequestID)
	}
	return resp, meta.RequestID, nil
}

func (s subject) file() wire.FileRequest {
	return wire.FileRequest{SessionID: s.c.session, Path: s.path}
}

// CopyOptions are for [Client.Copy]. There are none yet.
type CopyOptions struct{}

// CopyResult is the outcome of [Client.Copy].
type CopyResult struct{ RequestID string }

// Copy copies a file, a symbolic link, or a directory with all in it, at most
// 100 deep, inside the session. Modes are kept, and times of files; parent
// directories are made. A file at the destination is replaced in one step by a
// file or link; a directory there is an error, and so is one inside of what is
// copied. AGB's hosted service does not have it: the error has code
// [apierr.Unsupported]. The options may be nil.
func (c *Client) Copy(ctx context.Context, from, to string, _ *CopyOptions) (*CopyResult, error) {
	s, err := c.subject("Copy", from)
	if err == nil {
		err = s.check("destination", to, MaxPathBytes)
	}
	if err != nil {
		return nil, err
	}
	_, id, err := do(ctx, s, wire.CopyFile, wire.CopyFileRequest{SessionID: c.session, Source: from, Destination: to})
	if err != nil {
		return nil, err
	}
	return &CopyResult{id}, nil
}

// ChmodOptions are for [Client.Chmod]. There are none yet.
type ChmodOptions struct{}

// ChmodResult is the outcome of [Client.Chmod].
type ChmodResult struct{ RequestID string }

// Chmod sets the permissions of a file, following symbolic links; other bits of
// mode are refused. AGB's hosted service does not have it: the error has code
// [apierr.Unsupported]. The options may be nil.
func (c *Client) Chmod(ctx context.Context, path string, mode fs.FileMode, _ *ChmodOptions) (*ChmodResult, error) {
	s, err := c.subject("Chmod", path)
	if err == nil && mode&^fs.ModePerm != 0 {
		err = s.failf(apierr.InvalidArgument, "mode %v has more than permissions", mode)
	}
	if err != nil {
		return nil, err
	}
	_, id, err := do(ctx, s, wire.ChangeMode, wire.ChangeModeRequest{FileRequest: s.file(), Perm: uint32(mode)})
	if err != nil {
		return nil, err
	}
	return &ChmodResult{id}, nil
}

// SymlinkOptions are for [Client.Symlink]. There are none yet.
type SymlinkOptions struct{}

// SymlinkResult is the outcome of [Client.Symlink].
type SymlinkResult struct{ RequestID string }

// Symlink makes a symbolic link at path that leads to target, which need not
// exist. Parent directories of path are made. What is there already is an error
// that matches [fs.ErrExist]. AGB's hosted service does not have it: the error has
// code [apierr.Unsupported]. The options may be nil.
func (c *Client) Symlink(ctx context.Context, target, path string, _ *SymlinkOptions) (*SymlinkResult, error) {
	s, err := c.subject("Symlink", path)
	if err == nil {
		err = s.check("target", target, MaxPathBytes)
	}
	if err != nil {
		return nil, err
	}
	_, id, err := do(ctx, s, wire.MakeSymlink, wire.MakeSymlinkRequest{FileRequest: s.file(), Target: target})
	if err != nil {
		return nil, err
	}
	return &SymlinkResult{id}, nil
}

// ReadlinkOptions are for [Client.Readlink]. There are none yet.
type ReadlinkOptions struct{}

// ReadlinkResult is the outcome of [Client.Readlink].
type ReadlinkResult struct {
	Target    string
	RequestID string
}

// Readlink tells where a symbolic link leads to. AGB's hosted service does not
// have it: the error has code [apierr.Unsupported]. The options may be nil.
func (c *Client) Readlink(ctx context.Context, path string, _ *ReadlinkOptions) (*ReadlinkResult, error) {
	s, err := c.subject("Readlink", path)
	if err != nil {
		return nil, err
	}
	resp, id, err := do(ctx, s, wire.ReadLink, s.file())
	if err != nil {
		return nil, err
	}
	return &ReadlinkResult{resp.Target, id}, nil
}

// TruncateOptions are for [Client.Truncate]. There are none yet.
type TruncateOptions struct{}

// TruncateResult is the outcome of [Client.Truncate].
type TruncateResult struct{ RequestID string }

// Truncate makes a file so many bytes long: it is cut, or filled up with zeros.
// The file has to exist. AGB's hosted service does not have it: the error has code
// [apierr.Unsupported]. The options may be nil.
func (c *Client) Truncate(ctx context.Context, path string, size int64, _ *TruncateOptions) (*TruncateResult, error) {
	s, err := c.subject("Truncate", path)
	if err == nil && size < 0 {
		err = s.failf(apierr.InvalidArgument, "size %d is negative", size)
	}
	if err != nil {
		return nil, err
	}
	_, id, err := do(ctx, s, wire.TruncateFile, wire.TruncateFileRequest{FileRequest: s.file(), Size: size})
	if err != nil {
		return nil, err
	}
	return &TruncateResult{id}, nil
}

// WalkOptions are for [Client.Walk]. There are none yet.
type WalkOptions struct{}

// Walk goes through all that is below a directory, parents before what is in
// them and names in lexical order, without following symbolic links. It asks
// for 1,000 entries at a time, so that what changes meanwhile may be there or
// not. An error is the last that it yields. Paths have dir in front. AGB's hosted
// service does not have it: the error has code [apierr.Unsupported]. The options
// may be nil.
func (c *Client) Walk(ctx context.Context, dir string, _ *WalkOptions) iter.Seq2[FileInfo, error] {
	return func(yield func(FileInfo, error) bool) {
		s, err := c.subject("Walk", dir)
		for next := ""; err == nil; {
			var page wire.WalkTreeResponse
			var id string
			page, id, err = do(ctx, s, wire.WalkTree, wire.WalkTreeRequest{FileRequest: s.file(), After: next})
			if err != nil {
				break
			}
			for _, e := range page.Entries {
				if !fs.ValidPath(e.Path) || e.Path == "." || e.Size < 0 {
					err = s.fail(apierr.Errorf(apierr.MalformedResponse, "the server tells of what is not below the directory"), id)
					break
				}
				if !yield(newFileInfo(path.Join(dir, e.Path), e), nil) {
					return
				}
			}
			switch {
			case err != nil:
			case page.Next == "":
				return
			case page.Next == next || len(page.Entries) == 0:
				err = s.fail(apierr.Errorf(apierr.MalformedResponse, "the server does not come to an end"), id)
			}
			next = page.Next
		}
		yield(FileInfo{}, err)
	}
}
