package filesystem

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// MaxTreeEntries is how many files, directories and links one upload or download
// may have.
const MaxTreeEntries = 200_000

// Progress is how far a transfer is.
type Progress struct {
	Path    string // of the file that is done, below the directory
	Entries int64  // done so far
	Bytes   int64  // of contents, so far
}

// UploadOptions are for [Client.Upload] and [Client.UploadDir].
type UploadOptions struct {
	// Exclude are patterns as of [path.Match]: on the name, or on the path below
	// the directory when they have a slash. What matches is left out with all
	// below it.
	Exclude []string
	// Progress, when not nil, is called after each entry, by the caller's
	// goroutine.
	Progress func(Progress)
}

// TransferResult is the outcome of an upload or a download.
type TransferResult struct {
	Entries   int64
	Bytes     int64 // of contents
	Skipped   int64 // entries that are neither files, directories nor links, or are links that lead out
	RequestID string
}

// Upload writes all that is in fsys below a directory of the session, which is
// made if it is missing: an [embed.FS], a [testing/fstest.MapFS], a zip, a txtar
// archive by txtar.FS of golang.org/x/tools. It goes as one tar stream. Files
// that are there are replaced, others stay. Of modes the permissions count; the
// owner can always read and write. Symbolic links are links again if fsys is an
// [fs.ReadLinkFS], and skipped if not. When it fails half-way what has arrived is
// there. AGB's hosted service does not have it: the error has code
// [apierr.Unsupported]. The options may be nil.
func (c *Client) Upload(ctx context.Context, dir string, fsys fs.FS, opts *UploadOptions) (*TransferResult, error) {
	s, err := c.subject("Upload", dir)
	if err != nil {
		return nil, err
	}
	return s.upload(ctx, fsys, opts)
}

// UploadDir is [Client.Upload] of a local directory. It does not leave it by
// symbolic links.
func (c *Client) UploadDir(ctx context.Context, dir, local string, opts *UploadOptions) (*TransferResult, error) {
	s, err := c.subject("UploadDir", dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(local)
	if err != nil {
		return nil, s.fail(localError(err), "")
	}
	defer func() { _ = root.Close() }() // it was read
	return s.upload(ctx, root.FS(), opts)
}

// localError is a failure of this machine's.
func localError(err error) error {
	return apierr.Errorf(apierr.InvalidArgument, "%w", err)
}

func (s subject) upload(ctx context.Context, fsys fs.FS, opts *UploadOptions) (*TransferResult, error) {
	var o UploadOptions
	if opts != nil {
		o = *opts
	}
	for _, pattern := range o.Exclude {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, s.failf(apierr.InvalidArgument, "pattern %q: %w", pattern, err)
		}
	}
	f, err := openFlow(ctx, s, wire.UnpackTree, s.file())
	if err != nil {
		return nil, err
	}
	out := newOutflow(f)
	defer out.abandon()
	buffered := bufio.NewWriterSize(out, sendSize)
	p := &packer{
		s: s, fsys: fsys, opts: o, tar: tar.NewWriter(buffered), buf: make([]byte, sendSize),
		res: TransferResult{RequestID: f.st.Meta.RequestID},
	}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if own := ctx.Err(); own != nil {
			return f.fail(own)
		}
		if err != nil {
			return s.fail(localError(err), "")
		}
		return p.add(name, d)
	})
	if err == nil {
		err = errors.Join(p.tar.Close(), buffered.Flush())
	}
	if err == nil {
		err = out.finish()
	}
	if err != nil {
		return nil, s.fail(err, f.st.Meta.RequestID)
	}
	if out.end.Entries != p.res.Entries || out.end.Bytes != p.res.Bytes {
		return nil, out.fail(out.st.Malformed("the server has taken another number of files or bytes than were sent"))
	}
	return &p.res, nil
}

// packer makes an archive of files.
type packer struct {
	s    subject
	fsys fs.FS
	opts UploadOptions
	tar  *tar.Writer
	buf  []byte
	res  TransferResult
}

func (p *packer) add(name string, d fs.DirEntry) error {
	if name == "." {
		return nil
	}
	if excluded(p.opts.Exclude, name) {
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	info, err := d.Info()
	if err != nil {
		return p.s.fail(localError(err), "")
	}
	const file, dir = 0o600, 0o700 // what the owner needs
	h := &tar.Header{Name: name, ModTime: info.ModTime()}
	switch info.Mode().Type() {
	case 0:
		h.Typeflag, h.Mode = tar.TypeReg, int64(info.Mode().Perm()|file)
	case fs.ModeDir:
		h.Typeflag, h.Name, h.Mode = tar.TypeDir, name+"/", int64(info.Mode().Perm()|dir)
	case fs.ModeSymlink:
		h.Typeflag, h.Mode = tar.TypeSymlink, int64(fs.ModePerm)
		if h.Linkname, err = fs.ReadLink(p.fsys, name); err != nil {
			p.res.Skipped++
			return nil //nolint:nilerr // fsys has no links to read
		}
	default:
		p.res.Skipped++
		return nil
	}
	if p.res.Entries == MaxTreeEntries {
		return p.s.failf(apierr.InvalidArgument, "more than %d files", MaxTreeEntries)
	}
	p.res.Entries++
	if h.Typeflag == tar.TypeReg {
		err = p.content(h, name)
	} else {
		err = p.tar.WriteHeader(h)
	}
	if err == nil && p.opts.Progress != nil {
		p.opts.Progress(Progress{name, p.res.Entries, p.res.Bytes})
	}
	return err
}

// content adds a file, which must be as long as it is when it is opened.
func (p *packer) content(h *tar.Header, name string) error {
	f, err := p.fsys.Open(name)
	if err != nil {
		return p.s.fail(localError(err), "")
	}
	defer func() { _ = f.Close() }() // it was read
	info, err := f.Stat()
	if err != nil {
		return p.s.fail(localError(err), "")
	}
	if !info.Mode().IsRegular() {
		return p.s.failf(apierr.InvalidArgument, "%s: is no file any more", name)
	}
	h.Size = info.Size()
	if err := p.tar.WriteHeader(h); err != nil {
		return err
	}
	n, err := io.CopyBuffer(writerFunc(p.tar.Write), io.LimitReader(onlyReader{f}, h.Size), p.buf)
	p.res.Bytes += n
	if err == nil && n < h.Size {
		err = p.s.failf(apierr.InvalidArgument, "%s: became shorter while it was read", name)
	}
	return err
}

// excluded reports whether a path matches a pattern.
func excluded(patterns []string, name string) bool {
	for _, pattern := range patterns {
		subject := path.Base(name)
		if strings.Contains(pattern, "/") {
			subject = name
		}
		if ok, _ := path.Match(pattern, subject); ok { // the pattern was checked
			return true
		}
	}
	return false
}
