package agent

import (
	"archive/tar"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// Extract implements guest.Handler.
func (a *agent) Extract(ctx context.Context, dir string, r io.Reader) (guest.Tally, error) {
	p, err := a.absolute(dir)
	if err != nil {
		return guest.Tally{}, err
	}
	if err := a.lift(ctx); err != nil {
		return guest.Tally{}, err
	}
	defer a.lifted()
	if err := makeAll(p, dirPerm); err != nil {
		return guest.Tally{}, failure(dir, err)
	}
	root, err := open(unix.AT_FDCWD, p, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return guest.Tally{}, failure(dir, err)
	}
	defer closeFD(root)
	if err := notOwn(root, dir); err != nil {
		return guest.Tally{}, err
	}
	x := &extractor{ctx: ctx, root: root, parent: -1, seen: map[uint64]struct{}{}, seed: maphash.MakeSeed(), buf: make([]byte, readBuffer)}
	defer x.close()
	if err := x.all(tar.NewReader(r)); err != nil {
		return x.tally, failure(dir, err)
	}
	// What is behind the end of an archive is padding.
	if _, err := io.CopyBuffer(io.Discard, onlyReader{r}, x.buf); err != nil {
		return x.tally, failure(dir, err)
	}
	return x.tally, failure(dir, x.finish())
}

// extractor takes an archive apart below root.
type extractor struct {
	ctx    context.Context
	root   int
	parent int    // directory of the entry before, or -1
	at     string // its path
	seen   map[uint64]struct{}
	seed   maphash.Seed
	dirs   []dirLeft
	buf    []byte
	tally  guest.Tally
}

// dirLeft is a directory whose mode is set when all is in it.
type dirLeft struct {
	name string
	mode uint32
}

func (x *extractor) close() {
	if x.parent >= 0 {
		closeFD(x.parent)
	}
}

func (x *extractor) all(t *tar.Reader) error {
	for {
		if err := x.ctx.Err(); err != nil {
			return err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return malformed(err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if x.tally.Entries == guest.ArchiveLimit {
			return fail(guest.TooLarge, unix.EOVERFLOW, "archive has too many entries")
		}
		x.tally.Entries++
		if err := x.entry(h, t); err != nil {
			return failure("entry "+quoted(h.Name), err)
		}
	}
}

// quoted is a name as a message has it.
func quoted(name string) string { return strings.ToValidUTF8(name[:min(len(name), 200)], "\uFFFD") }

// malformed tells an archive that is none from a stream that broke.
func malformed(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrInsecurePath) {
		return fail(guest.Invalid, unix.EINVAL, "malformed archive: "+err.Error())
	}
	return err
}

// cleaned returns the name of an entry as a path below the root; "." is that.
func cleaned(name string) (string, error) {
	rel := strings.TrimRight(name, "/")
	for strings.HasPrefix(rel, "./") {
		rel = strings.TrimLeft(rel[2:], "/")
	}
	if rel == "" && name != "" && name[0] != '/' {
		rel = "."
	}
	if len(rel) > guest.PathLimit || strings.IndexByte(rel, 0) >= 0 || !fs.ValidPath(strings.ToValidUTF8(rel, "?")) {
		return "", fail(guest.Invalid, unix.EINVAL, "name leads out of the directory, or is none")
	}
	return rel, nil
}

func (x *extractor) entry(h *tar.Header, content io.Reader) error {
	rel, err := cleaned(h.Name)
	if err != nil {
		return err
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return fail(guest.Invalid, unix.EINVAL, "sparse files are not taken")
		}
	}
	mode := uint32(h.Mode) & 0o777
	if h.Typeflag == tar.TypeDir {
		return x.makeDir(rel, mode)
	}
	if rel == "." {
		return fail(guest.Invalid, unix.EINVAL, "the directory itself is no file")
	}
	key := maphash.String(x.seed, rel)
	if _, twice := x.seen[key]; twice {
		return fail(guest.Exist, unix.EEXIST, "name is in the archive twice")
	}
	x.seen[key] = struct{}{}
	dir, err := x.enter(path.Dir(rel))
	if err != nil {
		return err
	}
	name := path.Base(rel)
	switch h.Typeflag {
	case tar.TypeReg:
		return x.file(dir, name, mode, h, content)
	case tar.TypeSymlink:
		if h.Linkname == "" || len(h.Linkname) > guest.PathLimit || strings.IndexByte(h.Linkname, 0) >= 0 {
			return fail(guest.Invalid, unix.EINVAL, "link that leads nowhere")
		}
		return replacing(dir, name, func() error { return unix.Symlinkat(h.Linkname, dir, name) })
	case tar.TypeLink:
		return x.hardLink(dir, name, h.Linkname)
	}
	return fail(guest.Invalid, unix.EINVAL, "neither a file nor a directory nor a link")
}

// replacing does create again, once, after removing the file that is in its way.
func replacing(dir int, name string, create func() error) error {
	err := create()
	if errors.Is(err, syscall.EEXIST) {
		if err := unix.Unlinkat(dir, name, 0); err != nil && !errors.Is(err, syscall.ENOENT) {
			return err
		}
		err = create()
	}
	return err
}

func (x *extractor) file(dir int, name string, mode uint32, h *tar.Header, content io.Reader) error {
	fd := -1
	err := replacing(dir, name, func() (err error) {
		fd, err = open(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
		return err
	})
	if err != nil {
		return err
	}
	defer closeFD(fd)
	n, err := io.CopyBuffer(onlyWriter{fdWriter(fd)}, onlyReader{content}, x.buf)
	x.tally.Bytes += n
	if err != nil {
		return malformed(err)
	}
	const umask = 0o022 // see prepare
	if mode&umask != 0 {
		if err := unix.Fchmod(fd, mode); err != nil {
			return err
		}
	}
	if h.ModTime.Unix() <= 0 {
		return nil
	}
	at := unix.NsecToTimeval(h.ModTime.UnixNano())
	return unix.Futimes(fd, []unix.Timeval{at, at})
}

// hardLink links to a file of the archive's own.
func (x *extractor) hardLink(dir int, name, to string) error {
	rel, err := cleaned(to)
	if err != nil {
		return err
	}
	if _, own := x.seen[maphash.String(x.seed, rel)]; !own {
		return fail(guest.Invalid, unix.EINVAL, "hard link to what is not in the archive before it")
	}
	from, err := x.beneath(path.Dir(rel))
	if err != nil {
		return err
	}
	defer closeFD(from)
	return replacing(dir, name, func() error { return unix.Linkat(from, path.Base(rel), dir, name, 0) })
}

// makeDir makes a directory, which has to be accessible until all is in it.
func (x *extractor) makeDir(rel string, mode uint32) error {
	if rel == "." {
		return nil
	}
	if _, err := x.enter(rel); err != nil {
		return err
	}
	if mode != dirPerm {
		x.dirs = append(x.dirs, dirLeft{rel, mode})
	}
	return nil
}

// finish gives directories their modes, the deepest first.
func (x *extractor) finish() error {
	for i := len(x.dirs) - 1; i >= 0; i-- {
		fd, err := x.beneath(x.dirs[i].name)
		if err != nil {
			return err
		}
		err = unix.Chmod(ownPath(fd), x.dirs[i].mode)
		closeFD(fd)
		if err != nil {
			return err
		}
	}
	return nil
}

// beneath opens a directory below the root. Nothing on the way is a link.
func (x *extractor) beneath(rel string) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	return retry(func() (int, error) { return unix.Openat2(x.root, rel, &how) })
}

// enter returns the directory rel, which is made if need be.
func (x *extractor) enter(rel string) (int, error) {
	if x.parent >= 0 && x.at == rel {
		return x.parent, nil
	}
	fd, err := x.beneath(rel)
	if errors.Is(err, syscall.ENOENT) && rel != "." {
		var above int
		if above, err = x.enter(path.Dir(rel)); err != nil {
			return -1, err
		}
		if err := unix.Mkdirat(above, path.Base(rel), dirPerm); err != nil && !errors.Is(err, syscall.EEXIST) {
			return -1, err
		}
		fd, err = x.beneath(rel)
	}
	if err != nil {
		return -1, err
	}
	x.close()
	x.parent, x.at = fd, rel
	return fd, nil
}

// onlyReader keeps io.Copy from looking for more.
type onlyReader struct{ io.Reader }
