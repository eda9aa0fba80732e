package guest

import (
	"context"
	"fmt"
	"io"
	"io/fs"
)

// Stat describes a file. With follow it describes what a symbolic link points to.
func (c *Client) Stat(ctx context.Context, path string, follow bool) (FileInfo, error) {
	var info FileInfo
	if err := checkPath(path); err != nil {
		return info, err
	}
	req := newRequest(opStat)
	req.text(path)
	req.bool(follow)
	err := c.ask(ctx, req, func(d *decoder) { info = d.fileInfo() })
	info.Path = path
	return info, err
}

// List returns the entries of a directory, see [Client.EachEntry].
func (c *Client) List(ctx context.Context, path string) ([]FileInfo, error) {
	var list []FileInfo
	err := c.EachEntry(ctx, path, func(info FileInfo) { list = append(list, info) })
	if err != nil {
		return nil, err
	}
	return list, nil
}

// EachEntry calls f for each entry of a directory, in lexical order. One of more
// than [ListLimit] entries, or with names of more than [NamesLimit] bytes, is an
// error of kind [TooLarge], for some of which f was called.
func (c *Client) EachEntry(ctx context.Context, path string, f func(FileInfo)) error {
	if err := checkPath(path); err != nil {
		return err
	}
	req := newRequest(opList)
	req.text(path)
	size, last := 0, ""
	err := c.list(ctx, req, ListLimit, func(d *decoder) {
		info := d.fileInfo()
		// A name that is a path could be written elsewhere by who trusts it.
		if !validName(info.Path) || last >= info.Path {
			d.fail()
			return
		}
		last = info.Path
		if size += len(info.Path) + len(info.Target); size <= NamesLimit {
			f(info)
		}
	}, nothing)
	if err == nil {
		err = checkNames(size)
	}
	return err
}

// checkNames refuses names of so many bytes, if those are too many.
func checkNames(size int) error {
	if size <= NamesLimit {
		return nil
	}
	return &Error{Kind: TooLarge, Message: fmt.Sprintf("the names take %d bytes, at most %d are told", size, NamesLimit)}
}

// list makes a call that is answered with entries and a result.
func (c *Client) list(ctx context.Context, req *encoder, limit int, add, result func(*decoder)) error {
	k, err := c.begin(ctx, req, true)
	if err != nil {
		return err
	}
	defer k.end()
	kind, d, err := k.entries(limit, add)
	if err != nil {
		return err
	}
	return k.last(kind, d, result)
}

// Read writes length bytes of a regular file from offset on to w, fewer at its
// end; a length of 0 means all that is left. It returns how many. What w
// returned is an error of Read.
func (c *Client) Read(ctx context.Context, path string, offset, length int64, w io.Writer) (int64, error) {
	if err := checkPath(path); err != nil {
		return 0, err
	}
	if offset < 0 || length < 0 {
		return 0, &Error{Kind: Invalid, Errno: 22, Message: "negative offset or length"}
	}
	req := newRequest(opRead)
	req.text(path)
	req.int(offset)
	req.int(length)
	k, err := c.begin(ctx, req, true)
	if err != nil {
		return 0, err
	}
	defer k.end()
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

// Write writes all of r to a file and returns how many bytes that were. perm
// is for a new file. Parent directories are made. When it fails, part of the
// content may have been written. A Read of r that is under way when ctx ends
// is waited for.
func (c *Client) Write(ctx context.Context, path string, mode WriteMode, perm fs.FileMode, r io.Reader) (int64, error) {
	if err := checkPath(path); err != nil {
		return 0, err
	}
	if mode > CreateNew {
		return 0, &Error{Kind: Invalid, Errno: 22, Message: "unknown mode of writing"}
	}
	req := newRequest(opWrite)
	req.text(path)
	req.byte(byte(mode))
	req.uint(uint64(perm.Perm()))
	k, err := c.begin(ctx, req, false)
	if err != nil {
		return 0, err
	}
	defer k.end()
	sent, err := k.upload(r)
	if err != nil {
		return 0, err
	}
	var written int64
	err = k.result(func(d *decoder) {
		written = d.size()
		if sent >= 0 && written != sent {
			d.fail()
		}
	})
	return written, err
}

// upload sends all of r as content and returns how much, or -1 if the guest
// did not want all of it; the answer then tells why.
func (k *call) upload(r io.Reader) (int64, error) {
	buf := make([]byte, recordLimit)
	var total int64
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if e := k.stream.record(recordContent, buf[:n]); e != nil {
				return -1, k.refused(e)
			}
			total += int64(n)
		}
		switch {
		case isEOF(err):
			if e := k.stream.CloseWrite(); e != nil {
				return -1, k.refused(e)
			}
			return total, nil
		case err != nil:
			return total, err
		}
	}
}

// Mkdir makes a directory and its parents. One that exists is no error.
func (c *Client) Mkdir(ctx context.Context, path string, perm fs.FileMode) error {
	if err := checkPath(path); err != nil {
		return err
	}
	req := newRequest(opMkdir)
	req.text(path)
	req.uint(uint64(perm.Perm()))
	return c.ask(ctx, req, nothing)
}

// Move renames a file or directory, replacing a file at the destination.
func (c *Client) Move(ctx context.Context, from, to string) error {
	if err := checkPath(from, to); err != nil {
		return err
	}
	req := newRequest(opMove)
	req.text(from)
	req.text(to)
	return c.ask(ctx, req, nothing)
}

// Remove removes a file, or a directory with all in it. It follows no
// symbolic link.
func (c *Client) Remove(ctx context.Context, path string) error {
	if err := checkPath(path); err != nil {
		return err
	}
	req := newRequest(opRemove)
	req.text(path)
	return c.ask(ctx, req, nothing)
}
