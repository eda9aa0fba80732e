package guest

import (
	"bytes"
	"context"
)

// answerLimit bounds the bytes of a list and of an edited file.
const answerLimit = 32 << 20

// Search finds files by name. It looks for five seconds at most and follows
// no symbolic link.
func (c *Client) Search(ctx context.Context, q SearchQuery) (SearchResult, error) {
	var result SearchResult
	if err := checkPath(q.Dir); err != nil {
		return result, err
	}
	if len(q.Exclude) > excludeLimit {
		return result, &Error{Kind: TooLarge, Message: "too many patterns"}
	}
	req := newRequest(opSearch)
	req.text(q.Dir)
	req.text(q.Pattern)
	req.texts(q.Exclude)
	err := c.list(ctx, req, SearchLimit, func(d *decoder) {
		p := d.text(PathLimit)
		if !validPath(p) {
			d.fail()
			return
		}
		result.Paths = append(result.Paths, p)
	}, func(d *decoder) { result.Truncated = d.bool() })
	if err != nil {
		return SearchResult{}, err
	}
	return result, nil
}

// Edit applies edits in order, all or none, and returns the new content. With
// dry it leaves the file as it is. Text that is not there is an error of kind
// [NoMatch]; a file larger than [EditLimit], or one that would be, of kind
// [TooLarge].
func (c *Client) Edit(ctx context.Context, path string, edits []Edit, dry bool) ([]byte, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	if len(edits) > EditsLimit {
		return nil, &Error{Kind: TooLarge, Message: "too many edits"}
	}
	req := newRequest(opEdit)
	req.text(path)
	req.bool(dry)
	req.count(len(edits))
	for _, e := range edits {
		req.text(e.Old)
		req.text(e.New)
	}
	k, err := c.begin(ctx, req, true)
	if err != nil {
		return nil, err
	}
	defer k.end()
	var content bytes.Buffer
	for {
		kind, d, err := k.next()
		if err != nil {
			return nil, err
		}
		if kind != recordContent {
			err := k.last(kind, d, func(d *decoder) {
				if d.size() != int64(content.Len()) {
					d.fail()
				}
			})
			if err != nil {
				return nil, err
			}
			return content.Bytes(), nil
		}
		if content.Len()+len(d.b) > EditLimit {
			return nil, c.violated("edited file is too large")
		}
		content.Write(d.b)
	}
}

// Changes returns what changed under a directory since the last call for it.
// The first call finds nothing. A guest remembers [WatchLimit] directories,
// and forgets those that were not asked for the longest. More than
// [ChangeLimit] files are an error of kind [TooLarge].
func (c *Client) Changes(ctx context.Context, path string) ([]Change, error) {
	if err := checkPath(path); err != nil {
		return nil, err
	}
	req := newRequest(opChanges)
	req.text(path)
	var changes []Change
	size := 0
	err := c.list(ctx, req, 2*ChangeLimit, func(d *decoder) {
		change := Change{Kind: ChangeKind(d.byte()), Path: d.text(PathLimit), Dir: d.bool()}
		if change.Kind < Created || change.Kind > Deleted || !validPath(change.Path) {
			d.fail()
			return
		}
		if size += len(change.Path); size <= NamesLimit {
			changes = append(changes, change)
		}
	}, nothing)
	if err == nil {
		err = checkNames(size)
	}
	if err != nil {
		return nil, err
	}
	return changes, nil
}

// Metrics returns what the sandbox uses.
func (c *Client) Metrics(ctx context.Context) (Metrics, error) {
	var m Metrics
	err := c.ask(ctx, newRequest(opMetrics), func(d *decoder) { m = d.metrics() })
	return m, err
}
