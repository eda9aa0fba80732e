//go:build linux

package halt

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// thread names a thread of the machine.
type thread struct{ pid, tid int }

// seen is what a look tells about a thread.
type seen struct {
	state    string // one letter, see proc_pid_status(5)
	switches string // the counts of its changes of context
}

// threads are all threads of a sandbox.
type threads map[thread]seen

// stopped reports whether no thread can go on by itself: each is stopped or
// dead, or in the kernel with a stop waiting for its return, as the parent of a
// vfork is.
func (t threads) stopped() bool {
	for _, s := range t {
		if !strings.Contains("TtDZXx", s.state) {
			return false
		}
	}
	return true
}

var errMany = errors.New("halt: too many threads")

// look lists the threads of the process that pidFD refers to and of all below it.
func look(pidFD *os.File) (threads, error) {
	root, err := pidOf(pidFD)
	if err != nil {
		return nil, err
	}
	all, met := threads{}, map[int]bool{root: true}
	for next := []int{root}; len(next) > 0; next = next[1:] {
		children, err := all.add(next[0])
		if err != nil {
			return nil, err
		}
		for _, c := range children {
			if !met[c] {
				met[c] = true
				next = append(next, c)
			}
		}
	}
	_, err = pidOf(pidFD) // it is still there, so all of this was its own
	return all, err
}

// add adds the threads of a process and returns its children. A process that
// has gone meanwhile has none.
func (t threads) add(pid int) (children []int, err error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if vanished(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("halt: %w", err)
	}
	for _, e := range entries {
		dir := fmt.Sprintf("/proc/%d/task/%s", pid, e.Name())
		status, err := os.ReadFile(dir + "/status")
		if err == nil {
			var list []byte
			list, err = os.ReadFile(dir + "/children")
			for _, f := range strings.Fields(string(list)) {
				if child, err := strconv.Atoi(f); err == nil {
					children = append(children, child)
				}
			}
		}
		if vanished(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("halt: %w", err)
		}
		if len(t) == threadLimit {
			return nil, errMany
		}
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, fmt.Errorf("halt: %w", err)
		}
		t[thread{pid, tid}] = parseStatus(string(status))
	}
	return children, nil
}

// parseStatus reads /proc/PID/status. The name of the program, in its first
// line, cannot hold a line's end.
func parseStatus(text string) seen {
	var s seen
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); name {
		case "State":
			s.state, _, _ = strings.Cut(value, " ")
		case "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches":
			s.switches += value + " "
		}
	}
	return s
}

// vanished reports whether err says that a process is gone.
func vanished(err error) bool { return errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) }

// pidOf returns the pid of the process that pidFD refers to.
func pidOf(pidFD *os.File) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", pidFD.Fd()))
	if err != nil {
		return 0, fmt.Errorf("halt: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "Pid:"); ok {
			if pid, err := strconv.Atoi(strings.TrimSpace(value)); err == nil && pid > 0 {
				return pid, nil
			}
		}
	}
	return 0, ErrGone
}
