package session

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/internal/transport"
)

// Defaults of [WaitOptions], and how long one look at a condition may take.
const (
	DefaultWaitTimeout  = time.Minute
	DefaultWaitInterval = 50 * time.Millisecond
	lookTimeout         = 10 * time.Second
)

// Condition is something in a session that can be waited for with
// [Session.WaitFor]. The zero Condition always holds.
type Condition struct {
	name  string
	check func(ctx context.Context, s *Session) error // nil when it holds
}

// String describes the condition.
func (c Condition) String() string { return cmp.Or(c.name, "nothing") }

// PortOpen holds when something listens on a port inside.
func PortOpen(port int) Condition {
	return Condition{fmt.Sprintf("port %d", port), func(ctx context.Context, s *Session) error {
		c, err := s.Dial(ctx, "tcp", fmt.Sprintf("localhost:%d", port))
		if err != nil {
			return err
		}
		return c.Close()
	}}
}

// HTTPAnswers holds when the HTTP server on a port inside answers a GET of a
// path with a status below 400. Redirects are followed, all on that port.
func HTTPAnswers(port int, path string) Condition {
	return Condition{fmt.Sprintf("http port %d %s", port, path), func(ctx context.Context, s *Session) error {
		client := s.HTTPClient(port)
		defer client.CloseIdleConnections()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/"+strings.TrimPrefix(path, "/"), nil)
		if err != nil {
			return apierr.Errorf(apierr.InvalidArgument, "path: %w", err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close() // nothing in it is wanted
		if resp.StatusCode >= http.StatusBadRequest {
			return fmt.Errorf("the answer is %s", resp.Status)
		}
		return nil
	}}
}

// FileExists holds when there is something at a path.
func FileExists(path string) Condition {
	return Condition{"file " + path, func(ctx context.Context, s *Session) error {
		_, err := s.FileSystem.Stat(ctx, path, nil)
		return err
	}}
}

// Succeeds holds when a shell command ends with code 0 within 10 seconds.
func Succeeds(cmd string) Condition {
	return Condition{"command " + cmd, func(ctx context.Context, s *Session) error {
		r, err := s.Command.Run(ctx, cmd, &command.RunOptions{Timeout: lookTimeout})
		if err == nil && r.ExitCode != 0 {
			err = fmt.Errorf("exit code %d: %.200s", r.ExitCode, strings.TrimSpace(r.Stderr))
		}
		return err
	}}
}

// Prints holds when a writer, which is not nil, has got a text.
func Prints(w *Watcher, text string) Condition {
	return Condition{fmt.Sprintf("output %q", text), func(context.Context, *Session) error {
		if w == nil {
			return apierr.Errorf(apierr.InvalidArgument, "there is no writer")
		}
		if !w.has(text) {
			return errors.New("it was not printed yet")
		}
		return nil
	}}
}

// AllOf holds when all do, AnyOf when one does. None at all hold. Both look at
// all of them at the same time.
func AllOf(all ...Condition) Condition { return several("all of", all, len(all)) }

// AnyOf is described at [AllOf].
func AnyOf(some ...Condition) Condition { return several("one of", some, min(1, len(some))) }

// several holds when so many do. What fails is told of each.
func several(what string, list []Condition, enough int) Condition {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.String()
	}
	return Condition{what + " (" + strings.Join(names, ", ") + ")", func(ctx context.Context, s *Session) error {
		held, may, why := 0, len(list), []error{}
		for i, err := range lookAt(ctx, s, list, enough) {
			if err == nil {
				held++
				continue
			}
			err = fmt.Errorf("%v: %w", list[i], err)
			if hopeless(err) {
				may--
				why = slices.Insert(why, 0, err) // whose code it has
			} else {
				why = append(why, err)
			}
		}
		if held >= enough {
			return nil
		}
		return unmet{errors.Join(why...), may < enough}
	}}
}

// lookAt looks at all of list at a time, until enough hold, so that one that
// takes long keeps no other waiting.
func lookAt(ctx context.Context, s *Session, list []Condition, enough int) []error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(list))
	var held atomic.Int64
	var looks sync.WaitGroup
	for i, c := range list {
		looks.Go(func() {
			if errs[i] = c.look(ctx, s); errs[i] == nil && held.Add(1) == int64(enough) {
				cancel()
			}
		})
	}
	looks.Wait()
	return errs
}

