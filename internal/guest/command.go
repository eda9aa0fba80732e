package guest

import (
	"io"
	"time"
)

// OutputLimit is how many bytes of each output stream of a command are kept
// unless [Command.OutputLimit] says otherwise.
const OutputLimit = 10 << 20

// ControlFD is the descriptor of a socket that a command finds open besides 0,
// 1 and 2, when asked for.
const ControlFD = 3

// Command is a process to run to its end.
type Command struct {
	// Args are the program, looked up in the sandbox's PATH, and its
	// arguments. Never empty.
	Args []string
	// Dir is the working directory; empty means the home directory.
	Dir string
	// Env is added to the sandbox's own environment, as key=value.
	Env []string
	// Timeout kills the command, with everything it started; 0 means none.
	Timeout time.Duration
	// CPULimit is how much processor time the command may use with everything
	// it started; 0 means as much as it likes. Then they get SIGXCPU, and are
	// killed a second later. The kernel holds each process to it, in seconds
	// rounded up, and the guest all together. What a process uses whose
	// parent ignores SIGCHLD is counted only while it lives.
	CPULimit time.Duration
	// Stdin is what the command reads; nil means that it reads end-of-file.
	Stdin io.Reader
	// Control, when not nil, opens [ControlFD]: the command reads Stdin from
	// there, and nothing from its standard input. Control receives what it
	// writes there, however much, after all output that it wrote before.
	Control io.Writer
	// Stdout and Stderr receive the output as it comes, from the goroutine
	// that Control is called by. A nil writer discards.
	Stdout, Stderr io.Writer
	// Combined has standard error go where standard output does, through one
	// pipe, and so to Stdout.
	Combined bool
	// OutputLimit bounds each of them, in bytes; 0 means [OutputLimit].
	// What comes after it is read and dropped, so that the command goes on.
	OutputLimit int64
	// TTY, when not nil, gives the command a terminal of that size instead of
	// pipes, which it controls: all of its output goes to Stdout. When Stdin
	// ends the terminal reads end-of-file once.
	TTY *Size
	// Started, when not nil, is called once the command runs, before any
	// output: with its number for [Client.Signal] and [Client.Resize], and
	// its process id inside.
	Started func(id uint64, pid int)
}

// Size is the size of a terminal, in characters.
type Size struct{ Rows, Columns uint16 }

// Exit is how a command ended.
type Exit struct {
	Code          int           // exit code, or 128 + Signal
	Signal        int           // signal that ended it, or 0
	TimedOut      bool          // whether Command.Timeout ended it
	CPULimited    bool          // whether it used Command.CPULimit up
	Duration      time.Duration // from start to end, by the guest's clock
	StdoutDropped int64         // bytes beyond the limit
	StderrDropped int64
	CPU           time.Duration // user and system time of the process and those it waited for
	MaxRSS        int64         // bytes
}
