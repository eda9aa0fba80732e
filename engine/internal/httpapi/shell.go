package httpapi

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// Bounds of a command and of code.
const (
	defaultTimeout = time.Minute
	maxTimeout     = 24 * time.Hour
	maxEnv         = 1000 // variables
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
	if args.Output != "" && args.Output != wire.OutputBytes {
		return wire.ShellResult{}, apierr.Errorf(apierr.InvalidArgument, "shell: invalid arguments: output: %q is not %q", args.Output, wire.OutputBytes)
	}
	env, err := environment(args.Env)
	if err != nil {
		return wire.ShellResult{}, err
	}
	var stdout, stderr bytes.Buffer
	exit, err := ws.Guest.Run(ctx, guest.Command{
		Args: []string{"/bin/sh", "-c", args.Command}, Dir: args.Dir, Env: env, Timeout: timeout,
		Stdout: &stdout, Stderr: &stderr,
	})
	if err != nil {
		return wire.ShellResult{}, err
	}
	fit := fitOutputs
	if args.Output == wire.OutputBytes {
		fit = fitBytes
	}
	out, errOut := fit(stdout.Bytes(), stderr.Bytes(), outputBudget)
	r := wire.ShellResult{
		ExitCode: exit.Code, TimedOut: exit.TimedOut, DurationUS: exit.Duration.Microseconds(),
		StdoutDropped: exit.StdoutDropped + int64(stdout.Len()-len(out)),
		StderrDropped: exit.StderrDropped + int64(stderr.Len()-len(errOut)),
	}
	if args.Output == wire.OutputBytes {
		r.StdoutBytes, r.StderrBytes = out, errOut
	} else {
		r.Stdout, r.StdoutBytes = asText(out)
		r.Stderr, r.StderrBytes = asText(errOut)
	}
	if wire.Shell.Failed(r) {
		r.ErrorCode, r.TraceID = &r.ExitCode, uuid.NewString()
	}
	return r, nil
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
