package guest

import (
	"context"
	"io"
	"io/fs"
)

func (c *served) stat(ctx context.Context, d *decoder) error {
	path, follow := d.text(PathLimit), d.bool()
	if err := d.complete(); err != nil {
		return err
	}
	info, err := c.handler.Stat(ctx, path, follow)
	if err == nil {
		c.result.fileInfo(&info)
	}
	return err
}

func (c *served) list(ctx context.Context, d *decoder) error {
	path := d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	list, err := c.handler.List(ctx, path)
	if err != nil {
		return err
	}
	w := entriesWriter{to: c.stream}
	for i := range list {
		if err := w.add(func(e *encoder) { e.fileInfo(&list[i]) }); err != nil {
			return err
		}
	}
	return w.end()
}

func (c *served) read(ctx context.Context, d *decoder) error {
	path, offset, length := d.text(PathLimit), d.size(), d.size()
	if err := d.complete(); err != nil {
		return err
	}
	n, err := c.handler.Read(ctx, path, offset, length, c.stream.as(recordContent))
	c.result.int(n)
	return err
}

func (c *served) write(ctx context.Context, d *decoder) error {
	path, mode, perm := d.text(PathLimit), WriteMode(d.byte()), fs.FileMode(d.upTo(0o777))
	if err := d.complete(); err != nil {
		return err
	}
	n, err := c.handler.Write(ctx, path, mode, perm, &contentReader{from: &c.request})
	c.result.int(n)
	return err
}

func (c *served) mkdir(ctx context.Context, d *decoder) error {
	path, perm := d.text(PathLimit), fs.FileMode(d.upTo(0o777))
	if err := d.complete(); err != nil {
		return err
	}
	return c.handler.Mkdir(ctx, path, perm)
}

func (c *served) move(ctx context.Context, d *decoder) error {
	from, to := d.text(PathLimit), d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	return c.handler.Move(ctx, from, to)
}

func (c *served) remove(ctx context.Context, d *decoder) error {
	path := d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	return c.handler.Remove(ctx, path)
}

// contentReader reads content records.
type contentReader struct {
	from *recordReader
	rest []byte
}

func (r *contentReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *contentReader) fill() error {
	kind, p, err := r.from.next(recordLimit)
	if err != nil {
		return err
	}
	if kind != recordContent {
		return errRequest
	}
	r.rest = p
	return nil
}

// WriteTo implements io.WriterTo, without copying.
func (r *contentReader) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		n, err := w.Write(r.rest)
		total += int64(n)
		if err != nil {
			return total, err
		}
		r.rest = nil
		if err := r.fill(); isEOF(err) {
			return total, nil
		} else if err != nil {
			return total, err
		}
	}
}
