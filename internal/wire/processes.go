package wire

import "time"

// Processes: commands to talk to while they run. They are ours.
var (
	// StartProcess runs a command. The server's first frame is [FrameStarted];
	// then come [FrameStdout], [FrameStderr] and [FrameDropped], and as its end a
	// [ProcessExit]. The client's data is standard input, of which
	// [FrameStdinEnd] is the end. When the client leaves, the command is killed
	// with all that it started unless it is detached.
	StartProcess = Stream[StartProcessRequest]{Name: "StartProcess", Pattern: "POST /v1/processes/start"}
	// AttachProcess goes on with the output of a process from an offset, and is
	// otherwise as StartProcess. A client that leaves it changes nothing.
	AttachProcess = Stream[AttachProcessRequest]{Name: "AttachProcess", Pattern: "POST /v1/processes/attach"}
	// ListProcesses tells of the processes that run and of the latest that have
	// ended, the oldest first. It does not count as activity.
	ListProcesses = Op[SessionQuery, ProcessList]{Name: "ListProcesses", Pattern: "GET /v1/processes", Repeatable: true, Ours: true}
	// SignalProcess sends a signal to a process's group. KILL is for all that it
	// has started, and is answered when that is gone.
	SignalProcess = Op[SignalProcessRequest, Empty]{Name: "SignalProcess", Pattern: "POST /v1/processes/signal", Ours: true}
	// ResizeProcess changes the size of a process's terminal.
	ResizeProcess = Op[ResizeProcessRequest, Empty]{Name: "ResizeProcess", Pattern: "POST /v1/processes/resize", Repeatable: true, Ours: true}
)

// Frames of a process's stream.
const (
	FrameStarted  = FrameOwn + iota // by the server, a [ProcessStarted]
	FrameStdout                     // by the server, bytes
	FrameStderr                     // by the server, bytes
	FrameDropped                    // by the server, a [ProcessDropped]
	FrameStdinEnd                   // by the client, nothing
)

// StartProcessRequest says what to run.
type StartProcessRequest struct {
	SessionID    string            `json:"sessionId"`
	Args         []string          `json:"args"` // the program, looked up in PATH, and its arguments
	Dir          string            `json:"dir,omitempty"`
	Env          map[string]string `json:"env,omitempty"`
	TimeoutMS    int64             `json:"timeoutMs,omitempty"`    // 0: as long as the session lives
	CPUTimeoutMS int64             `json:"cpuTimeoutMs,omitempty"` // 0: none
	Stdin        bool              `json:"stdin,omitempty"`        // else it reads end-of-file
	Detach       bool              `json:"detach,omitempty"`       // it outlives the stream
	TTY          *WindowSize       `json:"tty,omitempty"`          // a terminal instead of pipes
	Combined     bool              `json:"combined,omitempty"`     // standard error is written to standard output
}

// WindowSize is the size of a terminal, in characters.
type WindowSize struct {
	Rows    uint16 `json:"rows"`
	Columns uint16 `json:"columns"`
}

// ProcessStarted is what is known of a process that runs.
type ProcessStarted struct {
	ProcessID string `json:"processId"`
	PID       int    `json:"pid"` // inside
}

// ProcessDropped says how many bytes of output, at this place, are no longer
// there.
type ProcessDropped struct {
	Bytes int64 `json:"bytes"`
}

// ProcessExit is how a process ended. With Left it has not: the client has.
type ProcessExit struct {
	Left       bool `json:"left,omitempty"`
	ExitCode   int  `json:"exitCode"` // 128 and the signal, if one ended it
	Signal     int  `json:"signal,omitempty"`
	TimedOut   bool `json:"timedOut,omitempty"`
	CPULimited bool `json:"cpuLimited,omitempty"`
	OOMKilled  bool `json:"oomKilled,omitempty"`
	ExecUsage
}

// AttachProcessRequest says which output is wanted.
type AttachProcessRequest struct {
	SessionID string `json:"sessionId"`
	ProcessID string `json:"processId"`
	Offset    int64  `json:"offset"` // in bytes of both streams, in the order in which they came
}

// SignalProcessRequest names a signal as kill(1) does: "TERM", "SIGTERM", "15".
type SignalProcessRequest struct {
	SessionID string `json:"sessionId"`
	ProcessID string `json:"processId"`
	Signal    string `json:"signal"`
}

// ResizeProcessRequest has the new size of a terminal.
type ResizeProcessRequest struct {
	SessionID string `json:"sessionId"`
	ProcessID string `json:"processId"`
	WindowSize
}

// ProcessList is what is known of a session's processes.
type ProcessList struct {
	Processes []Process `json:"processes"`
}

// Process is what is known of one.
type Process struct {
	ProcessStarted
	Args     []string  `json:"args"`
	Started  time.Time `json:"startedAt"`
	Detached bool      `json:"detached,omitempty"`
	TTY      bool      `json:"tty,omitempty"`
	// Offsets of the output that is kept: from Oldest up to End.
	Oldest int64        `json:"oldest"`
	End    int64        `json:"end"`
	Exit   *ProcessExit `json:"exit,omitempty"` // nil while it runs
}
