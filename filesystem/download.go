package filesystem

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// DefaultTreeBytes is how much [Client.Download] takes unless
// [DownloadOptions.MaxBytes] says otherwise.
const DefaultTreeBytes = 16 << 30

// DownloadOptions are for [Client.Download].
type DownloadOptions struct {
	// Exclude is as in [UploadOptions].
	Exclude []string
	// MaxBytes bounds the bytes of all contents; 0 means [DefaultTreeBytes]. More
	// is an error with code [apierr.ResponseTooLarge].
	MaxBytes int64
	// MaxEntries bounds files, directories and links; 0 means [MaxTreeEntries],
	// which is the most there can be.
	MaxEntries int64
	// Sync has each file on the disk before it gets its name. Without it a crash of
	// this machine may leave files without their content: most downloads can be
	// repeated, and each file would wait for the disk.
	Sync bool
	// Progress, when not nil, is called after each entry, by the caller's
	// goroutine.
	Progress func(Progress)
}

// Download writes all that is in a directory of the session below a local one,
// which is made if it is missing. It goes as one tar stream.
//
// What comes out of a session may be made to do harm: nothing is written outside
// of the local directory, whatever the names or links in it are, also those that
// were there before. A name that leads out or through a link, or is no file's
// name on this system, a device, a hard link, a sparse file and the same name
// twice are errors with code [apierr.MalformedResponse]. Symbolic links that
// lead out, or may by way of others, are skipped. Of modes only permissions
// count. Each file gets its name when it is whole, and replaces one that is
// there; when Download fails, what came before stays.
//
// AGB's hosted service does not have it: the error has code
// [apierr.Unsupported]. The options may be nil.
func (c *Client) Download(ctx context.Context, dir, local string, opts *DownloadOptions) (*TransferResult, error) {
	s, err := c.subject("Download", dir)
	if err != nil {
		return nil, err
	}
	var o DownloadOptions
	if opts != nil {
		o = *opts
	}
	if o.MaxBytes < 0 || o.MaxEntries < 0 || o.MaxEntries > MaxTreeEntries {
		return nil, s.failf(apierr.InvalidArgument, "limits of %d bytes or %d entries cannot be", o.MaxBytes, o.MaxEntries)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultTreeBytes
	}
	if o.MaxEntries == 0 {
		o.MaxEntries = MaxTreeEntries
	}
	f, err := openFlow(ctx, s, wire.PackTree, wire.PackTreeRequest{FileRequest: s.file(), Exclude: o.Exclude})
	if err != nil {
		return nil, err
	}
	defer f.close()
	if err := os.MkdirAll(local, 0o755); err != nil { //nolint:gosec // as for any directory
		return nil, s.fail(localError(err), "")
	}
	root, err := os.OpenRoot(local)
	if err != nil {
		return nil, s.fail(localError(err), "")
	}
	defer func() { _ = root.Close() }() // nothing is written by it
	u := &unpacker{in: &inflow{flow: f}, root: root, opts: o, seen: map[string]bool{}, dirs: map[string]bool{}, buf: make([]byte, sendSize)}
	u.res.RequestID = f.st.Meta.RequestID
	if err := u.all(); err != nil {
		return nil, s.fail(err, u.res.RequestID)
	}
	return &u.res, nil
}

// unpacker takes an archive apart in a local directory.
type unpacker struct {
	in    *inflow
	root  *os.Root
	opts  DownloadOptions
	seen  map[string]bool
	dirs  map[string]bool // that are none behind a link
	modes []func() error  // of directories, when all is in them
	buf   []byte
	res   TransferResult
}

func (u *unpacker) malformed(what string) error { return u.in.fail(u.in.st.Malformed(what)) }

// all takes in the archive, and makes sure that it was whole.
func (u *unpacker) all() error {
	t := tar.NewReader(onlyReader{u.in})
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return u.broken(err)
		}
		if err := u.entry(h, t); err != nil {
			return err
		}
		if u.opts.Progress != nil {
			u.opts.Progress(Progress{strings.TrimSuffix(h.Name, "/"), u.res.Entries, u.res.Bytes})
		}
	}
	const padding = 1 << 20
	n, err := io.Copy(io.Discard, io.LimitReader(onlyReader{u.in}, padding))
	switch {
	case err != nil:
		return u.broken(err)
	case n == padding:
		return u.malformed("the archive goes on behind its end")
	case u.in.end.Entries != u.res.Entries || u.in.end.Bytes != u.res.Bytes:
		return u.malformed("the archive has another number of files or bytes than the server says")
	}
	for i := len(u.modes) - 1; i >= 0; i-- {
		if err := u.modes[i](); err != nil {
			return localError(err)
		}
	}
	return nil
}

