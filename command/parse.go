package command

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/agb-go/sdk/internal/wire"
)

// shell is [wire.Shell], read as leniently as the hosted service demands.
var shell = func() wire.Tool[wire.ShellArgs, wire.ShellResult] {
	t := wire.Shell
	t.Parse = parse
	t.Failed = func(r wire.ShellResult) bool { return r.ExitCode != bareText && wire.Shell.Failed(r) }
	return t
}()

// bareText stands for an exit code in what parse returns for text that is not
// a result. As a failure such text is an error.
const bareText = math.MinInt

// parse reads a result: a JSON object, else bare output.
func parse(text string) (wire.ShellResult, error) {
	r, ok := parseObject(text)
	if !ok {
		return wire.ShellResult{Stdout: text, ExitCode: bareText}, nil
	}
	if r.ExitCode == 0 && r.ErrorCode != nil {
		r.ExitCode = *r.ErrorCode
	}
	return r, nil
}

func parseObject(text string) (r wire.ShellResult, ok bool) {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return r, false
	}
	ok = json.Unmarshal([]byte(text), &r) == nil
	return r, ok
}

// result turns what travelled into what the caller sees.
func result(r wire.ShellResult, requestID string) *Result {
	res := &Result{
		ExitCode: r.ExitCode, Stdout: r.Stdout, Stderr: r.Stderr,
		StdoutDropped: max(r.StdoutDropped, 0), StderrDropped: max(r.StderrDropped, 0),
		Duration: duration(r.DurationUS), CPUTime: duration(r.CPUTimeUS), MaxRSS: max(r.MaxRSS, 0),
		TimedOut: r.TimedOut, CPULimited: r.CPULimited, OOMKilled: r.OOMKilled,
		TraceID: r.TraceID, RequestID: requestID,
	}
	if r.ExitCode == bareText {
		res.ExitCode = ExitUnknown
	}
	if len(r.StdoutBytes) > 0 {
		res.Stdout = string(r.StdoutBytes)
	}
	if len(r.StderrBytes) > 0 {
		res.Stderr = string(r.StderrBytes)
	}
	res.Truncated = res.StdoutDropped > 0 || res.StderrDropped > 0
	return res
}

// duration converts microseconds that a server sent.
func duration(us int64) time.Duration {
	return time.Duration(min(max(us, 0), math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
}
