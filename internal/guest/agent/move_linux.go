package agent

import (
	"context"
	"errors"
	"io"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// depthLimit is how deep directories are searched, watched and copied.
const depthLimit = 100

// Move implements guest.Handler. Between mounts, where nothing can be
// renamed, it copies and removes.
func (a *agent) Move(ctx context.Context, from, to string) error {
	source, err := a.absolute(from)
	if err != nil {
		return err
	}
	target, err := a.absolute(to)
	if err != nil {
		return err
	}
	fromDir, fromName, err := split(source)
	if err != nil {
		return failure(from, err)
	}
	defer closeFD(fromDir)
	toDir, toName, err := split(target)
	if err != nil {
		return failure(to, err)
	}
	defer closeFD(toDir)
	err = unix.Renameat(fromDir, fromName, toDir, toName)
	if !errors.Is(err, syscall.EXDEV) {
		return failure(from+" to "+to, err)
	}
	if err := a.walk(ctx); err != nil {
		return err
	}
	defer a.walked()
	return failure(from+" to "+to, moveAcross(ctx, fromDir, fromName, toDir, toName))
}

// moveAcross copies and then removes the source.
func moveAcross(ctx context.Context, fromDir int, from string, toDir int, to string) error {
	if err := copyAcross(ctx, fromDir, from, toDir, to); err != nil {
		return err
	}
	return removeAll(ctx, fromDir, from)
}

// copyAcross copies beside the destination and renames that: the destination is
// whole or as it was.
func copyAcross(ctx context.Context, fromDir int, from string, toDir int, to string) error {
	part := partName(to)
	err := copyAll(ctx, fromDir, from, toDir, part, depthLimit)
	if err == nil {
		err = unix.Renameat(toDir, part, toDir, to)
	}
	if err != nil {
		_ = removeAll(context.WithoutCancel(ctx), toDir, part) // the first error tells more
	}
	return err
}

// partName is the name of a file that is to become name once it is whole.
func partName(name string) string {
	const most = 200
	return "." + name[:min(len(name), most)] + ".part-" + random()
}

// copyAll copies a file, a symbolic link, or a directory with all in it.
func copyAll(ctx context.Context, fromDir int, from string, toDir int, to string, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(fromDir, from, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return copyFile(ctx, fromDir, from, toDir, to)
	case unix.S_IFLNK:
		var buf [guest.PathLimit]byte
		n, err := unix.Readlinkat(fromDir, from, buf[:])
		if err != nil {
			return err
		}
		return unix.Symlinkat(string(buf[:n]), toDir, to)
	case unix.S_IFDIR:
		return copyDir(ctx, fromDir, from, toDir, to, st.Mode&0o7777, depth)
	}
	return fail(guest.NotRegular, unix.EINVAL, from+": cannot be copied")
}

func copyDir(ctx context.Context, fromDir int, from string, toDir int, to string, mode uint32, depth int) error {
	if depth == 0 {
		return fail(guest.TooLarge, unix.ENAMETOOLONG, from+": too deep to be copied")
	}
	source, err := open(fromDir, from, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer closeFD(source)
	if err := unix.Mkdirat(toDir, to, 0o700); err != nil {
		return err
	}
	target, err := open(toDir, to, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer closeFD(target)
	err = eachName(source, func(name string) error {
		return copyAll(ctx, source, name, target, name, depth-1)
	})
	if err != nil {
		return err
	}
	return unix.Fchmod(target, mode)
}

func copyFile(ctx context.Context, fromDir int, from string, toDir int, to string) error {
	source, err := open(fromDir, from, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer closeFD(source)
	st, err := regular(source, from)
	if err != nil {
		return err
	}
	target, err := open(toDir, to, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer closeFD(target)
	if _, err := io.Copy(fdWriter(target), &fdReader{ctx: ctx, fd: source}); err != nil {
		return err
	}
	times := []unix.Timespec{st.Atim, st.Mtim}
	if err := unix.UtimesNanoAt(toDir, to, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	return unix.Fchmod(target, st.Mode&0o7777)
}

// fdReader reads from a descriptor until its end, or ctx's.
type fdReader struct {
	ctx context.Context
	fd  int
}

func (r *fdReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := retry(func() (int, error) { return unix.Read(r.fd, p) })
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return max(n, 0), err
}