// broken is why the archive could not be read.
func (u *unpacker) broken(err error) error {
	if u.in.err != nil && !errors.Is(u.in.err, io.EOF) {
		return u.in.err // the stream's own
	}
	return u.malformed("the archive is malformed: " + err.Error())
}

func (u *unpacker) entry(h *tar.Header, content io.Reader) error {
	name := strings.TrimSuffix(h.Name, "/")
	local, err := filepath.Localize(name)
	if err != nil || len(name) > MaxPathBytes || name == "." {
		return u.malformed("the archive has a name that no file below a directory has here")
	}
	if u.res.Entries == u.opts.MaxEntries {
		return u.tooLarge("more than %d entries", u.opts.MaxEntries)
	}
	u.res.Entries++
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return u.malformed("the archive has a sparse file")
		}
	}
	if u.seen[name] {
		return u.malformed("the archive has a name twice")
	}
	u.seen[name] = true
	way := filepath.Dir(local)
	if h.Typeflag == tar.TypeDir {
		way = local
	}
	if err := u.enter(way); err != nil {
		return err
	}
	perm := fs.FileMode(h.Mode) & fs.ModePerm
	switch h.Typeflag {
	case tar.TypeDir:
		return u.dir(local, perm)
	case tar.TypeReg:
		return u.file(local, perm, h, content)
	case tar.TypeSymlink:
		return u.link(local, name, h.Linkname)
	}
	return u.malformed("the archive has what is neither a file nor a directory nor a symbolic link")
}

// enter refuses a directory that is, or lies behind, a symbolic link: where what
// is written there would be is not what its name says.
func (u *unpacker) enter(dir string) error {
	if dir == "." || u.dirs[dir] {
		return nil
	}
	if err := u.enter(filepath.Dir(dir)); err != nil {
		return err
	}
	switch info, err := u.root.Lstat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return localError(err)
	case info.Mode().Type() == fs.ModeSymlink:
		return u.malformed("the archive has a name that leads through a link")
	}
	u.dirs[dir] = true
	return nil
}

func (u *unpacker) tooLarge(format string, limit int64) error {
	e := apierr.Errorf(apierr.ResponseTooLarge, format, limit)
	return u.in.s.fail(e.WithHint("raise the limits in DownloadOptions, or exclude something"), u.res.RequestID)
}

func (u *unpacker) dir(local string, perm fs.FileMode) error {
	if err := u.root.MkdirAll(local, 0o755); err != nil {
		return localError(err)
	}
	u.modes = append(u.modes, func() error { return u.root.Chmod(local, perm) })
	return nil
}

// file writes a file under another name first.
func (u *unpacker) file(local string, perm fs.FileMode, h *tar.Header, content io.Reader) (err error) {
	if h.Size > u.opts.MaxBytes-u.res.Bytes {
		return u.tooLarge("more than %d bytes", u.opts.MaxBytes)
	}
	part := filepath.Join(filepath.Dir(local), ".agb-"+rand.Text())
	f, err := u.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return localError(err)
	}
	defer func() {
		if err != nil {
			_ = u.root.Remove(part) // the first error tells more
		}
	}()
	n, err := io.CopyBuffer(writerFunc(f.Write), onlyReader{content}, u.buf)
	u.res.Bytes += n
	if err != nil {
		_ = f.Close() // likewise
		var own *fs.PathError
		if errors.As(err, &own) && u.in.err == nil {
			return localError(err)
		}
		return u.broken(err)
	}
	err = f.Chmod(perm)
	if err == nil && u.opts.Sync {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && h.ModTime.Unix() > 0 {
		err = u.root.Chtimes(part, h.ModTime, h.ModTime)
	}
	if err == nil {
		err = u.root.Rename(part, local)
	}
	if err != nil {
		return localError(err)
	}
	return nil
}

// climbs reports whether a path goes up after it has gone down: where that leads
// depends on the links on its way.
func climbs(target string) bool {
	down := false
	for part := range strings.SplitSeq(target, "/") {
		if part == ".." && down {
			return true
		}
		down = down || part != ".." && part != "." && part != ""
	}
	return false
}

// link makes a symbolic link, unless it may lead out. It is in a directory that
// is where its name says, so that going up from there stays inside; all links
// that are followed further down do, too.
func (u *unpacker) link(local, name, target string) error {
	_, err := filepath.Localize(path.Join(path.Dir(name), target))
	if err != nil || path.IsAbs(target) || climbs(target) || len(target) > MaxPathBytes {
		u.res.Skipped++
		return nil //nolint:nilerr // it leads nowhere that may be known
	}
	if info, err := u.root.Lstat(local); err == nil && !info.IsDir() {
		if err := u.root.Remove(local); err != nil {
			return localError(err)
		}
	}
	if err := u.root.Symlink(filepath.FromSlash(target), local); err != nil {
		return localError(err)
	}
	return nil
}
