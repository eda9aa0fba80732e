package agent

import (
	"context"
	"math"
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
	begin := time.Now()
	if err := a.turn(ctx, cmd.Timeout); err != nil {
		return guest.Exit{}, err
	}
	if cmd.Timeout > 0 {
		cmd.Timeout = max(cmd.Timeout-time.Since(begin), 1) // the engine's clock runs, too
	}
	defer func() { <-a.commands }()
	proc, ends, err := a.start(&cmd)
	if err != nil {
		return guest.Exit{}, err
	}
	defer ends.close()
	if cmd.Started != nil {
		id := a.live.add(&living{proc, ends.tty})
		defer a.live.remove(id)
		cmd.Started(id, proc.pid)
	}
	switch {
	case ends.control != nil:
		go feedControl(ends.control, cmd.Stdin)
	case ends.stdin != nil:
		go feed(ends.stdin, cmd.Stdin)
	case ends.tty != nil:
		go feedTTY(ends.tty, cmd.Stdin)
	}
	out := startPump(ends.stdout, cmd.Stdout, cmd.OutputLimit)
	pumps := []*pump{out}
	errOut := &pump{}
	if ends.stderr != nil {
		errOut = startPump(ends.stderr, cmd.Stderr, cmd.OutputLimit)
		pumps = append(pumps, errOut)
	}
	told := &pump{}
	if ends.control != nil {
		told = startPump(ends.control, inOrder{cmd.Control, pumps}, math.MaxInt64)
		pumps = append(pumps, told)
	}

	end, err := a.await(ctx, proc, &cmd)
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
	exit.TimedOut = end.timedOut && proc.status.Signaled() // else it ended by itself just then
	exit.CPULimited = end.cpuLimited
	if end.timedOut || end.cpuLimited {
		exit.CPU += a.children.orphaned(proc) // who waited for them is gone, too
	}
	exit.StdoutDropped, exit.StderrDropped = out.dropped, errOut.dropped
	a.leave(ends, out, errOut, told)
	return exit, nil
}

// turn waits until a command may start, for no longer than it may run.
func (a *agent) turn(ctx context.Context, timeout time.Duration) error {
	select {
	case a.commands <- struct{}{}:
		return nil
	default:
	}
	limit := turnLimit
	if timeout > 0 {
		limit = min(limit, timeout)
	}
	wait := time.NewTimer(limit)
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

// ending is what ended a command, if not it itself.
type ending struct{ timedOut, cpuLimited bool }

// await waits until the main process is gone, which it is when the command is
// given up or its time is over. Then all of the command is.
func (a *agent) await(ctx context.Context, proc *process, cmd *guest.Command) (end ending, err error) {
	var over <-chan time.Time
	if cmd.Timeout > 0 {
		timer := time.NewTimer(cmd.Timeout)
		defer timer.Stop()
		over = timer.C
	}
	m := newMeter(a.children, proc, cmd.CPULimit)
	defer m.stop()
	for waiting := true; waiting; {
		select {
		case <-proc.exited:
			end.cpuLimited = m.obeyed()
			if !end.cpuLimited {
				return end, nil
			}
			waiting = false
		case <-m.timer.C:
			end.cpuLimited = m.look()
			waiting = !end.cpuLimited
		case <-over:
			end.timedOut, waiting = true, false
		case <-ctx.Done():
			waiting = false
		}
	}
	return end, a.children.kill(proc)
}

// leave lets what is left in the background write on into nothing.
func (a *agent) leave(ends *pipes, pumps ...*pump) {
	for i, f := range []**os.File{&ends.stdout, &ends.stderr, &ends.control} {
		if pumps[i].more {
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
