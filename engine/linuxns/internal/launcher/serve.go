//go:build linux && (amd64 || arm64)

package launcher

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/linuxns/internal/cgroup"
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
	fds := control.Rights(l.oob[:oobn])
	req, err := control.ParseRequest(l.buf[:n])
	if err != nil {
		return false, err
	}
	switch c, known := l.children[req.ID]; req.Op {
	case control.Kill:
		closeAll(fds)
		if known {
			c.kill()
		}
		return true, nil
	case control.Find:
		if len(fds) == 1 && known {
			control.SendFound(fds[0], c.fd)
		}
		closeAll(fds) // the owner sees it end
		return true, nil
	}
	if len(fds) != passed {
		// No descriptors left. The owner sees the report end without a word.
		closeAll(fds)
		tell(control.Gone{ID: req.ID})
		return true, nil
	}
	return true, l.start(req, fds[0], fds[1])
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd) // ours, open, and not a file with data to lose
	}
}

// start makes one sandbox, or a trial. What fails for it goes to its report;
// what start returns is the end of the launcher.
func (l *launcher) start(req *control.Request, stream, report int) error {
	l.last = max(l.last, req.ID)
	if l.useSpare(req, stream, report) {
		closeAll([]int{stream, report}) // the sandbox has them
		return nil
	}
	if err := errors.Join(move(stream, layers.StreamFD), move(report, layers.ReportFD)); err != nil {
		return err
	}
	c, err := l.make(req)
	if c.pid != 0 {
		l.children[c.id] = c
	} else {
		tell(control.Gone{ID: req.ID})
	}
	if err != nil {
		_, _ = unix.Write(layers.ReportFD, failure(err).Append(nil)) // an owner that is gone does not mind
	}
	return errors.Join(take(layers.NullFD, layers.StreamFD), take(layers.NullFD, layers.ReportFD))
}

// make makes what was asked for: a child, or an error, or both when something
// went wrong with the child, which is then killed and ends like any other.
func (l *launcher) make(req *control.Request) (child, error) {
	c := child{id: req.ID}
	if req.Op == control.Trial {
		err := l.fork(&c, layers.TrialTape(), req.Namespaces, -1)
		return c, err
	}
	if l.host.IDs.Range {
		if err := openMapPipe(); err != nil {
			return child{}, err
		}
		defer closeMapPipe()
		var err error
		if c.ids, err = l.ranges.take(); err != nil {
			return child{}, at(layers.Identity, "take a range of ids", err)
		}
	}
	if err := l.sandbox(&c, req); err != nil {
		l.ranges.free(c.ids)
		return child{}, err
	}
	if c.ids != 0 {
		if err := mapIDs(c.pid, c.ids); err != nil {
			c.kill()
			return c, err
		}
	}
	return c, nil
}

func (l *launcher) sandbox(c *child, req *control.Request) (err error) {
	c.group, err = l.groups.in(req.ID, req.Limits, func(e *cgroup.Entrance) error {
		t, err := l.host.Tape(layers.Spec{Root: req.Root, Hostname: req.Hostname, Limits: req.Limits, Tasks: e.Tasks})
		if err != nil {
			return err
		}
		return l.fork(c, t, layers.Namespaces(), e.Clone)
	})
	return err
}

// fork forks a child, which the loop waits for from then on.
func (l *launcher) fork(c *child, t *tape.Tape, namespaces uint64, group int) error {
	err := l.persona.as(c.ids, func() (err error) {
		c.pid, c.fd, err = t.Start(namespaces, group)
		return err
	})
	if err != nil {
		return at(layers.Clone, "clone3", err)
	}
	if err := l.watch(*c); err != nil {
		c.kill()
		_, _ = wait(c.pid, 0) // it is ours, and killed
		_ = unix.Close(c.fd)  // nothing to lose
		c.pid = 0
		return at(layers.Clone, "watch the process", err)
	}
	return nil
}

// at says in which layer and step an errno arose. A step that ends with the
// errno, as the text of an error does, is told without.
func at(layer, step string, err error) error {
	var errno unix.Errno
	if !errors.As(err, &errno) {
		errno = unix.EIO
	}
	step = strings.TrimSuffix(strings.TrimPrefix(step, "cgroup: "), ": "+errno.Error())
	return &tape.Failure{Index: -1, Layer: layer, Step: step, Errno: errno}
}

func failure(err error) *tape.Failure {
	var f *tape.Failure
	if !errors.As(err, &f) {
		errors.As(at(layers.RootFiles, err.Error(), err), &f)
	}
	return f
}
