package agent

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sort"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// Stat implements guest.Handler.
func (a *agent) Stat(_ context.Context, path string, follow bool) (guest.FileInfo, error) {
	info, _, err := a.describe(path, follow)
	return info, err
}

// describe describes the file called name in dir, or dir itself.
func describe(dir int, name string, flags int) (guest.FileInfo, unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, flags|unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return guest.FileInfo{}, st, err
	}
	info := infoOf(name, &st)
	if st.Mode&unix.S_IFMT == unix.S_IFLNK {
		var buf [guest.PathLimit]byte
		if n, err := unix.Readlinkat(dir, name, buf[:]); err == nil {
			info.Target = string(buf[:n])
		}
	}
	return info, st, nil
}

// infoOf describes a file that is like st.
func infoOf(path string, st *unix.Stat_t) guest.FileInfo {
	return guest.FileInfo{Path: path, Size: st.Size, Mode: fileMode(st.Mode), ModTime: time.Unix(st.Mtim.Unix())}
}

// fileMode is a mode of the kernel as Go has it.
func fileMode(mode uint32) fs.FileMode {
	m := fs.FileMode(mode & 0o777)
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		m |= fs.ModeDir
	case unix.S_IFLNK:
		m |= fs.ModeSymlink
	case unix.S_IFIFO:
		m |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		m |= fs.ModeSocket
	case unix.S_IFCHR:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFBLK:
		m |= fs.ModeDevice
	}
	for bit, mode2 := range map[uint32]fs.FileMode{
		unix.S_ISUID: fs.ModeSetuid, unix.S_ISGID: fs.ModeSetgid, unix.S_ISVTX: fs.ModeSticky,
	} {
		if mode&bit != 0 {
			m |= mode2
		}
	}
	return m
}

// List implements guest.Handler.
func (a *agent) List(ctx context.Context, path string) ([]guest.FileInfo, error) {
	p, err := a.absolute(path)
	if err != nil {
		return nil, err
	}
	if err := a.walk(ctx); err != nil {
		return nil, err
	}
	defer a.walked()
	fd, err := open(unix.AT_FDCWD, p, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, failure(path, err)
	}
	defer closeFD(fd)
	var list []guest.FileInfo
	err = eachName(fd, func(name string) error {
		if len(list) == guest.ListLimit {
			return fail(guest.TooLarge, unix.EOVERFLOW, path+": too many entries")
		}
		list = append(list, guest.FileInfo{Path: name})
		return ctx.Err()
	})
	if err != nil {
		return nil, failure(path, err)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	kept := list[:0]
	for _, entry := range list {
		if info, _, err := describe(fd, entry.Path, 0); err == nil {
			kept = append(kept, info) // else it vanished meanwhile
		}
	}
	return kept, ctx.Err()
}

// readBuffer is how much of a file is read at once.
const readBuffer = 64<<10 - 64 // fits in a record

// Read implements guest.Handler.
func (a *agent) Read(ctx context.Context, path string, offset, length int64, w io.Writer) (int64, error) {
	p, err := a.absolute(path)
	if err != nil {
		return 0, err
	}
	fd, err := open(unix.AT_FDCWD, p, unix.O_RDONLY, 0)
	if err != nil {
		return 0, failure(path, err)
	}
	defer closeFD(fd)
	st, err := regular(fd, path)
	if err != nil {
		return 0, err
	}
	if err := notOwn(fd, path); err != nil {
		return 0, err
	}
	size := int64(readBuffer)
	if st.Size > 0 { // files of /proc have no size
		size = min(size, st.Size)
	}
	if length > 0 {
		size = min(size, length)
	}
	buf := make([]byte, size)
	var total int64
	for ctx.Err() == nil {
		if length > 0 {
			buf = buf[:min(int64(len(buf)), length-total)]
		}
		n, err := retry(func() (int, error) { return unix.Pread(fd, buf, offset+total) })
		if err != nil {
			return total, failure(path, err)
		}
		if n == 0 {
			return total, nil
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return total, err
		}
		if total += int64(n); length > 0 && total == length {
			return total, nil
		}
	}
	return total, ctx.Err()
}

// Write implements guest.Handler.
func (a *agent) Write(_ context.Context, path string, mode guest.WriteMode, perm fs.FileMode, r io.Reader) (int64, error) {
	p, err := a.absolute(path)
	if err != nil {
		return 0, err
	}
	fd, err := a.create(p, mode, uint32(perm.Perm()))
	if err != nil {
		return 0, failure(path, err)
	}
	defer closeFD(fd)
	if _, err := regular(fd, path); err != nil {
		return 0, err
	}
	if err := notOwn(fd, path); err != nil {
		return 0, err
	}
	if mode == guest.Overwrite {
		if err := unix.Ftruncate(fd, 0); err != nil {
			return 0, failure(path, err)
		}
	}
	n, err := io.Copy(fdWriter(fd), r)
	return n, failure(path, err)
}

// create opens a file to be written, with its parent directories made if they
// are missing. It is left as it is until it is known to be a regular one.
func (a *agent) create(path string, mode guest.WriteMode, perm uint32) (int, error) {
	flags := unix.O_WRONLY | unix.O_CREAT
	switch mode {
	case guest.Append:
		flags |= unix.O_APPEND
	case guest.CreateNew:
		flags |= unix.O_EXCL
	}
	fd, err := open(unix.AT_FDCWD, path, flags, perm)
	if !errors.Is(err, syscall.ENOENT) {
		return fd, err
	}
	if parent, ok := parentOf(path); ok {
		if err := makeAll(parent, dirPerm); err != nil {
			return -1, err
		}
	}
	return open(unix.AT_FDCWD, path, flags, perm)
}

// fdWriter writes to a descriptor.
type fdWriter int

func (w fdWriter) Write(p []byte) (int, error) {
	total := 0
	for total < len(p) {
		n, err := retry(func() (int, error) { return unix.Write(int(w), p[total:]) })
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}
