package agent

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// dialTime is how long a connection may take. Inside a sandbox only a
// listener that does not accept takes any time.
const dialTime = 10 * time.Second

// Dial implements guest.Handler.
func (a *agent) Dial(ctx context.Context, network, address string) (io.ReadWriteCloser, error) {
	targets, err := a.resolve(network, address)
	if err != nil {
		return nil, err
	}
	for _, target := range targets {
		var c *conn
		if c, err = connect(ctx, target); err == nil {
			return c, nil
		}
	}
	return nil, failure("dial "+address, err)
}

// target is what can be connected to.
type target struct {
	family  int
	address unix.Sockaddr
}

// resolve returns where to connect to, in order of preference.
func (a *agent) resolve(network, address string) ([]target, error) {
	bad := fail(guest.Invalid, unix.EINVAL, "dial "+network+" "+address+": neither a socket's path nor a port of the loopback")
	switch network {
	case "unix":
		p, err := a.absolute(address)
		if err != nil {
			return nil, err
		}
		const most = 107
		if len(p) > most {
			return nil, fail(guest.NameTooLong, unix.ENAMETOOLONG, "dial: path of a socket is too long")
		}
		return []target{{unix.AF_UNIX, &unix.SockaddrUnix{Name: p}}}, nil
	case "tcp":
		i := strings.LastIndexByte(address, ':')
		if i < 0 {
			return nil, bad
		}
		port, err := strconv.ParseUint(address[i+1:], 10, 16)
		if err != nil || port == 0 {
			return nil, bad
		}
		four := target{unix.AF_INET, &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}}
		six := target{unix.AF_INET6, &unix.SockaddrInet6{Port: int(port), Addr: [16]byte{15: 1}}}
		switch address[:i] {
		case "localhost":
			return []target{four, six}, nil
		case "127.0.0.1":
			return []target{four}, nil
		case "[::1]":
			return []target{six}, nil
		}
	}
	return nil, bad
}

// conn is a connected socket.
type conn struct{ *os.File }

// CloseWrite ends the writing direction alone.
func (c *conn) CloseWrite() error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var shut error
	err = raw.Control(func(fd uintptr) { shut = unix.Shutdown(int(fd), unix.SHUT_WR) })
	return errors.Join(err, shut)
}

func connect(ctx context.Context, to target) (*conn, error) {
	fd, err := unix.Socket(to.family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	err = unix.Connect(fd, to.address)
	file := os.NewFile(uintptr(fd), "connection")
	if errors.Is(err, syscall.EINPROGRESS) {
		err = connected(ctx, file)
	}
	if err != nil {
		_ = file.Close() // the first error tells more
		return nil, err
	}
	return &conn{file}, nil
}

// connected waits until a connection under way is made.
func connected(ctx context.Context, file *os.File) error {
	stop := context.AfterFunc(ctx, func() { _ = file.SetDeadline(time.Unix(1, 0)) }) // and then it fails
	defer stop()
	if err := file.SetDeadline(time.Now().Add(dialTime)); err != nil {
		return err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = raw.Write(func(fd uintptr) bool {
		var code int
		if code, result = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); result != nil {
			return true
		}
		if code != 0 {
			result = syscall.Errno(code)
			return true
		}
		_, err := unix.Getpeername(int(fd))
		return err == nil
	})
	if err := errors.Join(err, result); err != nil {
		return err
	}
	return file.SetDeadline(time.Time{})
}
