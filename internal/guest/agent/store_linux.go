package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// Store implements guest.Handler.
func (a *agent) Store(ctx context.Context, name string, s guest.Store, r io.Reader) (int64, guest.State, error) {
	if s.Mode == guest.Replace || s.Mode == guest.PlaceNew {
		return a.replaceWhole(ctx, name, s, r)
	}
	p, err := a.absolute(name)
	if err != nil {
		return 0, guest.State{}, err
	}
	fd, err := a.openToStore(p, s)
	if err != nil {
		return 0, guest.State{}, failure(name, err)
	}
	defer closeFD(fd)
	st, err := regular(fd, name)
	if err != nil {
		return 0, guest.State{}, err
	}
	if err := notOwn(fd, name); err != nil {
		return 0, guest.State{}, err
	}
	if err := match(ctx, fd, st, name, s.IfMatch); err != nil {
		return 0, guest.State{}, err
	}
	if s.SetPerm {
		err = unix.Fchmod(fd, uint32(s.Perm.Perm()))
	}
	switch {
	case err != nil:
	case s.Mode == guest.Overwrite:
		err = unix.Ftruncate(fd, 0)
	case s.Mode == guest.Update:
		_, err = unix.Seek(fd, s.Offset, unix.SEEK_SET)
	}
	if err != nil {
		return 0, guest.State{}, failure(name, err)
	}
	n, err := io.Copy(fdWriter(fd), r)
	if err != nil {
		return n, guest.State{}, failure(name, err)
	}
	after, err := stateOf(fd, name)
	return n, after, err
}

// openToStore opens a file to be written. A condition needs one that is there,
// and is read.
func (a *agent) openToStore(p string, s guest.Store) (int, error) {
	flags := unix.O_WRONLY
	if strings.HasPrefix(s.IfMatch, guest.SumPrefix) {
		flags = unix.O_RDWR
	}
	if s.Mode == guest.Append {
		flags |= unix.O_APPEND
	}
	if s.Mode == guest.Update || s.IfMatch != "" {
		return open(unix.AT_FDCWD, p, flags, 0)
	}
	return a.create(p, s.Mode, uint32(s.Perm.Perm()))
}

func stateOf(fd int, name string) (guest.State, error) {
	st, err := regular(fd, name)
	if err != nil {
		return guest.State{}, err
	}
	return guest.State{FileInfo: infoOf(name, st), Tag: tagOf(st)}, nil
}

// replaceWhole writes a new file beside the one that it then replaces.
func (a *agent) replaceWhole(ctx context.Context, name string, s guest.Store, r io.Reader) (int64, guest.State, error) {
	none := guest.State{}
	t, err := a.findPlace(ctx, name, s.IfMatch)
	if err != nil {
		return 0, none, failure(name, err)
	}
	defer closeFD(t.dir)
	flags := uint(0)
	if s.Mode == guest.PlaceNew {
		if t.tag != "" {
			return 0, none, failure(name, unix.EEXIST)
		}
		flags = unix.RENAME_NOREPLACE
	}
	part := partName(t.name)
	fd, err := open(t.dir, part, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, uint32(s.Perm.Perm()))
	if err != nil {
		return 0, none, failure(name, err)
	}
	defer closeFD(fd)
	done := false
	defer func() {
		if !done {
			_ = unix.Unlinkat(t.dir, part, 0) // the first error tells more
		}
	}()
	n, err := io.Copy(fdWriter(fd), r)
	if err != nil {
		return n, none, failure(name, err)
	}
	switch {
	case s.SetPerm:
		err = unix.Fchmod(fd, uint32(s.Perm.Perm()))
	case t.tag != "":
		err = unix.Fchmod(fd, t.mode)
	}
	if err == nil {
		err = a.commit(ctx, t, part, name, s.IfMatch != "", flags)
	}
	if err != nil {
		return n, none, failure(name, err)
	}
	done = true
	after, err := stateOf(fd, name)
	return n, after, err
}

// place is where a file is put, and the file that is there.
type place struct {
	dir  int
	name string
	tag  string // empty when there is none
	mode uint32
}

// findPlace finds where to put a file, behind links, and looks at what is there.
func (a *agent) findPlace(ctx context.Context, name, condition string) (place, error) {
	p, err := a.absolute(name)
	if err != nil {
		return place{}, err
	}
	const tries = 100 // others may be replacing it all the time
	for range tries {
		t, err := a.placeOf(ctx, p, name, condition)
		if !errors.Is(err, errReplaced) {
			return t, err
		}
		if condition != "" {
			return place{}, mismatch(name)
		}
	}
	return place{}, fail(guest.Busy, unix.EBUSY, "file is replaced again and again")
}

