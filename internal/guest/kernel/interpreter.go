package kernel

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/agb-go/sdk/internal/guest"
)

const (
	// interruptGrace is how long a run may take to end after it was
	// interrupted. Then its interpreter is killed.
	interruptGrace = 5 * time.Second
	// interruptAgain is when it is interrupted once more: the first may have
	// come before the driver began to run it.
	interruptAgain = 2 * time.Second
	// wakeAfter is how long an interpreter may take to heed a signal before it
	// is woken to look for it.
	wakeAfter = 10 * time.Millisecond
	// sigurg is Linux's SIGURG, see signal(7).
	sigurg = 23
	// lateLimit bounds what is kept of each stream of what comes between runs.
	lateLimit = 64 << 10
	// callLimit is how many bytes a call of a function, and what it returns,
	// may have.
	callLimit = 1 << 20
	// callsAtOnce is how many calls one run may have under way.
	callsAtOnce = 16
	// answersLimit is how many answers a driver may leave unread when it asks
	// for more, and answersBytes how long they may be together for another call.
	answersLimit = 1 << 14
	answersBytes = callsAtOnce * callLimit
)

// interpreter is one process of an interpreter with its driver.
type interpreter struct {
	client *guest.Client
	kill   context.CancelCauseFunc // nil for no fault of the driver's
	feed   *io.PipeWriter          // what the driver reads

	started chan struct{} // closed when number is set
	number  uint64
	done    chan struct{} // closed when what follows is set
	exit    guest.Exit
	err     error

	mu    sync.Mutex
	run   *running // nil between runs
	late  Late
	used  time.Duration // processor time of the runs that have ended
	calls chan struct{} // a slot for each call under way
	spec  *spec
	cause string // why it was killed, see notice.go

	// What the driver has asked for and was not told yet. One goroutine tells
	// it, while there is anything.
	answers     [][]byte
	answersSize int
	answering   bool
}

// start starts an interpreter and does not wait until it runs.
func start(ctx context.Context, client *guest.Client, s *spec, dir string, env []string, limit time.Duration) (*interpreter, error) {
	path, err := s.find(ctx, client)
	if err != nil {
		return nil, err
	}
	for name, content := range s.files {
		if _, err := client.Write(ctx, name, guest.Overwrite, 0o644, strings.NewReader(content)); err != nil {
			return nil, fmt.Errorf("kernel: driver of %s: %w", s.name, err)
		}
	}
	reads, feed := io.Pipe()
	live, kill := context.WithCancelCause(context.Background())
	in := &interpreter{
		client: client, kill: kill, feed: feed,
		started: make(chan struct{}), done: make(chan struct{}), calls: make(chan struct{}, callsAtOnce), spec: s,
	}
	cmd := guest.Command{
		Args: s.command(path), Dir: dir, Env: append(s.env[:len(s.env):len(s.env)], env...), CPULimit: limit,
		Stdin: reads, Control: &frames{begin: in.begin, take: in.take}, OutputLimit: math.MaxInt64,
		Stdout: sink(func(p []byte) { in.output(p, false) }), Stderr: sink(func(p []byte) { in.output(p, true) }),
		Started: func(number uint64, _ int) {
			in.number = number
			close(in.started)
		},
	}
	go func() {
		defer kill(nil)
		in.exit, in.err = client.Run(live, cmd)
		if errors.Is(context.Cause(live), errFrame) && !errors.Is(in.err, guest.ErrUnresponsive) {
			in.err = errFrame
		}
		_ = reads.Close() // returns nil
		close(in.done)
	}()
	return in, nil
}

// sink is a writer that never fails.
type sink func(p []byte)

func (s sink) Write(p []byte) (int, error) {
	s(p)
	return len(p), nil
}

// ended reports whether the interpreter has.
func (in *interpreter) ended() bool {
	select {
	case <-in.done:
		return true
	default:
		return false
	}
}

// begun reports whether the interpreter has started.
func (in *interpreter) begun() bool {
	select {
	case <-in.started:
		return true
	default:
		return false
	}
}

// current returns the run under way, nil when there is none.
func (in *interpreter) current() *running {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.run
}

func (in *interpreter) output(p []byte, isErr bool) {
	r := in.current()
	switch {
	case r == nil:
		in.keep(p, isErr)
	case isErr:
		if r.tail != nil && r.ending == nil {
			r.tail.add(p)
		}
		r.output(&r.stderr, p)
	default:
		r.output(&r.stdout, p)
	}
}

// keep keeps what belongs to no run.
func (in *interpreter) keep(p []byte, isErr bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.late.add(p, isErr)
}