// unmet is why too few of several conditions hold.
type unmet struct {
	error
	hopeless bool // so many never will
}

func (u unmet) Unwrap() error { return u.error }

func (c Condition) look(ctx context.Context, s *Session) error {
	if c.check == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return c.check(ctx, s)
}

// WaitOptions are the options of [Session.WaitFor]. Nil and the zero value are
// ready to use.
type WaitOptions struct {
	Timeout  time.Duration // 0 means [DefaultWaitTimeout]
	Interval time.Duration // between looks; 0 means [DefaultWaitInterval]
}

// WaitResult is the outcome of [Session.WaitFor].
type WaitResult struct {
	Waited time.Duration
	Looks  int
}

// WaitFor waits until a condition holds. When it does not in time the error
// matches [context.DeadlineExceeded] and what was wrong when it last looked,
// and says so. It gives up early when the session is gone or the service does
// not take the key, and when the condition can never hold: it cannot be asked
// for there, or nowhere, as a path with a zero byte in it. Of [AnyOf] none can
// then. One look takes up to 10 seconds: what is not known by then does not
// hold yet.
func (s *Session) WaitFor(ctx context.Context, c Condition, opts *WaitOptions) (*WaitResult, error) {
	o := WaitOptions{}
	if opts != nil {
		o = *opts
	}
	if o.Timeout < 0 || o.Interval < 0 {
		return nil, s.fail(apierr.Errorf(apierr.InvalidArgument, "a time is negative"), "WaitFor")
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.Timeout, DefaultWaitTimeout))
	defer cancel()
	begin, last := time.Now(), error(nil)
	for looks := 1; ; looks++ {
		err := c.look(ctx, s)
		switch {
		case err == nil:
			return &WaitResult{Waited: time.Since(begin), Looks: looks}, nil
		case ctx.Err() == nil || last == nil: // else it says no more than that
			last = err
		}
		if hopeless(err) {
			return nil, s.fail(err, "WaitFor")
		}
		select {
		case <-time.After(cmp.Or(o.Interval, DefaultWaitInterval)):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			e := apierr.Errorf(apierr.CodeOf(ctx.Err()), "waited %v for %v: %s", time.Since(begin).Round(time.Millisecond), c, last.Error())
			e.Cause = errors.Join(ctx.Err(), last)
			return nil, s.fail(e, "WaitFor")
		}
	}
}

// hopeless reports whether looking again would end in the same way. What may
// not be done inside now may be allowed later.
func hopeless(err error) bool {
	if is(err, apierr.SessionNotFound, apierr.Unauthenticated) {
		return true // of all that could be asked
	}
	var several unmet
	if errors.As(err, &several) {
		return several.hopeless
	}
	return is(err, apierr.Unsupported, apierr.InvalidArgument) || errors.Is(err, transport.ErrNoUpgrade)
}

func is(err error, codes ...apierr.Code) bool {
	return slices.ContainsFunc(codes, func(c apierr.Code) bool { return errors.Is(err, c.Err()) })
}

// watchLimit is how many bytes a [Watcher] remembers.
const watchLimit = 64 << 10

// Watcher is a writer that remembers the latest 64 KiB, for [Prints]: the Stdout
// of a command, alone or through [io.MultiWriter]. The zero Watcher is ready to
// use. It is safe for concurrent use.
type Watcher struct {
	mu   sync.Mutex
	seen []byte
}

// Write implements [io.Writer]. It never fails.
func (w *Watcher) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, p[max(0, len(p)-watchLimit):]...)
	if over := len(w.seen) - watchLimit; over > 0 {
		w.seen = append(w.seen[:0], w.seen[over:]...)
	}
	return len(p), nil
}

func (w *Watcher) has(text string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return bytes.Contains(w.seen, []byte(text))
}
