package guest

import "context"

func (c *served) run(ctx context.Context, d *decoder) error {
	req := d.command()
	if err := d.complete(); err != nil {
		return err
	}
	if err := req.check(); err != nil {
		return err
	}
	cmd := req.Command
	if req.stdin {
		cmd.Stdin = &contentReader{from: &c.request}
	}
	cmd.Stdout, cmd.Stderr = c.stream.as(recordStdout), c.stream.as(recordStderr)
	if req.control {
		cmd.Control = c.stream.as(recordControl)
	}
	if req.started {
		cmd.Started = func(id uint64, pid int) {
			var e encoder
			e.uint(id)
			e.count(pid)
			_ = c.stream.record(recordStarted, e.b) // it fails when nobody wants to know
		}
	}
	exit, err := c.handler.Run(ctx, cmd)
	if err != nil {
		return err
	}
	c.result.exit(&exit)
	return nil
}

func (c *served) signal(ctx context.Context, d *decoder) error {
	id, signal := d.uint(), d.upTo(signalLimit)
	if err := d.complete(); err != nil {
		return err
	}
	return c.handler.Signal(ctx, id, signal)
}

func (c *served) resize(ctx context.Context, d *decoder) error {
	id, size := d.uint(), d.windowSize()
	if err := d.complete(); err != nil {
		return err
	}
	return c.handler.Resize(ctx, id, size)
}

func (c *served) lookPath(ctx context.Context, d *decoder) error {
	names := d.texts(lookLimit, PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	path, err := c.handler.LookPath(ctx, names...)
	c.result.text(path)
	return err
}
