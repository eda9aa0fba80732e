package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// Bounds of a command and of code. Processor time has no limit of its own
// unless one is asked for.
const (
	defaultTimeout = time.Minute
	maxTimeout     = 24 * time.Hour // of processor time, too
	maxEnv         = 1000           // variables
)

// shell runs a command in a fresh shell.
func shell(ctx context.Context, ws *Workspace, args wire.ShellArgs) (wire.ShellResult, error) {
	if err := need(wire.Shell.Name, "command", args.Command); err != nil {
		return wire.ShellResult{}, err
	}
	timeout, err := timeoutOf("timeout_ms", args.TimeoutMS, time.Millisecond)
	if err != nil {
		return wire.ShellResult{}, err
	}
	cpu, err := cpuTimeoutOf(args.CPUTimeoutMS)
	if err != nil {
		return wire.ShellResult{}, err
	}
	if args.Output != "" && args.Output != wire.OutputBytes {
		return wire.ShellResult{}, apierr.Errorf(apierr.InvalidArgument, "shell: invalid arguments: output: %q is not %q", args.Output, wire.OutputBytes)
	}
	env, err := environment(args.Env)
	if err != nil {
		return wire.ShellResult{}, err
	}
	most := keptText
	if args.Output == wire.OutputBytes {
		most = keptBytes
	}
	kept, killed := ws.newKeeper(ctx, most), ws.kills.now()
	exit, err := ws.Guest.Run(ctx, guest.Command{
		Args: []string{"/bin/sh", "-c", args.Command}, Dir: args.Dir, Env: env, Timeout: timeout, CPULimit: cpu,
		Stdout: &kept.stdout, Stderr: &kept.stderr,
	})
	if err != nil {
		return wire.ShellResult{}, err
	}
	r := wire.ShellResult{
		ExitCode: exit.Code, TimedOut: exit.TimedOut, CPULimited: exit.CPULimited,
		OOMKilled: ws.kills.since(killed), ExecUsage: execUsage(exit),
		StdoutDropped: exit.StdoutDropped + kept.stdout.dropped, StderrDropped: exit.StderrDropped + kept.stderr.dropped,
	}
	if wire.Shell.Failed(r) {
		r.ErrorCode, r.TraceID = &r.ExitCode, uuid.NewString()
	}
	kept.put(&r, args.Output == wire.OutputBytes)
	return r, nil
}

// put puts the output into r.
func (k *keeper) put(r *wire.ShellResult, bytes bool) {
	var h holes
	if bytes {
		r.StdoutBytes, r.StderrBytes = h.bytes(k.stdout.pieces), h.bytes(k.stderr.pieces)
	} else {
		out, errOut := fitOutputs(k.stdout.pieces, k.stderr.pieces, outputBudget)
		r.Stdout, r.StdoutBytes = h.asText(out)
		r.Stderr, r.StderrBytes = h.asText(errOut)
		r.StdoutDropped += int64(k.stdout.pieces.size() - out.size())
		r.StderrDropped += int64(k.stderr.pieces.size() - errOut.size())
	}
	r.Holes = h.list
}

// execUsage is what a command used, as it travels.
func execUsage(exit guest.Exit) wire.ExecUsage {
	return wire.ExecUsage{
		DurationUS: exit.Duration.Microseconds(), CPUTimeUS: exit.CPU.Microseconds(), MaxRSS: exit.MaxRSS,
	}
}

// timeoutOf returns a timeout of n units; 0 means the default.
func timeoutOf(name string, n int64, unit time.Duration) (time.Duration, error) {
	switch {
	case n == 0:
		return defaultTimeout, nil
	case n < 0 || n > int64(maxTimeout/unit):
		return 0, apierr.Errorf(apierr.InvalidArgument, "invalid arguments: %s: %d is not between 0 and %d", name, n, maxTimeout/unit)
	default:
		return time.Duration(n) * unit, nil
	}
}

// cpuTimeoutOf returns a limit of processor time; 0 means none.
func cpuTimeoutOf(ms int64) (time.Duration, error) {
	if ms == 0 {
		return 0, nil
	}
	return timeoutOf("cpu_timeout_ms", ms, time.Millisecond)
}

// environment returns variables in the form that programs take.
func environment(vars map[string]string) ([]string, error) {
	if len(vars) > maxEnv {
		return nil, apierr.Errorf(apierr.InvalidArgument, "invalid arguments: envs: %d variables, at most %d are allowed", len(vars), maxEnv)
	}
	env := make([]string, 0, len(vars))
	for k, v := range vars {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(v, "\x00") {
			return nil, apierr.Errorf(apierr.InvalidArgument, "invalid arguments: envs: %q cannot be a variable", k)
		}
		env = append(env, k+"="+v)
	}
	return env, nil
}
