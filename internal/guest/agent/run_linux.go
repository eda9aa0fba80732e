package agent

import (
	"bytes"
	"context"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/internal/guest"
)

const (
	// commandLimit is how many commands run at once, and turnLimit how long
	// others wait for their turn before they are refused.
	commandLimit = 128
	turnLimit    = 5 * time.Second
)

// LookPath implements guest.Handler.
func (a *agent) LookPath(_ context.Context, names ...string) (string, error) {
	for _, name := range names {
		if p, err := a.program(unix.AT_FDCWD, name); err == nil && p[0] == '/' {
			return p, nil
		}
	}
	return "", fail(guest.CommandNotFound, unix.ENOENT, "no such program")
}

// Run implements guest.Handler.
func (a *agent) Run(ctx context.Context, cmd guest.Command) (guest.Exit, error) {
	if err := a.turn(ctx); err != nil {
		return guest.Exit{}, err
	}
	defer func() { <-a.commands }()
	proc, ends, err := a.start(&cmd)
	if err != nil {
		return guest.Exit{}, err
	}
	defer ends.close()
	if ends.stdin != nil {
		go feed(ends.stdin, cmd.Stdin)
	}
	if ends.program != nil {
		go feed(ends.program, bytes.NewReader(cmd.Program))
	}
	out := startPump(ends.stdout, cmd.Stdout, cmd.OutputLimit)
	errOut := startPump(ends.stderr, cmd.Stderr, cmd.OutputLimit)
	pumps := []*pump{out, errOut}
	var report bytes.Buffer
	if ends.report != nil {
		pumps = append(pumps, startPump(ends.report, &report, guest.ReportLimit))
	}

	timedOut, err := a.await(ctx, proc, cmd.Timeout)
	for _, p := range pumps {
		p.drain()
	}
	for _, p := range pumps {
		<-p.done
	}
	if err != nil {
		return guest.Exit{}, err
	}
	exit := proc.exit()
	exit.TimedOut = timedOut
	exit.Report = report.Bytes()
	exit.StdoutDropped, exit.StderrDropped = out.dropped, errOut.dropped
	if ends.report != nil {
		exit.ReportDropped = pumps[2].dropped
	}
	a.leave(ends, pumps)
	return exit, nil
}

// turn waits until a command may start.
func (a *agent) turn(ctx context.Context) error {
	select {
	case a.commands <- struct{}{}:
		return nil
	default:
	}
	wait := time.NewTimer(turnLimit)
	defer wait.Stop()
	select {
	case a.commands <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
		return fail(guest.Busy, unix.EAGAIN, "too many commands at once")
	}
}

// await waits until the main process is gone, which it is when the command is
// given up or its time is over.
func (a *agent) await(ctx context.Context, proc *process, timeout time.Duration) (timedOut bool, err error) {
	var over <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-proc.exited:
		return false, nil
	case <-over:
		timedOut = true
	case <-ctx.Done():
	}
	return timedOut, a.children.kill(proc)
}

// leave lets what is left in the background write on into nothing.
func (a *agent) leave(ends *pipes, pumps []*pump) {
	for i, f := range []**os.File{&ends.stdout, &ends.stderr, &ends.report} {
		if i < len(pumps) && pumps[i].more {
			a.leftover.keep(*f)
			*f = nil
		}
	}
}

// exit is how the process ended. It must be gone.
func (p *process) exit() guest.Exit {
	x := guest.Exit{
		Duration: p.ended.Sub(p.started),
		CPU:      cpu(p.usage),
		MaxRSS:   p.usage.Maxrss << 10,
	}
	if p.status.Signaled() {
		x.Signal = int(p.status.Signal())
		x.Code = 128 + x.Signal
	} else {
		x.Code = p.status.ExitStatus()
	}
	return x
}

func cpu(u syscall.Rusage) time.Duration {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
