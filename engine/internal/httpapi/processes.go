package httpapi

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// pingEvery is how long a process may say nothing until the server finds out
// whether its client is there.
const pingEvery = 5 * time.Second

// startProcess runs a command and stays with it.
func startProcess(ctx context.Context, ws *Workspace, req wire.StartProcessRequest, accept func() (*duplex, error)) error {
	p, err := ws.begin(ctx, &req)
	if err != nil {
		return err
	}
	if !p.detached {
		defer p.kill() // it has ended, if its client has not left it
	}
	d, err := accept()
	if err != nil {
		p.kill()
		return err
	}
	return ws.talk(ctx, d, p, 0, !p.detached)
}

// attachProcess goes on with a process where another client was.
func attachProcess(ctx context.Context, ws *Workspace, req wire.AttachProcessRequest, accept func() (*duplex, error)) error {
	if req.Offset < 0 {
		return apierr.Errorf(apierr.InvalidArgument, "offset: %d is negative", req.Offset)
	}
	p, err := ws.processes.find(req.ProcessID)
	if err != nil {
		return err
	}
	if _, end := p.log.Bounds(); req.Offset > end {
		return apierr.Errorf(apierr.InvalidArgument, "offset: %d is after the end of the output, %d", req.Offset, end)
	}
	d, err := accept()
	if err != nil {
		return err
	}
	return ws.talk(ctx, d, p, req.Offset, false)
}

