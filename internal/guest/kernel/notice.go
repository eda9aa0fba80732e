package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"syscall"
)

// Why an interpreter was killed, as far as it is known here.
const (
	outOfMemory = "the interpreter was killed: the memory of the session is used up"
	overdue     = "the interpreter was killed: the code did not end when its time was over"
	givenUp     = "the interpreter was killed: the code did not end when its run was given up"
	unheeded    = "the interpreter was killed: the code did not end when it was interrupted"
)

// notice is what a run is told of what came before it. One that is given up has
// told nobody, so that the next is told.
type notice struct {
	restarted string
	late      Late
}

// add adds why an interpreter has ended, if it has, and what came late.
func (n *notice) add(restarted string, late Late) {
	n.restarted = cmp.Or(restarted, n.restarted)
	n.late.add(late.Stdout, false)
	n.late.add(late.Stderr, true)
	n.late.Dropped += late.Dropped
}

// add keeps p as far as it is bounded.
func (l *Late) add(p []byte, isErr bool) {
	to := &l.Stdout
	if isErr {
		to = &l.Stderr
	}
	n := min(len(p), lateLimit-len(*to))
	*to = append(*to, p[:n]...)
	l.Dropped += int64(len(p) - n)
}

// takeLate returns what has come late, once.
func (in *interpreter) takeLate() Late {
	in.mu.Lock()
	defer in.mu.Unlock()
	late := in.late
	in.late = Late{}
	return late
}

// blame notes that the interpreter has ended for want of memory, if that is why.
func (in *interpreter) blame(r *running) {
	if !in.ended() || in.err != nil || in.exit.Signal != int(syscall.SIGKILL) || in.exit.CPULimited {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.cause == "" && r.opts.OutOfMemory != nil && r.opts.OutOfMemory() {
		in.cause = outOfMemory
	}
}

// why returns why the interpreter was killed, empty when that is not known.
func (in *interpreter) why() string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.cause
}

// end says how the interpreter ended. It must have.
func (in *interpreter) end() string {
	killed := in.err != nil || in.exit.Signal == int(syscall.SIGKILL)
	switch cause := in.why(); {
	case errors.Is(in.err, errFrame):
		return errFrame.Error()
	case killed && cause != "":
		return cause
	case in.exit.Signal != 0:
		return fmt.Sprintf("the interpreter was ended by signal %d", in.exit.Signal)
	case in.err != nil:
		return "the interpreter was killed"
	}
	return fmt.Sprintf("the interpreter has ended with exit status %d", in.exit.Code)
}
