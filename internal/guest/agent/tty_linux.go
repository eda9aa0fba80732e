package agent

import (
	"bytes"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// endOfFile is what a terminal takes for the end of its input, see termios(3).
const endOfFile = 4

// openTTY makes a terminal, of which the command has one end for its input and
// output. See pts(4).
func (p *pipes) openTTY(cmd *guest.Command) ([]uintptr, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, failure("open a terminal", err)
	}
	p.stdout = os.NewFile(uintptr(fd), "terminal")
	p.tty = p.stdout
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, failure("unlock a terminal", err)
	}
	child, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		return nil, failure("open a terminal", errno)
	}
	p.child = append(p.child, int(child))
	return []uintptr{child, child, child, absent}, setSize(p.tty, *cmd.TTY)
}

// setSize sets the size of a terminal.
func setSize(tty *os.File, size guest.Size) error {
	raw, err := tty.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) {
		set = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Rows, Col: size.Columns})
	})
	return failure("set the size of a terminal", errors.Join(err, set))
}

// feedTTY writes all of r, which may be nil, to a terminal, and then what it
// takes for the end. Amid a line that only hands over the line so far, and it
// takes a second one.
func feedTTY(tty *os.File, r io.Reader) {
	in := &typed{tty: tty}
	if r != nil {
		if _, err := io.Copy(in, r); err != nil {
			return // what was written must not look like all of it
		}
	}
	end := []byte{endOfFile, endOfFile}
	if !in.amid {
		end = end[:1]
	}
	_, _ = tty.Write(end) // the command may be over
}

// typed is what is typed into a terminal.
type typed struct {
	tty  *os.File
	amid bool // a line
}

// Write implements [io.Writer].
func (in *typed) Write(p []byte) (int, error) {
	if len(p) > 0 {
		// What ends a line as long as the command does not set it otherwise.
		in.amid = bytes.IndexByte([]byte{'\n', '\r', endOfFile}, p[len(p)-1]) < 0
	}
	return in.tty.Write(p)
}
