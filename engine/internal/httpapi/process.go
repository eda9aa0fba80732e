package httpapi

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/engine/internal/spool"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/memnet"
	"github.com/agb-go/sdk/internal/wire"
)

// maxProcesses is how many processes a session knows: those that run and the
// latest that have ended.
const maxProcesses = 64

// process is a command to talk to. It does not change once it has started,
// apart from what it says itself.
type process struct {
	id       string
	args     []string
	detached bool
	tty      bool
	began    time.Time
	log      *spool.Log
	end      context.CancelCauseFunc // kills it

	stdin, fed *memnet.Conn  // nil without: what is written to one is read from the other
	typing     chan struct{} // held by the client that writes to stdin

	started chan struct{} // closed when what follows is set
	number  uint64        // the guest's
	pid     int

	done chan struct{} // closed when what follows is set
	exit wire.ProcessExit
	err  error // it could not be run, or what became of it is not known
}

// kill has p killed with all that it started.
func (p *process) kill() { p.end(nil) }

// startedAs tells what is known of p.
func (p *process) startedAs() wire.ProcessStarted {
	return wire.ProcessStarted{ProcessID: p.id, PID: p.pid}
}

// starts waits until p has started, which it may have and have ended since, and
// reports whether it has. When ctx ends first p is killed.
func (p *process) starts(ctx context.Context) bool {
	select {
	case <-p.started:
		return true
	case <-ctx.Done():
		p.kill()
		<-p.done
		return false
	case <-p.done:
		return p.begun()
	}
}

// begun reports whether p has started.
func (p *process) begun() bool {
	select {
	case <-p.started:
		return true
	default:
		return false
	}
}

// ended reports whether p has.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// run runs p to its end.
func (p *process) run(ctx context.Context, ws *Workspace, cmd guest.Command) {
	killed := ws.kills.now()
	cmd.OutputLimit = math.MaxInt64
	cmd.Stdout, cmd.Stderr = p.output(wire.FrameStdout), p.output(wire.FrameStderr)
	if p.fed != nil {
		cmd.Stdin = p.fed
	}
	cmd.Started = func(number uint64, pid int) {
		p.number, p.pid = number, pid
		close(p.started)
	}
	// Whoever is to be killed must not wait for a reader.
	defer context.AfterFunc(ctx, p.log.Release)()
	exit, err := ws.Guest.Run(ctx, cmd)
	if errors.Is(err, guest.ErrUnresponsive) {
		_ = ws.Guest.Close() // what could not be confirmed to be gone goes with the session
	}
	if p.fed != nil {
		_ = p.fed.Close() // returns nil
	}
	p.exit = wire.ProcessExit{
		ExitCode: exit.Code, Signal: exit.Signal, TimedOut: exit.TimedOut, CPULimited: exit.CPULimited,
		OOMKilled: ws.kills.since(killed), ExecUsage: execUsage(exit),
	}
	// One that was killed has ended as it was told to, unless the session has.
	switch p.err = err; {
	case errors.Is(context.Cause(ctx), errWorkspaceClosed):
		p.err = errWorkspaceClosed
	case p.number != 0 && errors.Is(err, context.Canceled) && !errors.Is(err, guest.ErrUnresponsive):
		p.err = nil
	}
	p.log.Close()
	close(p.done)
}

// output is where one stream of a process goes. It implements [io.Writer].
type output struct {
	log  *spool.Log
	kind wire.FrameKind
}

func (p *process) output(kind wire.FrameKind) output { return output{p.log, kind} }

func (o output) Write(b []byte) (int, error) {
	o.log.Append(byte(o.kind), b)
	return len(b), nil
}

// processes are those of a session, in the order in which they began.
type processes struct {
	mu     sync.Mutex
	all    []*process
	closed bool
}

// add makes p known, for which the one that ended first is forgotten if need be.
func (ps *processes) add(p *process) error {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed {
		return errWorkspaceClosed
	}
	if len(ps.all) >= maxProcesses {
		old := slices.IndexFunc(ps.all, (*process).ended)
		if old < 0 {
			return apierr.Errorf(apierr.ResourceExhausted, "the session has %d processes that run, more are not allowed", maxProcesses).
				WithHint("end some; commands that are not to be talked to do not count")
		}
		ps.all[old].log.Free()
		ps.all = slices.Delete(ps.all, old, old+1)
	}
	ps.all = append(ps.all, p)
	return nil
}

// remove forgets p, which nobody was told of.
func (ps *processes) remove(p *process) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.all = slices.DeleteFunc(ps.all, func(other *process) bool { return other == p })
	p.log.Free()
}

func (ps *processes) find(id string) (*process, error) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.all {
		if p.id == id && p.begun() {
			return p, nil
		}
	}
	return nil, apierr.Errorf(apierr.NotFound, "process not found").
		WithHint("of those that have ended the session knows the latest, %d in all", maxProcesses)
}

// list returns those that somebody may know of.
func (ps *processes) list() []*process {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ps.all), func(p *process) bool { return !p.begun() })
}

// close kills all and forgets them.
func (ps *processes) close() {
	ps.mu.Lock()
	all := ps.all
	ps.all, ps.closed = nil, true
	ps.mu.Unlock()
	for _, p := range all {
		p.end(errWorkspaceClosed)
		p.log.Free()
	}
}

// begin starts a process, and returns when it runs.
func (ws *Workspace) begin(ctx context.Context, req *wire.StartProcessRequest) (*process, error) {
	cmd, err := processCommand(req)
	if err != nil {
		return nil, err
	}
	p := &process{
		id: uuid.NewString(), args: req.Args, detached: req.Detach, tty: req.TTY != nil, began: time.Now(), log: spool.New(),
		typing: make(chan struct{}, 1), started: make(chan struct{}), done: make(chan struct{}),
	}
	if req.Stdin {
		p.stdin, p.fed = memnet.Pipe()
	}
	if p.detached {
		p.log.Release() // it goes on whether anybody reads or not
	}
	runs, end := context.WithCancelCause(context.Background()) // it may outlive the stream
	p.end = end
	if err := ws.processes.add(p); err != nil {
		p.kill()
		return nil, err
	}
	go func() {
		defer p.kill()
		p.run(runs, ws, cmd)
	}()
	if p.starts(ctx) {
		return p, nil
	}
	ws.processes.remove(p)
	if p.err != nil && ctx.Err() == nil {
		return nil, p.err
	}
	return nil, ctx.Err()
}

// processCommand returns what to run.
func processCommand(req *wire.StartProcessRequest) (cmd guest.Command, err error) {
	if len(req.Args) == 0 || req.Args[0] == "" {
		return cmd, apierr.Errorf(apierr.InvalidArgument, "args: there is no program")
	}
	cmd = guest.Command{Args: req.Args, Dir: req.Dir, Combined: req.Combined}
	if cmd.Env, err = environment(req.Env); err != nil {
		return cmd, err
	}
	if req.TimeoutMS != 0 {
		if cmd.Timeout, err = timeoutOf("timeoutMs", req.TimeoutMS, time.Millisecond); err != nil {
			return cmd, err
		}
	}
	if req.CPUTimeoutMS != 0 {
		if cmd.CPULimit, err = timeoutOf("cpuTimeoutMs", req.CPUTimeoutMS, time.Millisecond); err != nil {
			return cmd, err
		}
	}
	if req.TTY != nil {
		size := guestSize(*req.TTY)
		cmd.TTY = &size
	}
	return cmd, nil
}

func guestSize(s wire.WindowSize) guest.Size { return guest.Size{Rows: s.Rows, Columns: s.Columns} }
