package guest

import (
	"io"
	"time"
)

// OutputLimit is how many bytes of each output stream of a command are kept
// unless [Command.OutputLimit] says otherwise.
const OutputLimit = 10 << 20

// ProgramLimit is how many bytes [Command.Program] may have.
const ProgramLimit = 16 << 20

// ReportLimit is how many bytes a program may write to its report descriptor.
const ReportLimit = 16 << 20

// Descriptors that a command finds open besides 0, 1 and 2, when asked for.
const (
	ProgramFD = 3 // reads Command.Program to its end
	ReportFD  = 4 // what is written here becomes Exit.Report
)

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
	// Stdin is what the command reads; nil means that it reads end-of-file.
	Stdin io.Reader
	// Stdout and Stderr receive the output as it comes, each from one
	// goroutine at a time. A nil writer discards.
	Stdout, Stderr io.Writer
	// OutputLimit bounds each of them, in bytes; 0 means [OutputLimit].
	// What comes after it is read and dropped, so that the command goes on.
	OutputLimit int64
	// Program, when not nil, is what the command reads from [ProgramFD].
	Program []byte
	// Report opens [ReportFD] for writing.
	Report bool
}

// Exit is how a command ended.
type Exit struct {
	Code          int           // exit code, or 128 + Signal
	Signal        int           // signal that ended it, or 0
	TimedOut      bool          // whether Command.Timeout ended it
	Duration      time.Duration // from start to end, by the guest's clock
	StdoutDropped int64         // bytes beyond the limit
	StderrDropped int64
	Report        []byte        // what was written to ReportFD
	ReportDropped int64         // bytes of it beyond ReportLimit
	CPU           time.Duration // user and system time of the process and those it waited for
	MaxRSS        int64         // bytes
}
