package filesystem

import (
	"context"
	"io"
	"io/fs"
	"slices"
	"syscall"
)

// An FS is the tree below a directory of a session as package io/fs wants it.
// Its errors are an [*fs.PathError] around those of this package. It is safe
// for concurrent use.
//
// It is a view, not a wall: symbolic links lead wherever they lead in the
// sandbox. Trees with files that never end, such as /proc, are not for walking.
type FS struct {
	ctx context.Context
	c   *Client
	dir string
}

var (
	_ fs.ReadDirFS  = (*FS)(nil)
	_ fs.ReadFileFS = (*FS)(nil)
	_ fs.StatFS     = (*FS)(nil)
	_ fs.SubFS      = (*FS)(nil)
)

// FS returns the tree below dir. ctx bounds every call that is made through
// it. FS itself makes none: that dir is wrong shows later.
func (c *Client) FS(ctx context.Context, dir string) *FS {
	return &FS{ctx, c, dir}
}

// subject returns what name stands for.
func (f *FS) subject(op, name string) (subject, error) {
	if !fs.ValidPath(name) {
		return subject{}, fs.ErrInvalid
	}
	s, err := f.c.subject("FS."+op, f.dir)
	if err != nil || name == "." {
		return s, err
	}
	return f.c.subject(s.op, join(f.dir, name))
}

// Open opens a file or directory for reading. A file is a [*File], a directory
// an [fs.ReadDirFile].
func (f *FS) Open(name string) (fs.File, error) {
	file, err := f.open(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return file, nil
}

func (f *FS) open(name string) (fs.File, error) {
	s, err := f.subject("Open", name)
	if err != nil {
		return nil, err
	}
	info, id, err := s.stat(f.ctx)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &openDir{f: f, name: name, info: named(info, name)}, nil
	}
	return newFile(f.ctx, s, info, id), nil
}

// Stat describes a file, following symbolic links.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	s, err := f.subject("Stat", name)
	if err == nil {
		var info FileInfo
		if info, _, err = s.stat(f.ctx); err == nil {
			return named(info, name), nil
		}
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
}

// ReadFile reads a file into memory, as [Client.ReadFile] does.
func (f *FS) ReadFile(name string) ([]byte, error) {
	s, err := f.subject("ReadFile", name)
	if err == nil {
		var res *ReadResult
		if res, err = s.readFile(f.ctx, ReadOptions{}); err == nil {
			return res.Content, nil
		}
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: err}
}

// ReadDir lists a directory, sorted by name. What a server does not tell in a
// listing the entries ask for when they are asked.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	s, err := f.subject("ReadDir", name)
	if err == nil {
		var entries []FileInfo
		var bare bool
		if entries, bare, _, err = s.list(f.ctx); err == nil {
			return f.entries(entries, bare), nil
		}
	}
	return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
}

// Sub returns the tree below the directory name.
func (f *FS) Sub(name string) (fs.FS, error) {
	s, err := f.subject("Sub", name)
	if err != nil {
		return nil, &fs.PathError{Op: "sub", Path: name, Err: err}
	}
	return f.c.FS(f.ctx, s.path), nil
}

func (f *FS) entries(infos []FileInfo, bare bool) []fs.DirEntry {
	entries := make([]fs.DirEntry, len(infos))
	for i, info := range infos {
		entries[i] = fs.FileInfoToDirEntry(standardInfo{info})
		if bare {
			entries[i] = bareEntry{entries[i], f.c.FS(f.ctx, info.Path)}
		}
	}
	return entries
}

// bareEntry is an entry of which only name and kind are known.
type bareEntry struct {
	fs.DirEntry
	file *FS // the file is its root
}

func (e bareEntry) Info() (fs.FileInfo, error) {
	s, err := e.file.subject("Info", ".")
	if err != nil {
		return nil, err
	}
	info, _, err := s.stat(e.file.ctx)
	if err != nil {
		return nil, err
	}
	return standardInfo{info}, nil
}

// rootInfo describes the root, which package io/fs calls ".".
type rootInfo struct{ standardInfo }

func (rootInfo) Name() string { return "." }

func named(info FileInfo, name string) fs.FileInfo {
	if name == "." {
		return rootInfo{standardInfo{info}}
	}
	return standardInfo{info}
}

// openDir is a directory that is open. It is for one goroutine.
type openDir struct {
	f      *FS
	name   string
	info   fs.FileInfo
	read   bool
	left   []fs.DirEntry
	closed bool
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, d.check("stat") }

func (d *openDir) Read([]byte) (int, error) {
	if err := d.check("read"); err != nil {
		return 0, err
	}
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: syscall.EISDIR}
}

func (d *openDir) Close() error {
	err := d.check("close")
	d.closed = true
	return err
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if err := d.check("readdir"); err != nil {
		return nil, err
	}
	if !d.read {
		entries, err := d.f.ReadDir(d.name)
		if err != nil {
			return nil, err
		}
		d.left, d.read = entries, true
	}
	if n > 0 && len(d.left) == 0 {
		return nil, io.EOF
	}
	if n <= 0 {
		n = len(d.left)
	}
	n = min(n, len(d.left))
	entries := slices.Clone(d.left[:n])
	d.left = d.left[n:]
	return entries, nil
}

func (d *openDir) check(op string) error {
	if d.closed {
		return &fs.PathError{Op: op, Path: d.name, Err: fs.ErrClosed}
	}
	return nil
}