// errReplaced means that a file had been replaced before it was looked at.
var errReplaced = errors.New("replaced")

func (a *agent) placeOf(ctx context.Context, p, name, condition string) (place, error) {
	flags := unix.O_PATH
	if condition != "" {
		flags = unix.O_RDONLY
	}
	fd, err := open(unix.AT_FDCWD, p, flags, 0)
	if errors.Is(err, syscall.ENOENT) && condition == "" {
		if parent, ok := parentOf(p); ok {
			if err := makeAll(parent, dirPerm); err != nil {
				return place{}, err
			}
		}
		dir, base, err := split(p)
		return place{dir: dir, name: base}, err
	}
	if err != nil {
		return place{}, err
	}
	defer closeFD(fd)
	st, err := regular(fd, name)
	if err != nil {
		return place{}, err
	}
	if err := match(ctx, fd, st, name, condition); err != nil {
		return place{}, err
	}
	whole, err := realPath(fd)
	if err != nil {
		return place{}, err
	}
	dir, err := openDir(path.Dir(whole))
	if err != nil {
		return place{}, err
	}
	t := place{dir: dir, name: path.Base(whole), tag: tagOf(st), mode: st.Mode & 0o7777}
	var now unix.Stat_t
	err = unix.Fstatat(dir, t.name, &now, unix.AT_SYMLINK_NOFOLLOW)
	if err == nil && now.Ino == st.Ino && now.Dev == st.Dev {
		return t, nil
	}
	closeFD(dir)
	if err == nil || errors.Is(err, syscall.ENOENT) {
		err = errReplaced
	}
	return place{}, err
}

// commit puts a part in its place. With exactly, what is there must be as it was,
// and no other commit comes between. flags are those of the renaming.
func (a *agent) commit(ctx context.Context, t place, part, name string, exactly bool, flags uint) error {
	a.commits.Lock()
	defer a.commits.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if exactly {
		var now unix.Stat_t
		err := unix.Fstatat(t.dir, t.name, &now, unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, syscall.ENOENT) || err == nil && tagOf(&now) != t.tag {
			return mismatch(name)
		}
		if err != nil {
			return err
		}
	}
	return unix.Renameat2(t.dir, part, t.dir, t.name, flags)
}

// Chmod implements guest.Handler.
func (a *agent) Chmod(_ context.Context, name string, perm fs.FileMode) error {
	p, err := a.absolute(name)
	if err != nil {
		return err
	}
	fd, err := open(unix.AT_FDCWD, p, unix.O_PATH, 0)
	if err != nil {
		return failure(name, err)
	}
	defer closeFD(fd)
	if err := notOwn(fd, name); err != nil {
		return err
	}
	return failure(name, unix.Chmod(ownPath(fd), uint32(perm.Perm())))
}

// Symlink implements guest.Handler.
func (a *agent) Symlink(_ context.Context, to, name string) error {
	p, err := a.absolute(name)
	if err != nil {
		return err
	}
	if _, err := a.absolute(to); err != nil {
		return err
	}
	if parent, ok := parentOf(p); ok {
		if err := makeAll(parent, dirPerm); err != nil {
			return failure(name, err)
		}
	}
	dir, base, err := split(p)
	if err != nil {
		return failure(name, err)
	}
	defer closeFD(dir)
	return failure(name, unix.Symlinkat(to, dir, base))
}

// Copy implements guest.Handler.
func (a *agent) Copy(ctx context.Context, from, to string) error {
	source, err := a.absolute(from)
	if err != nil {
		return err
	}
	dest, err := a.absolute(to)
	if err != nil {
		return err
	}
	if parent, ok := parentOf(dest); ok {
		if err := makeAll(parent, dirPerm); err != nil {
			return failure(to, err)
		}
	}
	fromDir, fromName, err := split(source)
	if err != nil {
		return failure(from, err)
	}
	defer closeFD(fromDir)
	toDir, toName, err := split(dest)
	if err != nil {
		return failure(to, err)
	}
	defer closeFD(toDir)
	below, err := realPath(toDir)
	if err != nil {
		return failure(to, err)
	}
	above, err := realPath(fromDir)
	if err != nil {
		return failure(from, err)
	}
	if strings.HasPrefix(below+"/", path.Join(above, fromName)+"/") {
		return fail(guest.Invalid, unix.EINVAL, from+": cannot be copied into itself")
	}
	var st unix.Stat_t // an empty directory would be replaced by another
	if unix.Fstatat(toDir, toName, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return failure(to, unix.EISDIR)
	}
	if err := a.walk(ctx); err != nil {
		return err
	}
	defer a.walked()
	return failure(from+" to "+to, copyAcross(ctx, fromDir, fromName, toDir, toName))
}
