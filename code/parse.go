package code

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/agb-go/sdk/internal/wire"
)

// outcome is what a server said of a run.
type outcome struct {
	Result
	refusal string // why the code did not run
}

// noReason is what there is to say of a refusal that gives none.
const noReason = "the service did not run the code and did not say why"

// runCode is [wire.RunCode] with a reader of every shape that the hosted
// service's results come in.
var runCode = wire.Tool[wire.RunCodeArgs, outcome]{
	Name:  wire.RunCode.Name,
	Parse: parse,
	// A failed call that tells of an error in the code is a result.
	Failed: func(o outcome) bool { return o.Error != nil || o.TimedOut || o.CPULimited },
}

// shape has the fields of all shapes of a result.
type shape struct {
	// The engine's shape, and the service's newest.
	Result         []json.RawMessage `json:"result"`
	Stdout         lines             `json:"stdout"`
	Stderr         lines             `json:"stderr"`
	ExecutionError string            `json:"executionError"`
	ErrorDetail    *execError        `json:"errorDetail"`
	StdoutDropped  int64             `json:"stdout_dropped"`
	StderrDropped  int64             `json:"stderr_dropped"`
	TimedOut       bool              `json:"timed_out"`
	CPULimited     bool              `json:"cpu_limited"`
	OOMKilled      bool              `json:"oom_killed"`
	CPUTimeUS      int64             `json:"cpu_time_us"`
	MaxRSS         int64             `json:"max_rss_bytes"`
	ResultsDropped int               `json:"results_dropped"`
	Ended          bool              `json:"context_ended"`
	Restarted      string            `json:"context_restarted"`
	LateStdout     string            `json:"late_stdout"`
	LateStderr     string            `json:"late_stderr"`
	LateDropped    int64             `json:"late_dropped"`

	// The rich shape.
	Results []json.RawMessage `json:"results"`
	Logs    *struct {
		Stdout lines `json:"stdout"`
		Stderr lines `json:"stderr"`
	} `json:"logs"`
	Error *execError `json:"error"`

	// The legacy shape.
	Content []wire.Content `json:"content"`
	IsError bool           `json:"isError"`

	Count      *float64 `json:"execution_count"`
	CountCamel *float64 `json:"executionCount"`
	Time       *float64 `json:"execution_time"`
	TimeCamel  *float64 `json:"executionTime"`
}

// parse reads a result: bare text, or an object of one of four shapes.
func parse(text string) (outcome, error) {
	if strings.TrimSpace(text) == "" {
		return outcome{}, errors.New("code: the result is empty")
	}
	s, ok := parseShape(text)
	if !ok {
		return bare(text), nil
	}
	if len(s.Content) > 0 {
		if inner, ok := parseShape(s.Content[0].Text); ok && (inner.Result != nil || inner.ExecutionError != "") {
			s = inner
		}
	}
	texts := (&wire.CallToolResponse{Content: s.Content}).Text()
	switch {
	case s.IsError:
		if texts == "" {
			texts = noReason
		}
		return outcome{refusal: texts}, nil
	case s.known():
		return s.outcome(), nil
	case len(s.Content) > 0:
		return bare(texts), nil
	}
	return bare(text), nil
}

// parseShape reports whether text is an object that may be a result.
func parseShape(text string) (s shape, ok bool) {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return s, false
	}
	ok = json.Unmarshal([]byte(text), &s) == nil
	return s, ok
}

// known reports whether s is of the newest or the rich shape.
func (s *shape) known() bool {
	return s.Result != nil || s.ExecutionError != "" || s.ErrorDetail != nil || s.Results != nil ||
		s.Logs != nil || s.Error != nil || s.Stdout != "" || s.Stderr != ""
}

// bare is the outcome of a run of which only text is known.
func bare(text string) outcome {
	quoted, err := json.Marshal(text)
	if err != nil {
		quoted = []byte(`""`) // strings never fail
	}
	return outcome{Result: Result{
		Stdout:  text,
		Results: []Item{{Text: text, Main: true, Raw: map[string]json.RawMessage{mimeText: quoted}}},
	}}
}

func (s *shape) outcome() outcome {
	o := outcome{Result: Result{
		TimedOut: s.TimedOut, CPULimited: s.CPULimited, OOMKilled: s.OOMKilled, MaxRSS: max(s.MaxRSS, 0),
		CPUTime: time.Duration(min(max(s.CPUTimeUS, 0), math.MaxInt64/int64(time.Microsecond))) * time.Microsecond,
	}}
	for _, raw := range append(s.Result, s.Results...) {
		o.Results = append(o.Results, parseItem(raw))
	}
	o.Stdout, o.Stderr = string(s.Stdout), string(s.Stderr)
	if s.Logs != nil {
		o.Stdout, o.Stderr = o.Stdout+string(s.Logs.Stdout), o.Stderr+string(s.Logs.Stderr)
	}
	o.StdoutDropped, o.StderrDropped = max(s.StdoutDropped, 0), max(s.StderrDropped, 0)
	o.ResultsDropped, o.LateDropped = max(s.ResultsDropped, 0), max(s.LateDropped, 0)
	o.Truncated = o.StdoutDropped > 0 || o.StderrDropped > 0 || o.ResultsDropped > 0 ||
		slices.ContainsFunc(o.Results, func(it Item) bool { return it.Truncated })
	o.Ended, o.Restarted, o.LateStdout, o.LateStderr = s.Ended, s.Restarted, s.LateStdout, s.LateStderr
	o.ExecutionCount = int(firstOf(math.MaxInt32, s.Count, s.CountCamel))
	o.Duration = time.Duration(firstOf(century, s.Time, s.TimeCamel) * float64(time.Second))
	switch {
	case s.ErrorDetail != nil:
		o.Error = s.ErrorDetail.export()
	case s.Error != nil:
		o.Error = s.Error.export()
	case s.ExecutionError != "":
		o.Error = &ExecError{Name: executionError, Value: s.ExecutionError}
	}
	return o
}

// century bounds what a service says of how long code ran, in seconds.
const century = 100 * 365 * 24 * 60 * 60

// executionError is the name of an error whose own name the service does not
// say.
const executionError = "ExecutionError"

// firstOf returns the first number that is there, within 0 and limit.
func firstOf(limit float64, numbers ...*float64) float64 {
	for _, n := range numbers {
		if n != nil {
			return min(max(*n, 0), limit)
		}
	}
	return 0
}

// lines is text that travels whole or as an array of pieces.
type lines string

// UnmarshalJSON implements [json.Unmarshaler].
func (l *lines) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] != '[' {
		return json.Unmarshal(b, (*string)(l))
	}
	var pieces []string
	if err := json.Unmarshal(b, &pieces); err != nil {
		return err
	}
	*l = lines(strings.Join(pieces, ""))
	return nil
}

// execError is an [ExecError] as it travels: an object, or its text alone.
type execError struct {
	Name      string `json:"name"`
	Value     string `json:"value"`
	Traceback lines  `json:"traceback"`
}

// UnmarshalJSON implements [json.Unmarshaler].
func (e *execError) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte{'"'}) {
		return json.Unmarshal(b, &e.Value)
	}
	type plain execError
	return json.Unmarshal(b, (*plain)(e))
}

// export returns e as callers see it; nothing in it means that there was none.
func (e *execError) export() *ExecError {
	if *e == (execError{}) {
		return nil
	}
	if e.Name == "" {
		e.Name = executionError
	}
	return &ExecError{Name: e.Name, Value: e.Value, Traceback: string(e.Traceback)}
}
