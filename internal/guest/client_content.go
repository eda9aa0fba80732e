package guest

import (
	"context"
	"io"
	"io/fs"
)

// Inspect describes a file, as [Client.Stat] does, with its tag and, if sum is
// set, the SHA-256 of its content, which must be that of a regular file.
func (c *Client) Inspect(ctx context.Context, path string, follow, sum bool) (State, error) {
	var s State
	if err := checkPath(path); err != nil {
		return s, err
	}
	req := newRequest(opInspect)
	req.text(path)
	req.bool(follow)
	req.bool(sum)
	err := c.ask(ctx, req, func(d *decoder) {
		if s = d.state(sum); sum && s.Sum == "" {
			d.fail()
		}
	})
	s.Path = path
	return s, err
}

// Fetch is [Client.Read] that tells what the file is like before its first
// byte: what begin returns is an error of Fetch. One that is not as IfMatch
// says is an error of kind [Mismatch]. A length beyond the end of the file gives
// what there is; less of what begin was told is there is an error of kind
// [Busy].
func (c *Client) Fetch(ctx context.Context, path string, f Fetch, begin func(State) error, w io.Writer) (int64, error) {
	if err := checkPath(path); err != nil {
		return 0, err
	}
	if err := checkMatch(f.IfMatch); err != nil {
		return 0, err
	}
	if f.Offset < 0 || f.Length < 0 {
		return 0, &Error{Kind: Invalid, Errno: 22, Message: "negative offset or length"}
	}
	req := newRequest(opFetch)
	req.text(path)
	req.int(f.Offset)
	req.int(f.Length)
	req.text(f.IfMatch)
	k, err := c.begin(ctx, req, true)
	if err != nil {
		return 0, err
	}
	defer k.end()
	kind, d, err := k.next()
	if err != nil {
		return 0, err
	}
	if kind != recordEntries {
		return 0, c.violated("content without a state")
	}
	s := d.state(false)
	if !d.done() {
		return 0, c.violated("state of a file")
	}
	s.Path = path
	if err := begin(s); err != nil {
		return 0, err
	}
	return k.content(f.Length, w, nothing)
}

// content writes the rest of an answer to w and returns how much it was: at most
// length bytes, unless that is 0, and as many as the result says first.
func (k *call) content(length int64, w io.Writer, result func(*decoder)) (int64, error) {
	var total int64
	for {
		kind, d, err := k.next()
		if err != nil {
			return total, err
		}
		if kind != recordContent {
			return total, k.last(kind, d, func(d *decoder) {
				if d.size() != total {
					d.fail()
				}
				result(d)
			})
		}
		if length > 0 && total+int64(len(d.b)) > length {
			return total, k.client.violated("more content than asked for")
		}
		n, err := w.Write(d.b)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// Store writes all of r to a file and returns how many bytes that were, and what
// the file is like then. Parent directories are made, except by Update, which
// makes no file either. When it fails part of the content may have been written;
// with Replace the file is as it was. A Read of r that is under way when ctx
// ends is waited for.
func (c *Client) Store(ctx context.Context, path string, s Store, r io.Reader) (int64, State, error) {
	var after State
	if err := checkPath(path); err != nil {
		return 0, after, err
	}
	if err := checkMatch(s.IfMatch); err != nil {
		return 0, after, err
	}
	if err := s.check(); err != nil {
		return 0, after, err
	}
	req := newRequest(opStore)
	req.text(path)
	req.byte(byte(s.Mode))
	req.int(s.Offset)
	req.uint(uint64(s.Perm.Perm()))
	req.bool(s.SetPerm)
	req.text(s.IfMatch)
	k, err := c.begin(ctx, req, false)
	if err != nil {
		return 0, after, err
	}
	defer k.end()
	sent, err := k.upload(r)
	if err != nil {
		return 0, after, err
	}
	var written int64
	err = k.result(func(d *decoder) {
		written, after = d.size(), d.state(false)
		if sent >= 0 && written != sent {
			d.fail()
		}
	})
	after.Path = path
	return written, after, err
}

func (s *Store) check() error {
	if s.Mode > PlaceNew || s.Offset < 0 || s.Offset > 0 && s.Mode != Update || s.IfMatch != "" && (s.Mode == CreateNew || s.Mode == PlaceNew) {
		return &Error{Kind: Invalid, Errno: 22, Message: "mode of writing that cannot be"}
	}
	return nil
}

// Copy copies a file, a symbolic link, or a directory with all in it, with modes
// and times of files. A file or link at the destination is replaced, in one
// step; so is nothing else.
func (c *Client) Copy(ctx context.Context, from, to string) error {
	if err := checkPath(from, to); err != nil {
		return err
	}
	req := newRequest(opCopy)
	req.text(from)
	req.text(to)
	return c.ask(ctx, req, nothing)
}

// Chmod sets the permissions of a file, following symbolic links.
func (c *Client) Chmod(ctx context.Context, path string, perm fs.FileMode) error {
	if err := checkPath(path); err != nil {
		return err
	}
	req := newRequest(opChmod)
	req.text(path)
	req.uint(uint64(perm.Perm()))
	return c.ask(ctx, req, nothing)
}

// Symlink makes a symbolic link at path, with its parent directories. What is
// there already is an error.
func (c *Client) Symlink(ctx context.Context, target, path string) error {
	if err := checkPath(target, path); err != nil {
		return err
	}
	req := newRequest(opSymlink)
	req.text(target)
	req.text(path)
	return c.ask(ctx, req, nothing)
}

// Truncate makes a file so long: it is cut, or filled up with zeros.
func (c *Client) Truncate(ctx context.Context, path string, size int64) error {
	if err := checkPath(path); err != nil {
		return err
	}
	if size < 0 {
		return &Error{Kind: Invalid, Errno: 22, Message: "negative size"}
	}
	req := newRequest(opTruncate)
	req.text(path)
	req.int(size)
	return c.ask(ctx, req, nothing)
}
