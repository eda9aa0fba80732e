package httpapi

import (
	"context"
	"encoding/base64"
	"io/fs"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

func fileState(s guest.State) wire.FileState {
	return wire.FileState{FileInfo: fileInfo(s.FileInfo), ETag: s.Tag, SHA256: s.Sum}
}

func statFile(ctx context.Context, ws *Workspace, req wire.StatFileRequest) (*wire.FileState, error) {
	s, err := ws.Guest.Inspect(ctx, req.Path, !req.NoFollow, req.Sum)
	if err != nil {
		return nil, err
	}
	state := fileState(s)
	return &state, nil
}

// pageEntries is how many entries a page of a tree has unless the client says
// so.
const pageEntries = 1000

// pageBudget bounds the bytes of the paths in a page.
const pageBudget = 4 << 20

func walkTree(ctx context.Context, ws *Workspace, req wire.WalkTreeRequest) (*wire.WalkTreeResponse, error) {
	after, err := base64.RawURLEncoding.DecodeString(req.After)
	if err != nil || req.Limit < 0 {
		return nil, apierr.Errorf(apierr.InvalidArgument, "invalid page: %q, %d", req.After, req.Limit)
	}
	limit := min(req.Limit, guest.PageLimit)
	if limit == 0 {
		limit = pageEntries
	}
	page, err := ws.Guest.Walk(ctx, req.Path, string(after), limit)
	if err != nil {
		return nil, err
	}
	resp := &wire.WalkTreeResponse{Entries: []wire.FileInfo{}}
	left := pageBudget
	for _, e := range page.Entries {
		if left -= encodedLen(e.Path) + encodedLen(e.Target); left < 0 {
			page.More = true
			break
		}
		resp.Entries = append(resp.Entries, fileInfo(e))
	}
	if page.More {
		resp.Next = base64.RawURLEncoding.EncodeToString([]byte(page.Entries[len(resp.Entries)-1].Path))
	}
	return resp, nil
}

func copyFile(ctx context.Context, ws *Workspace, req wire.CopyFileRequest) (*wire.Empty, error) {
	return nil, ws.Guest.Copy(ctx, req.Source, req.Destination)
}

func changeMode(ctx context.Context, ws *Workspace, req wire.ChangeModeRequest) (*wire.Empty, error) {
	if req.Perm > uint32(fs.ModePerm) {
		return nil, apierr.Errorf(apierr.InvalidArgument, "invalid permissions %#o", req.Perm)
	}
	return nil, ws.Guest.Chmod(ctx, req.Path, fs.FileMode(req.Perm))
}

func makeSymlink(ctx context.Context, ws *Workspace, req wire.MakeSymlinkRequest) (*wire.Empty, error) {
	return nil, ws.Guest.Symlink(ctx, req.Target, req.Path)
}

func readLink(ctx context.Context, ws *Workspace, req wire.FileRequest) (*wire.ReadLinkResponse, error) {
	info, err := ws.Guest.Stat(ctx, req.Path, false)
	if err != nil {
		return nil, err
	}
	if info.Mode.Type() != fs.ModeSymlink {
		return nil, &guest.Error{Kind: guest.Invalid, Errno: 22, Message: req.Path + ": not a symbolic link"}
	}
	return &wire.ReadLinkResponse{Target: info.Target}, nil
}

func truncateFile(ctx context.Context, ws *Workspace, req wire.TruncateFileRequest) (*wire.Empty, error) {
	return nil, ws.Guest.Truncate(ctx, req.Path, req.Size)
}
