package agent

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

// pipes are the agent's ends of a command's descriptors. Absent ones are nil.
type pipes struct {
	stdin          *os.File // to write
	stdout, stderr *os.File // to read
	control        *os.File // both
	tty            *os.File // both, when there is one: it is stdout
	child          []int    // the command's ends, to be closed
}

// close closes the ends that are open.
func (p *pipes) close() {
	for _, f := range []*os.File{p.stdin, p.stdout, p.stderr, p.control} {
		if f != nil {
			_ = f.Close() // twice, for some
		}
	}
}

func (p *pipes) closeChild() {
	for _, fd := range p.child {
		closeFD(fd)
	}
	p.child = nil
}

// pipe makes a pipe and returns the agent's end, which is the reading one if
// reads, and the command's.
func (p *pipes) pipe(reads bool) (*os.File, uintptr, error) {
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, 0, failure("make a pipe", err)
	}
	own, child := ends[0], ends[1]
	if !reads {
		own, child = child, own
	}
	p.child = append(p.child, child)
	if err := unix.SetNonblock(own, true); err != nil {
		closeFD(own)
		return nil, 0, failure("make a pipe", err)
	}
	return os.NewFile(uintptr(own), "pipe"), uintptr(child), nil
}

// socket makes a pair of sockets and returns the agent's and the command's.
func (p *pipes) socket() (*os.File, uintptr, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, failure("make a socket", err)
	}
	p.child = append(p.child, ends[1])
	if err := unix.SetNonblock(ends[0], true); err != nil {
		closeFD(ends[0])
		return nil, 0, failure("make a socket", err)
	}
	return os.NewFile(uintptr(ends[0]), "control"), uintptr(ends[1]), nil
}

const absent = ^uintptr(0)

// open makes the descriptors that cmd is to have.
func (p *pipes) open(cmd *guest.Command, null int) ([]uintptr, error) {
	if cmd.TTY != nil {
		return p.openTTY(cmd)
	}
	fds := []uintptr{uintptr(null), 0, 0, absent}
	for _, one := range []struct {
		file  **os.File
		fd    int
		reads bool
		want  bool
	}{
		{&p.stdin, 0, false, cmd.Stdin != nil && cmd.Control == nil},
		{&p.stdout, 1, true, true},
		{&p.stderr, 2, true, !cmd.Combined},
	} {
		if !one.want {
			continue
		}
		var err error
		if *one.file, fds[one.fd], err = p.pipe(one.reads); err != nil {
			return nil, err
		}
	}
	if cmd.Combined {
		fds[2] = fds[1]
	}
	var err error
	if cmd.Control != nil {
		p.control, fds[guest.ControlFD], err = p.socket()
	}
	return fds, err
}

// start starts cmd.
func (a *agent) start(cmd *guest.Command) (*process, *pipes, error) {
	dir, err := a.openWorkDir(cmd.Dir)
	if err != nil {
		return nil, nil, err
	}
	defer closeFD(dir)
	where, err := realPath(dir)
	if err != nil {
		return nil, nil, badDir(cmd.Dir, err)
	}
	program, err := a.program(dir, cmd.Args[0])
	if err != nil {
		return nil, nil, err
	}
	p := &pipes{}
	defer p.closeChild()
	fds, err := p.open(cmd, a.null)
	if err != nil {
		p.close()
		return nil, nil, err
	}
	env := a.environment(where, cmd.Env)
	if cmd.TTY != nil {
		env = a.environment(where, append([]string{"TERM=xterm-256color"}, cmd.Env...))
	}
	proc, err := a.children.start(program, cmd.Args, &syscall.ProcAttr{
		// By descriptor, so that it is the one that was looked at.
		Dir:   "/proc/self/fd/" + strconv.Itoa(dir),
		Env:   env,
		Files: fds,
		Sys:   &syscall.SysProcAttr{Setsid: true, Setctty: cmd.TTY != nil},
	}, cmd.CPULimit)
	if err != nil {
		p.close()
		return nil, nil, startFailure(cmd.Args[0], err)
	}
	return proc, p, nil
}

