package filesystem

import (
	"context"
	"io/fs"
	"path"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// FileInfo describes a file. It is a plain value.
type FileInfo struct {
	// Path is the path that was asked for; in listings, that of the directory
	// with the name added.
	Path string
	// Size is in bytes. Files that the kernel makes up, such as those of
	// /proc, say 0 whatever is in them.
	Size int64
	// Mode has the kind and the permissions. AGB's hosted service tells no
	// kinds but file and directory.
	Mode fs.FileMode
	// Modified is in UTC; zero when the server does not say.
	Modified time.Time
	// Target is where a symbolic link points to, which only listings tell:
	// everything else follows links.
	Target string
}

// Name returns the last element of the path.
func (i FileInfo) Name() string { return path.Base(i.Path) }

// IsDir reports whether it is a directory.
func (i FileInfo) IsDir() bool { return i.Mode.IsDir() }

// newFileInfo takes what a server said of the file at path.
func newFileInfo(path string, w wire.FileInfo) FileInfo {
	mode := fs.FileMode(w.Mode)
	if w.IsDir {
		mode |= fs.ModeDir
	}
	return FileInfo{Path: path, Size: w.Size, Mode: mode, Modified: w.Modified.UTC(), Target: w.Target}
}

// standardInfo is a FileInfo as package io/fs wants it.
type standardInfo struct{ FileInfo }

func (i standardInfo) Size() int64        { return i.FileInfo.Size }
func (i standardInfo) Mode() fs.FileMode  { return i.FileInfo.Mode }
func (i standardInfo) ModTime() time.Time { return i.Modified }
func (i standardInfo) Sys() any           { return i.FileInfo }

// StatOptions are for [Client.Stat]. AGB's hosted service has none of them: what
// is asked for is an error with code [apierr.Unsupported] there.
type StatOptions struct {
	NoFollow bool // describe a symbolic link itself
	ETag     bool // tell the ETag
	SHA256   bool // tell the ETag and the SHA-256 of a regular file's content
}

// StatResult is the outcome of [Client.Stat].
type StatResult struct {
	Info      FileInfo
	ETag      string // see [StreamReader.ETag]
	SHA256    string // in hexadecimal digits
	RequestID string
}

// Stat describes a file, following symbolic links unless the options say
// otherwise. They may be nil.
func (c *Client) Stat(ctx context.Context, path string, opts *StatOptions) (*StatResult, error) {
	s, err := c.subject("Stat", path)
	if err != nil {
		return nil, err
	}
	if opts != nil && *opts != (StatOptions{}) {
		return s.state(ctx, *opts)
	}
	info, id, err := s.stat(ctx)
	if err != nil {
		return nil, err
	}
	return &StatResult{Info: info, RequestID: id}, nil
}

// state is Stat with options.
func (s subject) state(ctx context.Context, o StatOptions) (*StatResult, error) {
	w, id, err := do(ctx, s, wire.StatFile, wire.StatFileRequest{FileRequest: s.file(), NoFollow: o.NoFollow, Sum: o.SHA256})
	if err != nil {
		return nil, err
	}
	if w.Size < 0 || len(w.ETag) > maxETagBytes || len(w.SHA256) > 64 || o.SHA256 && w.SHA256 == "" {
		return nil, s.fail(apierr.Errorf(apierr.MalformedResponse, "the server describes a file that cannot be"), id)
	}
	return &StatResult{newFileInfo(s.path, w.FileInfo), w.ETag, w.SHA256, id}, nil
}

func (s subject) stat(ctx context.Context) (FileInfo, string, error) {
	w, id, err := ask(ctx, s, wire.GetFileInfo, wire.PathArgs{Path: s.path})
	if err != nil {
		return FileInfo{}, id, err
	}
	if w.Size < 0 {
		return FileInfo{}, id, s.fail(apierr.Errorf(apierr.MalformedResponse, "the server says that it has %d bytes", w.Size), id)
	}
	return newFileInfo(s.path, w), id, nil
}
