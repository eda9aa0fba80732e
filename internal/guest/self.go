package guest

import "context"

// selfLimit bounds the numbers of a Self that count something.
const selfLimit = 1 << 20

// hello answers with what the handler says of itself.
func (c *served) hello(ctx context.Context, d *decoder) error {
	if err := d.complete(); err != nil {
		return err
	}
	h, err := c.handler.Hello(ctx)
	if err != nil {
		return err
	}
	c.result.count(h.Version)
	c.result.self(&h.Self)
	return nil
}

func (e *encoder) self(s *Self) {
	e.count(s.UID)
	e.count(s.GID)
	for _, set := range s.Capabilities {
		e.uint(set)
	}
	e.bool(s.NoNewPrivs)
	e.count(s.Seccomp)
	e.bool(s.Refused)
	for _, inode := range s.Namespaces {
		e.uint(inode)
	}
	e.uint(s.Processes)
	e.uint(s.DiskBytes)
	e.uint(s.DiskInodes)
	e.bool(s.Landlock)
	e.bool(s.ReadOnlyRoot)
	e.bool(s.LoopbackOnly)
	e.count(min(s.OpenFiles, selfLimit))
	e.bool(s.Dumpable)
}

func (d *decoder) self() Self {
	const ids, modes = 1<<32 - 1, 2
	s := Self{UID: d.upTo(ids), GID: d.upTo(ids)}
	for i := range s.Capabilities {
		s.Capabilities[i] = d.uint()
	}
	s.NoNewPrivs, s.Seccomp, s.Refused = d.bool(), d.upTo(modes), d.bool()
	for i := range s.Namespaces {
		s.Namespaces[i] = d.uint()
	}
	s.Processes, s.DiskBytes, s.DiskInodes = d.uint(), d.uint(), d.uint()
	s.Landlock, s.ReadOnlyRoot, s.LoopbackOnly = d.bool(), d.bool(), d.bool()
	s.OpenFiles, s.Dumpable = d.upTo(selfLimit), d.bool()
	return s
}
