package wire

import "time"

// Tools that run something.
var (
	Shell = Tool[ShellArgs, ShellResult]{
		Name:        "shell",
		Description: "Run a shell command in a fresh shell.",
		Failed:      func(r ShellResult) bool { return r.ExitCode != 0 || r.TimedOut || r.CPULimited },
	}
	RunCode = Tool[RunCodeArgs, RunCodeResult]{
		Name:        "run_code",
		Description: "Run code in python, javascript, java, r or bash.",
	}
	GetMetrics = Tool[Empty, Metrics]{
		Name:        "get_metrics",
		Description: "Tell what the session uses of CPU, memory, disk and network.",
		Repeatable:  true,
	}
)

// ShellArgs are the arguments of [Shell].
type ShellArgs struct {
	Command   string            `json:"command"`
	TimeoutMS int64             `json:"timeout_ms,omitempty"`
	Dir       string            `json:"cwd,omitempty"`
	Env       map[string]string `json:"envs,omitempty"`

	// Ours.
	Output       string `json:"output,omitempty"`         // OutputBytes
	CPUTimeoutMS int64  `json:"cpu_timeout_ms,omitempty"` // of processor time; 0 means none
}

// OutputBytes asks [Shell] for the output as bytes alone, of which more fits
// into an answer than of text.
const OutputBytes = "bytes"

// ShellResult is how the command ended.
type ShellResult struct {
	Stdout   string `json:"stdout"`
	Stderr   string `json:"stderr"`
	ExitCode int    `json:"exit_code"`
	TraceID  string `json:"traceId,omitempty"`

	// AGB's other spelling of ExitCode, in results that failed.
	ErrorCode *int `json:"errorCode,omitempty"`

	// Ours. The bytes are there when the text would not be exact, or instead of
	// it when they were asked for.
	StdoutBytes   []byte `json:"stdout_bytes,omitempty"`
	StderrBytes   []byte `json:"stderr_bytes,omitempty"`
	StdoutDropped int64  `json:"stdout_dropped,omitempty"`
	StderrDropped int64  `json:"stderr_dropped,omitempty"`
	TimedOut      bool   `json:"timed_out,omitempty"`
	CPULimited    bool   `json:"cpu_limited,omitempty"` // CPUTimeoutMS ended it
	OOMKilled     bool   `json:"oom_killed,omitempty"`  // memory was used up while it ran
	ExecUsage

	Holes []Hole `json:"-"` // of what was encoded
}

func (r ShellResult) holes() []Hole { return r.Holes }

// ExecUsage is what a command or code has used. It is ours.
type ExecUsage struct {
	DurationUS int64 `json:"duration_us,omitempty"`   // from start to end
	CPUTimeUS  int64 `json:"cpu_time_us,omitempty"`   // of the processor, by it and what it waited for
	MaxRSS     int64 `json:"max_rss_bytes,omitempty"` // of the largest of these processes
}

// RunCodeArgs are the arguments of [RunCode].
type RunCodeArgs struct {
	Code     string `json:"code"`
	Language string `json:"language"`
	TimeoutS int64  `json:"timeout_s,omitempty"`

	// Ours.
	TimeoutMS    int64   `json:"timeout_ms,omitempty"`     // wins over TimeoutS
	CPUTimeoutMS int64   `json:"cpu_timeout_ms,omitempty"` // of processor time, in an interpreter of its own; 0 means none
	ContextID    string  `json:"context_id,omitempty"`     // empty: the language's default
	Fresh        bool    `json:"fresh,omitempty"`          // in an interpreter of its own
	Stdin        *string `json:"stdin,omitempty"`          // null: end-of-file
}

// RunCodeResult is how the code ended.
type RunCodeResult struct {
	Results []JSONText[CodeItem] `json:"result"`
	Stdout  []string             `json:"stdout"`
	Stderr  []string             `json:"stderr"`
	// The count and the time, in seconds, travel in both spellings.
	ExecutionCount      *int     `json:"execution_count,omitempty"`
	ExecutionCountCamel *int     `json:"executionCount,omitempty"`
	ExecutionTime       *float64 `json:"execution_time,omitempty"`
	ExecutionTimeCamel  *float64 `json:"executionTime,omitempty"`
	// ExecutionError is the error as text with its traceback.
	ExecutionError string `json:"executionError,omitempty"`
	TraceID        string `json:"traceId,omitempty"`

	// Ours.
	Error         *CodeError `json:"errorDetail,omitempty"`
	StdoutDropped int64      `json:"stdout_dropped,omitempty"`
	StderrDropped int64      `json:"stderr_dropped,omitempty"`
	TimedOut      bool       `json:"timed_out,omitempty"`
	CPULimited    bool       `json:"cpu_limited,omitempty"` // CPUTimeoutMS ended it
	OOMKilled     bool       `json:"oom_killed,omitempty"`  // memory was used up while it ran
	ExecUsage
	ResultsDropped int    `json:"results_dropped,omitempty"` // that were too many or too large
	Ended          bool   `json:"context_ended,omitempty"`   // the interpreter, and with it all state
	Restarted      string `json:"context_restarted,omitempty"`
	// Output since the run before of what earlier ones have left behind.
	LateStdout  string `json:"late_stdout,omitempty"`
	LateStderr  string `json:"late_stderr,omitempty"`
	LateDropped int64  `json:"late_dropped,omitempty"` // bytes

	Holes []Hole `json:"-"` // of what was encoded
}

func (r RunCodeResult) holes() []Hole { return r.Holes }

// SetExecution sets the count and the time in both spellings.
func (r *RunCodeResult) SetExecution(count int, d time.Duration) {
	seconds := d.Seconds()
	r.ExecutionCount, r.ExecutionCountCamel = &count, &count
	r.ExecutionTime, r.ExecutionTimeCamel = &seconds, &seconds
}

// CodeItem is a result of code: one thing in several representations.
type CodeItem map[string]any

// Keys of a [CodeItem] besides MIME types.
const (
	ItemMain      = "isMainResult"
	ItemMainSnake = "is_main_result"
	ItemTruncated = "isTruncated" // ours: whether a representation is cut or left out
)

// CodeError is the error that ended code.
type CodeError struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Traceback string `json:"traceback"`
}

// Metrics is the result of [GetMetrics]. Sizes are in bytes.
type Metrics struct {
	CPUCount   int     `json:"cpu_count"`
	CPUUsedPct float64 `json:"cpu_used_pct"`
	MemTotal   int64   `json:"mem_total"`
	MemUsed    int64   `json:"mem_used"`
	DiskTotal  int64   `json:"disk_total"`
	DiskUsed   int64   `json:"disk_used"`
	RxRate     float64 `json:"rx_rate_kbyte_per_s"`
	TxRate     float64 `json:"tx_rate_kbyte_per_s"`
	RxUsed     float64 `json:"rx_used_kbyte"`
	TxUsed     float64 `json:"tx_used_kbyte"`
	Timestamp  string  `json:"timestamp"`
}
