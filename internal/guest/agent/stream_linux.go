package agent

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// takeStream returns the conversation with the engine.
func takeStream(fd int) (*os.File, error) {
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err == nil && kind == unix.SOCK_SEQPACKET {
		if err := receive(fd); err != nil {
			return nil, err
		}
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, os.NewSyscallError("set connection non-blocking", err)
	}
	return os.NewFile(uintptr(fd), "engine"), nil
}

// receive puts a stream in the place of fd, over which it comes. A runtime can
// so start a guest before it is needed: the guest says that it is ready, with
// one byte, and waits for a byte with the stream's descriptor.
func receive(fd int) error {
	if _, err := unix.Write(fd, []byte{0}); err != nil {
		return os.NewSyscallError("say ready", err)
	}
	const descriptor = 4 // bytes
	rights := make([]byte, unix.CmsgSpace(descriptor))
	_, n, _, _, err := unix.Recvmsg(fd, make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("receive the stream", err)
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return errors.New("agent: it is not needed")
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return errors.New("agent: no stream came")
	}
	defer closeFD(fds[0])
	return os.NewSyscallError("take the stream", unix.Dup3(fds[0], fd, unix.O_CLOEXEC))
}
