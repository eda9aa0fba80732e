package guest

import (
	"context"
	"io/fs"
)

func (c *served) inspect(ctx context.Context, d *decoder) error {
	path, follow, sum := d.text(PathLimit), d.bool(), d.bool()
	if err := d.complete(); err != nil {
		return err
	}
	s, err := c.handler.Inspect(ctx, path, follow, sum)
	if err == nil {
		c.result.state(&s)
	}
	return err
}

func (c *served) fetch(ctx context.Context, d *decoder) error {
	path := d.text(PathLimit)
	f := Fetch{Offset: d.size(), Length: d.size(), IfMatch: d.text(TagLimit)}
	if err := d.complete(); err != nil {
		return err
	}
	begin := func(s State) error {
		var e encoder
		e.state(&s)
		return c.stream.record(recordEntries, e.b)
	}
	n, err := c.handler.Fetch(ctx, path, f, begin, c.stream.as(recordContent))
	c.result.int(n)
	return err
}

func (c *served) store(ctx context.Context, d *decoder) error {
	path := d.text(PathLimit)
	s := Store{
		Mode: WriteMode(d.byte()), Offset: d.size(), Perm: fs.FileMode(d.upTo(0o777)), SetPerm: d.bool(), IfMatch: d.text(TagLimit),
	}
	if err := d.complete(); err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	n, after, err := c.handler.Store(ctx, path, s, &contentReader{from: &c.request})
	c.result.int(n)
	c.result.state(&after)
	return err
}

func (c *served) copy(ctx context.Context, d *decoder) error {
	from, to := d.text(PathLimit), d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	return c.handler.Copy(ctx, from, to)
}

func (c *served) chmod(ctx context.Context, d *decoder) error {
	path, perm := d.text(PathLimit), fs.FileMode(d.upTo(0o777))
	if err := d.complete(); err != nil {
		return err
	}
	return c.handler.Chmod(ctx, path, perm)
}

func (c *served) symlink(ctx context.Context, d *decoder) error {
	target, path := d.text(PathLimit), d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	return c.handler.Symlink(ctx, target, path)
}

func (c *served) truncate(ctx context.Context, d *decoder) error {
	path, size := d.text(PathLimit), d.size()
	if err := d.complete(); err != nil {
		return err
	}
	return c.handler.Truncate(ctx, path, size)
}

func (c *served) walk(ctx context.Context, d *decoder) error {
	path, after, limit := d.text(PathLimit), d.text(PathLimit), d.upTo(PageLimit)
	if err := d.complete(); err != nil {
		return err
	}
	page, err := c.handler.Walk(ctx, path, after, limit)
	if err != nil {
		return err
	}
	w := entriesWriter{to: c.stream}
	for i := range page.Entries {
		if err := w.add(func(e *encoder) { e.fileInfo(&page.Entries[i]) }); err != nil {
			return err
		}
	}
	c.result.bool(page.More)
	return w.end()
}

func (c *served) archive(ctx context.Context, d *decoder) error {
	path, exclude := d.text(PathLimit), d.texts(excludeLimit, RequestLimit)
	if err := d.complete(); err != nil {
		return err
	}
	w := &countingWriter{to: c.stream.as(recordContent)}
	t, err := c.handler.Archive(ctx, path, exclude, w)
	c.result.int(w.n)
	c.result.tally(t)
	return err
}

// countingWriter counts what is written.
type countingWriter struct {
	to kindWriter
	n  int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.n += int64(n)
	return n, err
}

func (c *served) extract(ctx context.Context, d *decoder) error {
	path := d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	t, err := c.handler.Extract(ctx, path, &contentReader{from: &c.request})
	c.result.tally(t)
	return err
}

func (c *served) watch(ctx context.Context, d *decoder) error {
	path := d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	ready := func() error { return c.stream.record(recordEntries, nil) }
	return c.handler.Watch(ctx, path, ready, func(list []Event) error {
		w := entriesWriter{to: c.stream}
		for i := range list {
			if err := w.add(func(e *encoder) { e.event(&list[i]) }); err != nil {
				return err
			}
		}
		return w.end()
	})
}
