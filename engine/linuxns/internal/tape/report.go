//go:build linux && (amd64 || arm64)

package tape

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// ReportLimit bounds, in bytes, what a child writes to its report descriptor.
const ReportLimit = 4 + 12 + nameLimit

const (
	nameLimit   = 512        // bytes of layer and step in a report
	markReady   = 0x59444552 // the next call is execveat
	markFailure = 0x4c494146 // followed by index, errno and name
	exitFailed  = 97         // exit code after a failure
)

// Failure is the call of a tape that failed, or one before it that the parent
// made on its behalf.
type Failure struct {
	Index int    // in the tape; -1 when the parent failed
	Layer string // such as "proc"
	Step  string // such as "mount /proc"
	Errno syscall.Errno
}

// Error implements error.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s: %s: %v", f.Layer, f.Step, f.Errno)
}

// Unwrap returns the errno.
func (f *Failure) Unwrap() error { return f.Errno }

// Append appends f as a child would have reported it.
func (f *Failure) Append(b []byte) []byte {
	b = binary.NativeEndian.AppendUint32(b, markFailure)
	b = binary.NativeEndian.AppendUint32(b, uint32(f.Index))
	b = binary.NativeEndian.AppendUint32(b, uint32(f.Errno))
	name := f.Layer + "\x00" + f.Step
	return append(b, name[:min(len(name), nameLimit)]...)
}

// AppendReady appends what a child reports that has become its program.
func AppendReady(b []byte) []byte { return binary.NativeEndian.AppendUint32(b, markReady) }

// ErrVanished means that the child ended, or was never made, without a word.
var ErrVanished = errors.New("tape: the process ended before it was ready")

// Parse understands everything that came from a report descriptor until its
// end. It returns nil when the child became the program it was to become, a
// [Failure], or [ErrVanished].
func Parse(b []byte) error {
	ready := len(b) >= 4 && binary.NativeEndian.Uint32(b) == markReady
	if ready {
		b = b[4:]
	}
	if len(b) == 0 && ready {
		return nil
	}
	if len(b) < 12 || binary.NativeEndian.Uint32(b) != markFailure {
		return ErrVanished
	}
	layer, step, _ := strings.Cut(string(b[12:]), "\x00")
	return &Failure{
		Index: int(int32(binary.NativeEndian.Uint32(b[4:]))),
		Layer: layer,
		Step:  step,
		Errno: syscall.Errno(binary.NativeEndian.Uint32(b[8:])),
	}
}