// openWorkDir opens the directory a command is to start in: one that can be
// entered and still exists.
func (a *agent) openWorkDir(dir string) (int, error) {
	if dir == "" {
		dir = a.home
	}
	p, err := a.absolute(dir)
	if err != nil {
		return -1, err
	}
	fd, err := openDir(p)
	if err != nil {
		return -1, badDir(dir, err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && st.Nlink == 0 {
		err = unix.ENOENT
	}
	if err == nil {
		err = unix.Faccessat(fd, ".", unix.X_OK, 0)
	}
	if err != nil {
		closeFD(fd)
		return -1, badDir(dir, err)
	}
	return fd, nil
}

func badDir(dir string, err error) error {
	var errno syscall.Errno
	_ = errors.As(err, &errno) // zero will do
	return fail(guest.BadDir, errno, "working directory "+dir+": "+err.Error())
}

// program returns the path of a program: as it is, below dir, when it has a
// slash, and else looked up.
func (a *agent) program(dir int, name string) (string, error) {
	if !strings.Contains(name, "/") {
		return a.look(name)
	}
	if len(name) > guest.PathLimit {
		return "", fail(guest.NameTooLong, unix.ENAMETOOLONG, "program's path is too long")
	}
	return name, startFailure(name, executable(dir, name))
}

// executable returns why name, below dir, is no program.
func executable(dir int, name string) error {
	fd, err := open(dir, name, unix.O_PATH, 0)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return unix.EACCES
	}
	return unix.Faccessat(dir, name, unix.X_OK, 0)
}

// look looks a program up.
func (a *agent) look(name string) (string, error) {
	result := startFailure(name, unix.ENOENT)
	for dir := range strings.SplitSeq(searchPath, ":") {
		full := dir + "/" + name
		err := executable(unix.AT_FDCWD, full)
		if err == nil {
			return full, nil
		}
		if errors.Is(err, syscall.EACCES) {
			result = startFailure(name, err)
		}
	}
	return "", result
}

// startFailure returns why a program was not started.
func startFailure(name string, err error) error {
	if err == nil {
		return nil
	}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return failure(name, err)
	}
	switch errno {
	case unix.ENOENT, unix.ENOTDIR:
		return fail(guest.CommandNotFound, errno, name+": command not found, or its interpreter is not")
	case unix.EACCES, unix.EPERM, unix.ENOEXEC, unix.ELOOP, unix.EISDIR, unix.EINVAL, unix.ELIBBAD:
		return fail(guest.NotExecutable, errno, name+": cannot be executed: "+err.Error())
	case unix.EAGAIN:
		return fail(guest.NoProcess, errno, name+": no more processes can be started: "+err.Error())
	}
	return failure(name, err)
}

// environment returns the agent's own with more added; of several values the
// last counts.
func (a *agent) environment(dir string, more []string) []string {
	all := append(append(append(make([]string, 0, len(a.env)+1+len(more)), a.env...), "PWD="+dir), more...)
	seen := make(map[string]bool, len(all))
	kept := len(all)
	for i := len(all) - 1; i >= 0; i-- {
		key, _, _ := strings.Cut(all[i], "=")
		if !seen[key] {
			seen[key] = true
			kept--
			all[kept] = all[i]
		}
	}
	return all[kept:]
}

// feedControl writes all of r, which may be nil, to a socket and ends that
// direction.
func feedControl(f *os.File, r io.Reader) {
	if r != nil {
		if _, err := io.Copy(f, r); err != nil {
			return // what was written must not look like all of it
		}
	}
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) }) // the command may be over
	}
}

// feed writes all of r to f and closes it. If r fails f stays open: what was
// written must not look like all of it.
func feed(f *os.File, r io.Reader) {
	if _, err := io.Copy(f, r); err == nil {
		_ = f.Close() // it fails if the command is over
	}
}
