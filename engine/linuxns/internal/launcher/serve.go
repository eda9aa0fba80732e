//go:build linux && (amd64 || arm64)

package launcher

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/control"
	"github.com/agb-go/sdk/engine/linuxns/internal/layers"
	"github.com/agb-go/sdk/engine/linuxns/internal/tape"
)

// passed is how many descriptors come with a request.
const passed = 2

// receive takes one request. It returns false when the owner is gone.
func (l *launcher) receive() (bool, error) {
	n, oobn, _, _, err := unix.Recvmsg(layers.ControlFD, l.buf, l.oob, unix.MSG_CMSG_CLOEXEC)
	switch {
	case errors.Is(err, unix.EINTR):
		return true, nil
	case errors.Is(err, unix.ECONNRESET) || err == nil && n == 0:
		return false, nil
	case err != nil:
		return false, fmt.Errorf("launcher: receive: %w", err)
	}
	fds := rights(l.oob[:oobn])
	req, err := control.ParseRequest(l.buf[:n])
	switch {
	case err != nil:
		return false, err
	case req.Op == control.Kill:
		if c, ok := l.children[req.ID]; ok {
			c.kill()
		}
		return true, nil
	case len(fds) != passed:
		// No descriptors left. The owner sees the report end without a word.
		closeAll(fds)
		l.gone(req.ID, 0)
		return true, nil
	}
	return true, l.start(req, fds[0], fds[1])
}

func rights(oob []byte) []int {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil || len(msgs) == 0 {
		return nil
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		return nil
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd) // ours, open, and not a file with data to lose
	}
}

// start forks one sandbox. What fails for this sandbox goes to its report;
// what start returns is the end of the launcher.
func (l *launcher) start(req *control.Request, stream, report int) error {
	if err := errors.Join(move(stream, layers.StreamFD), move(report, layers.ReportFD)); err != nil {
		return err
	}
	if err := l.fork(req); err != nil {
		_, _ = unix.Write(layers.ReportFD, failure(err).Append(nil)) // an owner that is gone does not mind
	}
	return errors.Join(take(layers.NullFD, layers.StreamFD), take(layers.NullFD, layers.ReportFD))
}

// fork forks the child and makes it known. When it fails after that, the child
// is killed, and its end is reported as any other.
func (l *launcher) fork(req *control.Request) error {
	t, namespaces, ranged := layers.TrialTape(), req.Namespaces, false
	if req.Op == control.Start {
		var err error
		if t, err = l.host.Tape(layers.Spec{Root: req.Root, Hostname: req.Hostname, Limits: req.Limits}); err != nil {
			l.gone(req.ID, 0)
			return err
		}
		namespaces, ranged = layers.Namespaces, l.host.IDs.Range
	}
	if ranged {
		if err := openMapPipe(); err != nil {
			l.gone(req.ID, 0)
			return err
		}
		defer closeMapPipe()
	}
	pid, pidFD, err := t.Start(namespaces)
	if err != nil {
		l.gone(req.ID, 0)
		return at(layers.Clone, "clone3", err)
	}
	c := child{id: req.ID, pid: pid, fd: pidFD}
	if err := l.watch(c); err != nil {
		c.kill()
		l.bury(c, 0)
		return at(layers.Clone, "watch the process", err)
	}
	l.children[c.id] = c
	if ranged {
		if err := mapIDs(pid); err != nil {
			c.kill()
			return err
		}
	}
	return nil
}

// at says in which layer and step an errno arose.
func at(layer, step string, err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		errno = unix.EIO
	}
	return &tape.Failure{Index: -1, Layer: layer, Step: step, Errno: errno}
}

func failure(err error) *tape.Failure {
	var f *tape.Failure
	if !errors.As(err, &f) {
		errors.As(at(layers.RootFiles, err.Error(), err), &f)
	}
	return f
}
