package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mounts changes what is mounted, with the rights it has and with those of a
// user namespace of its own. In a bare process, only with the latter.
func mounts(args []string) {
	if len(args) == 0 {
		fmt.Println("with a user namespace:", again(unix.CLONE_NEWUSER|unix.CLONE_NEWNS, "mounts", "inside"))
		if os.Getenv("BARE") != "" {
			return
		}
	}
	try := func(what string, err error) {
		if err == nil {
			won("mount: %s", what)
		} else {
			fmt.Println(what+":", err)
		}
	}
	home, _ := os.Getwd() // any directory will do
	try("tmpfs on the working directory", unix.Mount("tmpfs", home, "tmpfs", 0, ""))
	try("bind /", unix.Mount("/", home, "", unix.MS_BIND|unix.MS_REC, ""))
	for _, dir := range []string{"/", "/usr", "/etc", "/proc/sys", "/dev"} {
		try("remount "+dir, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND, ""))
	}
	try("move /usr", unix.Mount("/usr", home, "", unix.MS_MOVE, ""))
	for _, path := range []string{"/proc/sys", "/proc/kcore", "/proc/kallsyms", "/usr", home} {
		try("umount "+path, unix.Unmount(path, unix.MNT_DETACH))
	}
	try("chroot", unix.Chroot(home))
	fd, err := unix.Fsopen("tmpfs", 0)
	try("fsopen", err)
	_ = unix.Close(fd)
	_, err = unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE)
	try("open_tree", err)
	try("mount_setattr", unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY}))
}

// handles opens files by their handle, which leads out of any root.
func handles([]string) {
	for _, path := range []string{"/", "/usr", os.Getenv("H1")} {
		h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, path, 0)
		if err != nil {
			fmt.Println("name_to_handle_at:", err)
			continue
		}
		won("name_to_handle_at %s: %v", path, h.Bytes())
	}
	dir, err := unix.Open("/", unix.O_RDONLY, 0)
	if err != nil {
		return
	}
	for ino := byte(2); ino < 4; ino++ { // roots of ext4 and others
		fd, err := unix.OpenByHandleAt(dir, unix.NewFileHandle(1, []byte{ino, 0, 0, 0, 0, 0, 0, 0}), unix.O_RDONLY)
		if err == nil {
			won("open_by_handle_at: inode %d is %d", ino, fd)
		} else {
			fmt.Println("open_by_handle_at:", err)
		}
	}
}

// pages changes files that are only to be read, by way of their pages. In a bare
// process it has a file of its own that it may write.
func pages(paths []string) {
	if os.Getenv("BARE") != "" {
		own := "own-file"
		if err := os.WriteFile(own, []byte("text"), 0o600); err != nil {
			panic(err)
		}
		paths = []string{own}
	}
	for _, path := range paths {
		for _, flags := range []int{unix.O_RDWR, unix.O_WRONLY, unix.O_RDONLY | unix.O_TRUNC} {
			if fd, err := unix.Open(path, flags, 0); err == nil {
				won("opened %s with %#x", path, flags)
				_ = unix.Close(fd)
			}
		}
		if into(path) {
			won("wrote to %s through its pages", path)
		}
		for what, err := range map[string]error{
			"chmod": unix.Chmod(path, 0o777), "truncate": unix.Truncate(path, 0), "utimes": unix.Utimes(path, make([]unix.Timeval, 2)),
			"setxattr": unix.Setxattr(path, "user.x", []byte("x"), 0),
		} {
			if err == nil {
				won("%s %s", what, path)
			}
		}
	}
	var p [2]int
	if err := unix.Pipe(p[:]); err != nil {
		panic(err)
	}
	page := make([]byte, 4096)
	vec := []unix.Iovec{{Base: &page[0], Len: 4096}}
	if _, err := unix.Vmsplice(p[1], vec, unix.SPLICE_F_GIFT); err == nil {
		won("vmsplice")
	}
	if fd, err := unix.Socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0); err == nil {
		won("AF_ALG socket %d", fd)
	}
}

// into moves bytes to a file that is open for reading alone, which in a bare
// process may be written to.
func into(path string) bool {
	flags := unix.O_RDONLY
	if os.Getenv("BARE") != "" {
		flags = unix.O_RDWR
	}
	fd, err := unix.Open(path, flags, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(fd) }() // nothing is lost
	source, err := unix.MemfdCreate("source", 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(source) }() // nothing is lost
	var p [2]int
	if unix.Pipe(p[:]) != nil {
		return false
	}
	defer func() { _, _ = unix.Close(p[0]), unix.Close(p[1]) }() // nothing is lost
	_, _ = unix.Write(source, []byte("changed"))
	_, _ = unix.Write(p[1], []byte("changed"))
	var from, to, at int64
	spliced, _ := unix.Splice(p[0], nil, fd, &at, 7, 0)
	copied, _ := unix.CopyFileRange(source, &from, fd, &to, 7, 0)
	return spliced > 0 || copied > 0
}

// links makes hard links to files of others.
func links(paths []string) {
	for i, path := range paths {
		if err := os.Link(path, fmt.Sprint("link", i)); err != nil {
			fmt.Println(err)
			continue
		}
		won("link to %s", path)
	}
}

// descriptors lists what this process was started with.
func descriptors([]string) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		own := strings.HasPrefix(target, "anon_inode:[event") || strings.HasPrefix(target, "/proc/") // Go's, and the directory
		if err == nil && !own {
			won("descriptor %d is %s", fd, target)
		}
	}
}

// deep makes a chain of so many directories, from its end: what makes one looks
// at all that it is in.
func deep(args []string) {
	const piece = 500
	for left := number(args, 0); left > 0; left -= piece {
		end, err := chain("new", min(left, piece))
		if err == nil {
			err = unix.Renameat(unix.AT_FDCWD, "d", end, "d")
		}
		if errors.Is(err, unix.ENOENT) { // it is the first
			err = nil
		}
		if err == nil {
			err = unix.Rename("new", "d")
		}
		_ = unix.Close(end)
		if err != nil {
			fmt.Println("deep:", left, "are missing:", err)
			return
		}
	}
	fmt.Println("deep:", args[0])
}

// chain makes a chain of n directories and returns the last, open.
func chain(name string, n int) (fd int, err error) {
	fd = unix.AT_FDCWD
	for range n {
		if err := unix.Mkdirat(fd, name, 0o755); err != nil {
			return fd, err
		}
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY, 0)
		if err != nil {
			return fd, err
		}
		_ = unix.Close(fd) // not the first, which is none
		fd, name = next, "d"
	}
	return fd, nil
}
