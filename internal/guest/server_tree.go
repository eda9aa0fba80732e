package guest

import "context"

func (c *served) search(ctx context.Context, d *decoder) error {
	q := SearchQuery{
		Dir:     d.text(PathLimit),
		Pattern: d.text(RequestLimit),
		Exclude: d.texts(excludeLimit, RequestLimit),
	}
	if err := d.complete(); err != nil {
		return err
	}
	found, err := c.handler.Search(ctx, q)
	if err != nil {
		return err
	}
	w := entriesWriter{to: c.stream}
	for _, p := range found.Paths {
		if err := w.add(func(e *encoder) { e.text(p) }); err != nil {
			return err
		}
	}
	c.result.bool(found.Truncated)
	return w.end()
}

func (c *served) edit(ctx context.Context, d *decoder) error {
	path, dry := d.text(PathLimit), d.bool()
	edits := make([]Edit, d.upTo(EditsLimit))
	for i := range edits {
		edits[i] = Edit{Old: d.text(RequestLimit), New: d.text(RequestLimit)}
	}
	if err := d.complete(); err != nil {
		return err
	}
	content, err := c.handler.Edit(ctx, path, edits, dry)
	if err != nil {
		return err
	}
	c.result.int(int64(len(content)))
	_, err = c.stream.as(recordContent).Write(content)
	return err
}

func (c *served) changes(ctx context.Context, d *decoder) error {
	path := d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	changes, err := c.handler.Changes(ctx, path)
	if err != nil {
		return err
	}
	w := entriesWriter{to: c.stream}
	for _, change := range changes {
		err := w.add(func(e *encoder) {
			e.byte(byte(change.Kind))
			e.text(change.Path)
			e.bool(change.Dir)
		})
		if err != nil {
			return err
		}
	}
	return w.end()
}

func (c *served) metrics(ctx context.Context, d *decoder) error {
	if err := d.complete(); err != nil {
		return err
	}
	m, err := c.handler.Metrics(ctx)
	if err == nil {
		c.result.metrics(&m)
	}
	return err
}
