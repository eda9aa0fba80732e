//go:build linux && (amd64 || arm64)

// Package tape forks a process that performs a prepared list of system calls.
//
// A Go program cannot run Go code between fork and exec. It can do raw system
// calls there, though, so everything a child has to do before it becomes
// another program is written down first, on a tape, and the child merely plays
// it: see play. The last call of a tape replaces the process (execveat) or
// ends it.
//
// The parent learns how far the child got from a pipe (Tape.Report): a call
// that fails writes a Failure there and ends the process.
package tape

import "unsafe"

// Call is one system call of a tape.
type Call struct {
	// Step says what the call does, in failures: "mount /proc".
	Step string
	// Nr is the number of the system call.
	Nr uintptr
	// Args are its arguments. Addresses must come from [Tape.String],
	// [Tape.Vector] or [Hold] of the same tape.
	Args [6]uintptr
	// Want is the least result that counts as success.
	Want uintptr
	// Save keeps the result for later calls, in place of what was kept.
	Save bool
	// Saved puts what was kept in place of the first argument.
	Saved bool
	// Optional lets the tape go on when the call fails. What it was to save is
	// then no descriptor, so that calls that need it fail, too.
	Optional bool
}

// op is a Call as the child reads it: no pointers that Go has to know of.
type op struct {
	nr      uintptr
	args    [6]uintptr
	want    uintptr
	name    uintptr // address of the text for failures
	nameLen uintptr
	flags   uintptr
}

const (
	flagSave = 1 << iota
	flagSaved
	flagOptional
)

// Tape is a list of system calls, with the memory they refer to. Build it,
// then Start it, once or often. It is not safe for concurrent use.
type Tape struct {
	parts  [][]op // not empty ones; the last is this tape's own if open
	open   bool
	keep   []any // what calls refer to by address
	layer  string
	report uintptr
}

// New returns an empty tape whose child reports to descriptor report. The
// descriptor must be closed on exec, else the parent never sees its end.
func New(report uintptr) *Tape { return &Tape{report: report} }

// Layer names the layer that the following calls belong to.
func (t *Tape) Layer(name string) { t.layer = name }

// Add puts c at the end of the tape.
func (t *Tape) Add(c Call) {
	name := []byte(t.layer + "\x00" + c.Step)
	name = name[:min(len(name), nameLimit)]
	o := op{nr: c.Nr, args: c.Args, want: c.Want, name: Hold(t, &name[0]), nameLen: uintptr(len(name))}
	if c.Save {
		o.flags |= flagSave
	}
	if c.Saved {
		o.flags |= flagSaved
	}
	if c.Optional {
		o.flags |= flagOptional
	}
	if !t.open {
		t.parts, t.open = append(t.parts, nil), true
	}
	last := &t.parts[len(t.parts)-1]
	*last = append(*last, o)
}

// Splice puts the calls of other at the end of the tape without copying them.
// other must not be changed afterwards; it may be spliced again, and elsewhere.
func (t *Tape) Splice(other *Tape) {
	t.parts, t.open = append(t.parts, other.parts...), false
	t.keep = append(t.keep, other)
}

// Ready puts a call on the tape that tells the parent that the next call
// replaces the process. See [Parse].
func (t *Tape) Ready(nrWrite uintptr) {
	mark := &[1]uint32{markReady}
	t.Add(Call{Step: "report", Nr: nrWrite, Args: [6]uintptr{t.report, Hold(t, mark), unsafe.Sizeof(*mark)}})
}

// String returns the address of a copy of s that ends in a zero byte. s must
// not contain one.
func (t *Tape) String(s string) uintptr {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return Hold(t, &b[0])
}

// Vector returns the address of an array of addresses of strings, as execve
// takes it.
func (t *Tape) Vector(list ...string) uintptr {
	v := make([]uintptr, len(list)+1)
	for i, s := range list {
		v[i] = t.String(s)
	}
	return Hold(t, &v[0])
}

// Hold returns the address of what p points to and keeps it for as long as the
// tape lives. Memory of the Go heap does not move; p makes it escape there.
func Hold[T any](t *Tape, p *T) uintptr {
	t.keep = append(t.keep, p)
	return uintptr(unsafe.Pointer(p))
}
