//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// readLimit bounds, in bytes, what is read of a control file.
const readLimit = 8192

// write writes a value to a control file. Package os would ask the poller
// about these files, which costs as much as the write.
func write(path, value string) error {
	fd, err := open(path, unix.O_WRONLY|unix.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(value))
	for errors.Is(err, unix.EINTR) {
		_, err = unix.Write(fd, []byte(value))
	}
	_ = unix.Close(fd) // these files take their value at write
	if err != nil {
		return fmt.Errorf("write %s to %s: %w", value, shown(path), err)
	}
	return nil
}

// read returns what a control file says, without the last line's end.
func read(path string) (string, error) {
	fd, err := open(path, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer func() { _ = unix.Close(fd) }() // read only
	var buf [readLimit]byte
	n, err := unix.Read(fd, buf[:])
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(fd, buf[:])
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", shown(path), err)
	}
	return strings.TrimSpace(string(buf[:n])), nil
}

func open(path string, flags int) (int, error) {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
	for errors.Is(err, unix.EINTR) {
		fd, err = unix.Open(path, flags|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return -1, fmt.Errorf("open %s: %w", shown(path), err)
	}
	return fd, nil
}

// number reads a file that holds one number.
func number(path string) (int64, error) {
	text, err := read(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", shown(path), err)
	}
	return n, nil
}

var errNoField = errors.New("no such line")

// field reads the number behind a name in a file of lines "name number".
func field(path, name string) (int64, error) {
	text, err := read(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == name {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read %s: %w", shown(path), err)
			}
			return n, nil
		}
	}
	return 0, fmt.Errorf("read %s of %s: %w", name, shown(path), errNoField)
}
