package agent

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// dirPerm is what parents are made with, before the umask.
const dirPerm = 0o755

// Mkdir implements guest.Handler.
func (a *agent) Mkdir(_ context.Context, path string, perm fs.FileMode) error {
	p, err := a.absolute(path)
	if err != nil {
		return err
	}
	return failure(path, makeAll(p, uint32(perm.Perm())))
}

// parentOf returns the path of the directory that path is in.
func parentOf(path string) (string, bool) {
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	return path[:i+1], i > 0
}

// makeAll makes the directory path, and those it is in. It goes down one name
// at a time, so that links and dots mean what they mean to the kernel.
func makeAll(path string, perm uint32) error {
	dir, err := openDir("/")
	if err != nil {
		return err
	}
	defer func() { closeFD(dir) }()
	names := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, name := range names {
		mode := uint32(dirPerm)
		if i == len(names)-1 {
			mode = perm
		}
		next, err := open(dir, name, unix.O_PATH|unix.O_DIRECTORY, 0)
		if errors.Is(err, syscall.ENOENT) {
			if err := unix.Mkdirat(dir, name, mode); err != nil && !errors.Is(err, syscall.EEXIST) {
				return err
			}
			next, err = open(dir, name, unix.O_PATH|unix.O_DIRECTORY, 0)
		}
		if err != nil {
			return err
		}
		closeFD(dir)
		dir = next
	}
	return nil
}

// walkLimit is how many calls at once go through directories; the others wait.
const walkLimit = 4

// walk waits for a turn to go through directories.
func (a *agent) walk(ctx context.Context) error {
	select {
	case a.walks <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *agent) walked() { <-a.walks }

// Remove implements guest.Handler.
func (a *agent) Remove(ctx context.Context, path string) error {
	p, err := a.absolute(path)
	if err != nil {
		return err
	}
	if err := a.walk(ctx); err != nil {
		return err
	}
	defer a.walked()
	dir, name, err := split(p)
	if err != nil {
		return failure(path, err)
	}
	defer closeFD(dir)
	return failure(path, removeAll(ctx, dir, name))
}

// removeAll removes name from dir, with all that is in it. It holds few
// descriptors however deep the tree is: it goes up again by "..", and makes
// sure that this is where it came from.
func removeAll(ctx context.Context, dir int, name string) error {
	isDir, err := unlink(dir, name)
	if err != nil || !isDir {
		return err
	}
	r := remover{}
	defer r.close()
	if err := r.down(dir, name); err != nil {
		return err
	}
	for len(r.path) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		sub, err := r.sweep(ctx)
		if err != nil {
			return err
		}
		if sub != "" {
			err = r.down(r.dir, sub)
		} else {
			err = r.up(dir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// unlink removes what is no directory, and tells if it is one. What does not
// exist is an error.
func unlink(dir int, name string) (isDir bool, err error) {
	err = unix.Unlinkat(dir, name, 0)
	if errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.EPERM) {
		var st unix.Stat_t
		if e := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); e != nil {
			return false, e
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return true, nil
		}
	}
	return false, err
}

// remover is where a removal has got to.
type remover struct {
	dir  int    // the directory it is in
	path []step // how it got there
}

// step is a directory on the way.
type step struct {
	name     string
	dev, ino uint64 // of the directory it is in
}

func (r *remover) close() {
	if len(r.path) > 0 {
		closeFD(r.dir)
	}
}

// down goes into the directory called name in dir, made accessible if it is
// the user's own.
func (r *remover) down(dir int, name string) error {
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return err
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW
	next, err := open(dir, name, flags, 0)
	if errors.Is(err, syscall.EACCES) && unix.Fchmodat(dir, name, 0o700, 0) == nil {
		next, err = open(dir, name, flags, 0)
	}
	if err != nil {
		return err
	}
	r.close()
	r.dir = next
	r.path = append(r.path, step{name, st.Dev, st.Ino})
	return nil
}

// up goes to the directory above, for the first one top, and removes the one
// it leaves, which is empty unless somebody fills it.
func (r *remover) up(top int) error {
	last := r.path[len(r.path)-1]
	above := top
	if len(r.path) > 1 {
		next, err := open(r.dir, "..", unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		above = next
	}
	r.close()
	r.dir, r.path = above, r.path[:len(r.path)-1]
	var st unix.Stat_t
	if err := unix.Fstat(above, &st); err != nil {
		return err
	}
	if st.Dev != last.dev || st.Ino != last.ino {
		return fail(guest.Busy, unix.EBUSY, "directory was moved while it was removed")
	}
	return unix.Unlinkat(above, last.name, unix.AT_REMOVEDIR)
}

// sweep removes the files here and returns a directory that is left, or "".
// It looks again while it finds something, because reading a directory that
// changes may miss names.
func (r *remover) sweep(ctx context.Context) (string, error) {
	fixed := false
	for {
		sub, removed, err := r.sweepOnce(ctx)
		switch {
		case errors.Is(err, syscall.EACCES) && !fixed && unix.Fchmod(r.dir, 0o700) == nil:
			fixed = true
		case err != nil || sub != "" || removed == 0:
			return sub, err
		}
	}
}

func (r *remover) sweepOnce(ctx context.Context) (sub string, removed int, err error) {
	if _, err := unix.Seek(r.dir, 0, unix.SEEK_SET); err != nil {
		return "", 0, err
	}
	err = eachName(r.dir, func(name string) error {
		isDir, err := unlink(r.dir, name)
		switch {
		case errors.Is(err, syscall.ENOENT):
			return ctx.Err() // somebody else removed it
		case err != nil:
			return err
		case isDir:
			sub = name
			return errEnough
		}
		removed++
		return ctx.Err()
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return sub, removed, err
}
