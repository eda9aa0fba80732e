package filesystem

import (
	"context"
	"slices"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// MaxExcludes is how many patterns [SearchOptions.Exclude] may have.
const MaxExcludes = 100

// SearchOptions are for [Client.Search].
type SearchOptions struct {
	// Exclude are patterns of what to leave out, with all below it.
	Exclude []string
}

// SearchResult is the outcome of [Client.Search].
type SearchResult struct {
	Paths []string // what was found
	// Truncated says that there is more than the server was willing to find.
	Truncated bool
	RequestID string
}

// Search finds the files and directories below dir whose names match pattern,
// in the syntax of package path. The options may be nil.
func (c *Client) Search(ctx context.Context, dir, pattern string, opts *SearchOptions) (*SearchResult, error) {
	s, err := c.subject("Search", dir)
	if err != nil {
		return nil, err
	}
	if err := s.check("pattern", pattern, MaxPathBytes); err != nil {
		return nil, err
	}
	var exclude []string
	if opts != nil {
		exclude = slices.Clone(opts.Exclude)
	}
	if len(exclude) > MaxExcludes {
		return nil, s.failf(apierr.InvalidArgument, "%d patterns to exclude, at most %d are allowed", len(exclude), MaxExcludes)
	}
	for _, e := range exclude {
		if err := s.check("pattern to exclude", e, MaxPathBytes); err != nil {
			return nil, err
		}
	}
	out, id, err := ask(ctx, s, wire.SearchFiles, wire.SearchFilesArgs{Path: dir, Pattern: pattern, Exclude: exclude})
	if err != nil {
		return nil, err
	}
	return &SearchResult{out.Paths, out.Truncated, id}, nil
}
