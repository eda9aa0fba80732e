package agent

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// backlog is how many connections wait to be accepted.
const backlog = 128

// Listen implements guest.Handler.
func (a *agent) Listen(_ context.Context, network, address string) (guest.Acceptor, error) {
	at, err := a.listenAt(network, address)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(at.family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, failure("listen", err)
	}
	if at.family != unix.AF_UNIX {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = unix.Bind(fd, at.address)
	}
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	l := &listener{turn: make(chan struct{}, 1)}
	if err == nil {
		l.address, err = boundTo(fd, address)
	}
	if err != nil {
		closeFD(fd)
		return nil, failure("listen on "+address, err)
	}
	if to, ok := at.address.(*unix.SockaddrUnix); ok {
		l.path = to.Name
	}
	l.file = os.NewFile(uintptr(fd), "listener")
	return l, nil
}

// listenAt is resolve for a listener, whose port may be 0: any that is free.
func (a *agent) listenAt(network, address string) (target, error) {
	host, zero := strings.CutSuffix(address, ":0")
	if zero && network == "tcp" {
		address = host + ":1"
	}
	targets, err := a.resolve(network, address)
	if err != nil {
		return target{}, err
	}
	at := targets[0]
	if zero {
		switch to := at.address.(type) {
		case *unix.SockaddrInet4:
			to.Port = 0
		case *unix.SockaddrInet6:
			to.Port = 0
		}
	}
	return at, nil
}

// boundTo returns the address that a socket has.
func boundTo(fd int, asked string) (string, error) {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return "", err
	}
	switch name := name.(type) {
	case *unix.SockaddrInet4:
		return "127.0.0.1:" + strconv.Itoa(name.Port), nil
	case *unix.SockaddrInet6:
		return "[::1]:" + strconv.Itoa(name.Port), nil
	}
	return asked, nil
}

// listener is a socket that listens. It implements guest.Acceptor.
type listener struct {
	file    *os.File
	address string
	path    string        // of a socket in the file system, or empty
	turn    chan struct{} // held by the one that waits for a connection
}

// Address implements guest.Acceptor.
func (l *listener) Address() string { return l.address }

// Accept implements guest.Acceptor.
func (l *listener) Accept(ctx context.Context) (io.ReadWriteCloser, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	raw, err := l.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = l.file.SetReadDeadline(time.Unix(1, 0)) })()
	for {
		// There may be a deadline left of the one before.
		if err := l.file.SetReadDeadline(time.Time{}); err != nil {
			return nil, fail(guest.Refused, unix.ECONNABORTED, "the listener is closed")
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		fd, accepted := -1, error(nil)
		err := raw.Read(func(from uintptr) bool {
			fd, _, accepted = unix.Accept4(int(from), unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			return !errors.Is(accepted, unix.EAGAIN) && !errors.Is(accepted, unix.ECONNABORTED) && !errors.Is(accepted, unix.EINTR)
		})
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
		case err != nil:
			return nil, fail(guest.Refused, unix.ECONNABORTED, "the listener is closed")
		case accepted != nil:
			return nil, failure("accept", accepted)
		default:
			return &conn{os.NewFile(uintptr(fd), "connection")}, nil
		}
	}
}

// Close implements guest.Acceptor.
func (l *listener) Close() error {
	if l.path != "" {
		_ = unix.Unlink(l.path) // it may be gone, or another's by now
	}
	return l.file.Close()
}