// begin says whether what a driver says is wanted.
func (in *interpreter) begin(kind string, size int) (bool, error) {
	switch kind {
	case "item":
		r := in.current()
		return r != nil && r.wants(size), nil
	case "done":
		if in.current() == nil || size > doneLimit {
			return false, errFrame
		}
	case "wait":
		if size > 0 {
			return false, errFrame
		}
	case "failed":
		return in.current() != nil && size <= placeLimit, nil
	case "late1", "late2":
		if size > lateLimit {
			return false, errFrame
		}
	case "call":
		if size > callLimit {
			return false, errFrame
		}
	default:
		return false, errFrame
	}
	return true, nil
}

// take takes in what a driver says.
func (in *interpreter) take(kind string, body []byte) error {
	r := in.current()
	switch {
	case body == nil:
	case kind == "late1" || kind == "late2":
		in.keep(body, kind == "late2")
	case (kind == "wait" || kind == "call") && in.behind():
		return errFrame
	case kind == "wait":
		in.answer("go", nil) // what came before it has been taken in
	case kind == "call":
		return in.call(r, body)
	case r == nil:
		return errFrame
	case kind == "item":
		r.item(body)
	case kind == "failed":
		return decode(body, &r.place)
	default:
		e, err := parseEnding(body)
		if err != nil {
			return err
		}
		if r.ending != nil {
			return errFrame
		}
		if r.ending = &e; !r.last && !e.exits {
			in.mu.Lock()
			in.run = nil
			in.mu.Unlock()
			close(r.over)
		}
	}
	return nil
}

// interrupt interrupts r with SIGINT. An interpreter that looked for signals
// just before it began to wait for something else would learn of it when that
// is over: SIGURG, which programs ignore or take for nothing, ends the wait.
func (in *interpreter) interrupt(ctx context.Context, r *running) error {
	select {
	case <-in.started:
	case <-in.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	err := in.client.Signal(ctx, in.number, int(syscall.SIGINT))
	if err == nil && !in.rests(r, wakeAfter) {
		err = in.client.Signal(ctx, in.number, sigurg)
	}
	if errors.Is(err, fs.ErrNotExist) { // it has ended
		return nil
	}
	return err
}

// rests waits for the end of r, for so long, and reports whether there was one.
func (in *interpreter) rests(r *running, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-r.over:
		return true
	case <-in.done:
		return true
	case <-timer.C:
		return false
	}
}

// stop ends r, with its interpreter if need be, which is then killed for why.
func (in *interpreter) stop(r *running, why string) {
	ctx, cancel := context.WithTimeout(context.Background(), interruptGrace)
	defer cancel()
	if in.interrupt(ctx, r) != nil || !in.heeds(ctx, r) {
		in.giveUp(r, why)
	}
}

// insist ends r, which was interrupted.
func (in *interpreter) insist(r *running) {
	ctx, cancel := context.WithTimeout(context.Background(), interruptGrace)
	defer cancel()
	if !in.heeds(ctx, r) {
		in.giveUp(r, unheeded)
	}
}

// heeds reports whether r, which was interrupted, ends in time.
func (in *interpreter) heeds(ctx context.Context, r *running) bool {
	return in.rests(r, interruptAgain) || in.interrupt(ctx, r) == nil && in.rests(r, interruptGrace-interruptAgain)
}

// giveUp kills the interpreter for why, unless r is over by now, and waits until
// it is gone.
func (in *interpreter) giveUp(r *running, why string) {
	in.mu.Lock()
	over := in.run != r
	if !over {
		in.cause = cmp.Or(in.cause, why)
		in.kill(nil)
	}
	in.mu.Unlock()
	if !over {
		<-in.done
	}
}

// close kills the interpreter and waits until it is gone, or ctx ends.
func (in *interpreter) close(ctx context.Context) error {
	in.kill(nil)
	select {
	case <-in.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// perform runs code to its end, or the interpreter's. It returns what came
// late until now, whether the timeout has ended it, and why it was given up.
func (in *interpreter) perform(ctx context.Context, code string, r *running) (late Late, timedOut bool, err error) {
	late = in.takeLate()
	in.mu.Lock()
	in.run = r
	in.mu.Unlock()
	told := make(chan struct{})
	go func() {
		defer close(told)
		if r.opts.Functions != nil && in.spec.calls {
			names, _ := json.Marshal(r.opts.Functions) // text always encodes
			in.tell("functions", names)
		}
		if r.opts.Ordered && in.spec.order {
			in.tell("order", nil)
		}
		_, _ = in.feed.Write(r.frame(code)) // it fails when the interpreter is over
	}()
	var timeout <-chan time.Time
	if r.opts.Timeout > 0 {
		timer := time.NewTimer(r.opts.Timeout)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-r.over:
	case <-in.done:
	case <-timeout:
		timedOut = true
		in.stop(r, overdue)
	case <-ctx.Done():
		in.stop(r, givenUp)
		err = ctx.Err()
	case <-r.failed:
		in.stop(r, givenUp)
		err = r.err
	}
	in.heard(told)
	return late, timedOut, err
}
