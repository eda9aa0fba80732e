//go:build linux && (amd64 || arm64)

package linuxns

import (
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// stream is the owner's end of a guest's stream. Closing it ends the
// conversation but keeps the descriptor, because the hang-up of the other end
// tells that the guest is gone; see [stream.waitPeer]. The sandbox releases it.
type stream struct {
	file   *os.File
	closed atomic.Bool
}

// Read implements io.Reader. It returns io.EOF when the guest has closed its
// end or is gone, and [os.ErrClosed] after Close.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.file.Read(p)
	return n, s.explain(err)
}

// Write implements io.Writer. It fails with [os.ErrClosed] after Close.
func (s *stream) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	return n, s.explain(err)
}

func (s *stream) explain(err error) error {
	if err != nil && s.closed.Load() {
		return os.ErrClosed
	}
	return err
}

// Close unblocks and fails all reads and writes; the guest sees end of file.
// Closing twice is no error.
func (s *stream) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	// Both fail only when the file is closed for good already.
	_ = s.file.SetDeadline(past)
	_ = s.control(func(fd int) { _ = unix.Shutdown(fd, unix.SHUT_WR) })
	return nil
}

// release closes the stream for good.
func (s *stream) release() {
	s.closed.Store(true)
	_ = s.file.Close() // a socket has nothing to lose; a second time is meant
}

// waitPeer waits until every copy of the guest's end is closed, that is, until
// the processes that had it are gone. It reports false when that took longer
// than d. The stream must be closed.
func (s *stream) waitPeer(d time.Duration) bool {
	gone := false
	end := time.Now().Add(d)
	err := s.control(func(fd int) {
		for !gone {
			left := time.Until(end)
			if left <= 0 {
				return
			}
			fds := []unix.PollFd{{Fd: int32(fd)}} // no events: only the hang-up
			n, err := unix.Poll(fds, int(left.Milliseconds())+1)
			gone = err == nil && n == 1 && fds[0].Revents&unix.POLLHUP != 0
		}
	})
	return gone || err != nil
}

func (s *stream) control(fn func(fd int)) error {
	raw, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { fn(int(fd)) })
}
