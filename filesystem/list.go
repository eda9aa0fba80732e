package filesystem

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// ListOptions are for [Client.List].
type ListOptions struct {
	// NamesOnly says that names and kinds are enough. Of AGB's hosted service,
	// whose listings hold no more, the rest takes a call for each entry.
	NamesOnly bool
}

// ListResult is the outcome of [Client.List].
type ListResult struct {
	// Entries are sorted by name. Symbolic links are not followed.
	Entries   []FileInfo
	RequestID string
}

// List lists a directory. Of an entry that vanishes meanwhile no more than name
// and kind may be known. The options may be nil.
func (c *Client) List(ctx context.Context, path string, opts *ListOptions) (*ListResult, error) {
	s, err := c.subject("List", path)
	if err != nil {
		return nil, err
	}
	entries, bare, id, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	if bare && (opts == nil || !opts.NamesOnly) {
		if err := s.complete(ctx, entries); err != nil {
			return nil, err
		}
	}
	return &ListResult{entries, id}, nil
}

// list returns the entries of a directory, and whether no more is known of them
// than their names and kinds.
func (s subject) list(ctx context.Context) (entries []FileInfo, bare bool, requestID string, err error) {
	l, id, err := ask(ctx, s, wire.ListDirectory, wire.PathArgs{Path: s.path})
	if err != nil {
		return nil, false, id, err
	}
	entries = make([]FileInfo, 0, len(l.Entries))
	for _, e := range l.Entries {
		if e.Path == "" || e.Path == "." || e.Path == ".." || strings.ContainsAny(e.Path, "/\x00") {
			return nil, false, id, s.fail(apierr.Errorf(apierr.MalformedResponse, "%.64q is not a name", s.c.t.Message(e.Path)), id)
		}
		if l.Bare {
			e.Mode &= uint32(fs.ModeType)
		}
		entries = append(entries, newFileInfo(join(s.path, e.Path), e))
	}
	slices.SortFunc(entries, func(a, b FileInfo) int { return cmp.Compare(a.Path, b.Path) })
	return entries, l.Bare, id, nil
}

// complete finds out what a bare listing does not say.
func (s subject) complete(ctx context.Context, entries []FileInfo) error {
	err := each(ctx, len(entries), func(ctx context.Context, i int) error {
		info, _, err := subject{s.c, s.op, entries[i].Path}.stat(ctx)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			entries[i] = info
		}
		return err
	})
	if err != nil {
		return s.fail(err, "")
	}
	return nil
}

// join adds a name to the path of a directory. It leaves the rest of the path
// as it is: ".." after a symbolic link is not to be simplified.
func join(dir, name string) string {
	return strings.TrimRight(dir, "/") + "/" + name
}