// talk joins a stream with a process until either ends. An owner takes the
// process along when it leaves, and has all of its output.
func (ws *Workspace) talk(ctx context.Context, d *duplex, p *process, offset int64, owner bool) error {
	if err := d.send(wire.FrameStarted, p.startedAs()); err != nil {
		return err
	}
	heard, left := context.WithCancelCause(ctx)
	defer left(nil)
	go func() { left(p.listen(heard, d)) }()
	err := p.tell(heard, d, offset, owner)
	switch {
	case heard.Err() != nil && ctx.Err() == nil && errors.Is(context.Cause(heard), errLeft):
		return d.send(wire.FrameEnd, wire.ProcessExit{Left: true})
	case err != nil && ctx.Err() == nil && heard.Err() != nil:
		return errGivenUp
	case err != nil:
		return err
	case p.err != nil:
		return p.err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return d.send(wire.FrameEnd, p.exit)
}

// errLeft is why a client that says so hears no more.
var errLeft = errors.New("httpapi: the client has left")

// listen takes what a client says to p, until it leaves.
func (p *process) listen(ctx context.Context, d *duplex) error {
	for {
		kind, _, err := d.Next()
		switch {
		case err != nil:
			return errGivenUp
		case kind == wire.FrameEnd:
			return errLeft
		case kind != wire.FrameData && kind != wire.FrameStdinEnd:
			return errGivenUp // which was not agreed
		case p.stdin == nil: // it takes none
		case kind == wire.FrameStdinEnd:
			_ = p.stdin.CloseWrite() // returns nil
		case p.feed(ctx, d.FrameReader) != nil:
			return errGivenUp
		}
	}
}

// feed writes what r has to p's standard input, until ctx ends. A process that
// has ended takes it all.
func (p *process) feed(ctx context.Context, r io.Reader) error {
	select {
	case p.typing <- struct{}{}:
		defer func() { <-p.typing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	late := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = p.stdin.SetWriteDeadline(time.Unix(1, 0)) // it returns nil
		close(late)
	})
	_, err := io.Copy(writerOnly{p.stdin}, r)
	if !stop() {
		<-late
		_ = p.stdin.SetWriteDeadline(time.Time{}) // for the next
	}
	if errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// tell sends p's output, to its end.
func (p *process) tell(ctx context.Context, d *duplex, offset int64, owner bool) error {
	buf := make([]byte, 32<<10)
	for {
		kind, from, n, err := p.read(ctx, offset, buf)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			if err := d.WriteFrame(wire.FramePing, nil); err != nil {
				return errGivenUp
			}
			continue
		}
		if from > offset {
			if err := d.send(wire.FrameDropped, wire.ProcessDropped{Bytes: from - offset}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			<-p.done
			return nil
		case err != nil:
			return err
		}
		if err := d.WriteFrame(wire.FrameKind(kind), buf[:n]); err != nil {
			return errGivenUp
		}
		offset = from + int64(n)
		if owner {
			p.log.Hold(offset)
		}
	}
}

func (p *process) read(ctx context.Context, offset int64, buf []byte) (kind byte, from int64, n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, pingEvery)
	defer cancel()
	return p.log.Read(ctx, offset, buf)
}

func (a *API) listProcesses(_ context.Context, by caller, req wire.SessionQuery) (*wire.ProcessList, error) {
	ws, err := a.cfg.Engine.Workspace(by.tenant, req.SessionID)
	if err != nil {
		return nil, err
	}
	list := &wire.ProcessList{Processes: []wire.Process{}}
	for _, p := range ws.processes.list() {
		e := wire.Process{ProcessStarted: p.startedAs(), Args: p.args, Started: p.began.UTC(), Detached: p.detached, TTY: p.tty}
		e.Oldest, e.End = p.log.Bounds()
		if p.ended() {
			e.Exit = &p.exit
		}
		list.Processes = append(list.Processes, e)
	}
	return list, nil
}

// withProcess runs fn for a process of a session, as a call.
func (a *API) withProcess(ctx context.Context, by caller, session, id string, fn func(context.Context, *Workspace, *process) error) (*wire.Empty, error) {
	err := a.cfg.Engine.Do(ctx, by.tenant, session, func(ctx context.Context, ws *Workspace) error {
		p, err := ws.processes.find(id)
		if err != nil {
			return err
		}
		return fn(ctx, ws, p)
	})
	if err != nil {
		return nil, fromInside(err)
	}
	return &wire.Empty{}, nil
}

func (a *API) signalProcess(ctx context.Context, by caller, req wire.SignalProcessRequest) (*wire.Empty, error) {
	return a.withProcess(ctx, by, req.SessionID, req.ProcessID, func(ctx context.Context, ws *Workspace, p *process) error {
		signal, ok := signalNumber(req.Signal)
		switch {
		case !ok:
			return apierr.Errorf(apierr.InvalidArgument, "signal: %.32q is not a signal, such as TERM", req.Signal)
		case p.ended():
			return apierr.Errorf(apierr.FailedPrecondition, "the process has ended")
		case signal != int(syscall.SIGKILL):
			return ws.Guest.Signal(ctx, p.number, signal)
		}
		p.kill()
		select {
		case <-p.done:
			return p.err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

func (a *API) resizeProcess(ctx context.Context, by caller, req wire.ResizeProcessRequest) (*wire.Empty, error) {
	return a.withProcess(ctx, by, req.SessionID, req.ProcessID, func(ctx context.Context, ws *Workspace, p *process) error {
		switch {
		case !p.tty:
			return apierr.Errorf(apierr.FailedPrecondition, "the process has no terminal")
		case p.ended():
			return apierr.Errorf(apierr.FailedPrecondition, "the process has ended")
		}
		return ws.Guest.Resize(ctx, p.number, guestSize(req.WindowSize))
	})
}

// signals are those that kill(1) knows, as numbered on Linux, see signal(7).
var signals = map[string]int{
	"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12,
	"PIPE": 13, "ALRM": 14, "TERM": 15, "STKFLT": 16, "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "TTIN": 21, "TTOU": 22, "URG": 23,
	"XCPU": 24, "XFSZ": 25, "VTALRM": 26, "PROF": 27, "WINCH": 28, "IO": 29, "PWR": 30, "SYS": 31,
}

func signalNumber(name string) (int, bool) {
	if n, ok := signals[strings.TrimPrefix(strings.ToUpper(name), "SIG")]; ok {
		return n, true
	}
	const last = 64
	n, err := strconv.Atoi(name)
	return n, err == nil && n > 0 && n <= last
}
