package agent

import (
	"errors"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// opens are flags of every open: no descriptor is inherited, no pipe is
// waited for, no terminal is taken.
const opens = unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY

// absolute returns path, relative to the home directory, after refusing what
// is no path. It leaves links and dots to the kernel.
func (a *agent) absolute(path string) (string, error) {
	switch {
	case path == "":
		return "", fail(guest.Invalid, unix.EINVAL, "path is empty")
	case strings.IndexByte(path, 0) >= 0:
		return "", fail(guest.Invalid, unix.EINVAL, "path contains a zero byte")
	case len(path) > guest.PathLimit:
		return "", fail(guest.NameTooLong, unix.ENAMETOOLONG, "path is too long")
	case path[0] != '/':
		path = a.home + "/" + path
	}
	return path, nil
}

// open opens path, below directory dir if it is relative, without following
// the magic links of /proc.
func open(dir int, path string, flags int, perm uint32) (int, error) {
	how := unix.OpenHow{
		Flags:   uint64(flags | opens),
		Mode:    uint64(perm),
		Resolve: unix.RESOLVE_NO_MAGICLINKS,
	}
	if flags&unix.O_PATH != 0 {
		how.Flags = uint64(flags&(unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW) | unix.O_CLOEXEC)
	}
	return retry(func() (int, error) { return unix.Openat2(dir, path, &how) })
}

// openDir opens a directory for use in other calls.
func openDir(path string) (int, error) {
	return open(unix.AT_FDCWD, path, unix.O_PATH|unix.O_DIRECTORY, 0)
}

// retry repeats a system call that was interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, syscall.EINTR) {
			return n, err
		}
	}
}

// closeFD closes a descriptor of which nothing is to be known any more.
func closeFD(fd int) { _ = unix.Close(fd) }

// split opens the directory that path is in and returns it with the last name
// of path.
func split(path string) (dir int, name string, err error) {
	path = strings.TrimRight(path, "/")
	if path == "" {
		return -1, "", fail(guest.Invalid, unix.EINVAL, "path is the root directory")
	}
	i := strings.LastIndexByte(path, '/')
	parent, name := path[:i+1], path[i+1:]
	if name == "." || name == ".." {
		return -1, "", fail(guest.Invalid, unix.EINVAL, "path ends with dots")
	}
	dir, err = openDir(parent)
	return dir, name, err
}

// realPath returns the path of an open file as it is now.
func realPath(fd int) (string, error) {
	var buf [guest.PathLimit + 64]byte
	n, err := unix.Readlink(ownPath(fd), buf[:])
	if err != nil {
		return "", err
	}
	p := string(buf[:n])
	if !strings.HasPrefix(p, "/") {
		return "", unix.ENOENT // it is outside of what can be seen
	}
	return p, nil
}

// ownPath is a path for calls that take no descriptor.
func ownPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// errEnough ends an eachName early.
var errEnough = errors.New("enough")

// eachName calls f with the names in the directory that fd has open, in no
// order, until f returns an error.
func eachName(fd int, f func(name string) error) error {
	buf := make([]byte, 32<<10)
	var names []string
	for {
		n, err := retry(func() (int, error) { return unix.ReadDirent(fd, buf) })
		if n <= 0 || err != nil {
			return err
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names[:0])
		for _, name := range names {
			if err := f(name); err != nil {
				return err
			}
		}
	}
}

// regular fails unless fd is a regular file.
func regular(fd int, path string) (*unix.Stat_t, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, failure(path, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return &st, nil
	case unix.S_IFDIR:
		return nil, failure(path, syscall.EISDIR)
	}
	return nil, fail(guest.NotRegular, unix.EINVAL, path+": not a regular file")
}

// notOwn fails if fd is one of the files in /proc that lead into the agent
// itself.
func notOwn(fd int, path string) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return failure(path, err)
	}
	if fs.Type != unix.PROC_SUPER_MAGIC {
		return nil
	}
	where, err := realPath(fd)
	own := "/proc/" + strconv.Itoa(unix.Getpid()) + "/"
	if err != nil || strings.HasPrefix(where, own) {
		return failure(path, syscall.EACCES)
	}
	return nil
}
