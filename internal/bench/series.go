package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

// series is one thing that is measured, once a round.
type series struct {
	name  string
	peer  string // the series that it is compared with, "" for none
	once  func(context.Context) (time.Duration, error)
	times []time.Duration
}

// Names of the series that others are compared with.
const (
	forkExec = "fork + exec of /bin/echo"
	bwrap    = "bwrap --unshare-all, echo"
)

// plan returns what is measured. Bubblewrap is left out where it is not
// installed. Sessions of pooled come from a pool.
func plan(ctx context.Context, client, pooled *agb.Client) ([]*series, error) {
	live, err := client.Create(ctx, nil)
	if err != nil {
		return nil, err
	}
	peer := forkExec
	var beside *series
	if path, err := exec.LookPath("bwrap"); err == nil {
		peer = bwrap
		beside = &series{name: bwrap, once: process(path,
			"--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin",
			"--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev",
			"--tmpfs", "/tmp", "--", "/bin/echo", "hi")}
	}
	all := []*series{
		{name: "create + first command done", peer: peer, once: create(client, true)},
		{name: forkExec, once: process("/bin/echo", "hi")},
		beside,
		{name: "the same right after another create", peer: peer, once: createAgain(client)},
		{name: "create", peer: peer, once: create(client, false)},
		{name: "further command", peer: forkExec, once: command(live.Session)},
		{name: "status (a call without a process)", once: status(live.Session)},
		{name: "create + first command done, from a pool", peer: peer, once: create(pooled, true)},
		{name: "delete", once: remove(client)},
		{name: "new engine + first command done", peer: peer, once: engineAndCommand},
	}
	return slices.DeleteFunc(all, func(s *series) bool { return s == nil }), nil
}

func process(name string, args ...string) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
		if err != nil {
			return 0, fmt.Errorf("%w: %s", err, out)
		}
		return time.Since(start), nil
	}
}

// create measures making a session and, if asked to, running its first command.
func create(client *agb.Client, first bool) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		res, err := client.Create(ctx, nil)
		if err != nil {
			return 0, err
		}
		if first {
			if _, err := res.Session.Command.Run(ctx, "echo hi", nil); err != nil {
				return 0, err
			}
		}
		d := time.Since(start)
		_, err = client.Delete(ctx, res.Session.ID)
		return d, err
	}
}

// createAgain measures making a session, and its first command, when the
// launcher has had no time to make one ready.
func createAgain(client *agb.Client) func(context.Context) (time.Duration, error) {
	once := create(client, true)
	return func(ctx context.Context) (time.Duration, error) {
		if _, err := once(ctx); err != nil {
			return 0, err
		}
		return once(ctx)
	}
}

// engineAndCommand measures what a program waits for that starts from nothing.
func engineAndCommand(ctx context.Context) (time.Duration, error) {
	start := time.Now()
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return 0, err
	}
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return 0, errors.Join(err, eng.Close())
	}
	res, err := client.Create(ctx, nil)
	if err == nil {
		_, err = res.Session.Command.Run(ctx, "echo hi", nil)
	}
	d := time.Since(start)
	return d, errors.Join(err, eng.Close())
}

func command(s *agb.Session) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		_, err := s.Command.Run(ctx, "echo hi", nil)
		return time.Since(start), err
	}
}

func status(s *agb.Session) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		_, err := s.Status(ctx)
		return time.Since(start), err
	}
}

func remove(client *agb.Client) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		res, err := client.Create(ctx, nil)
		if err != nil {
			return 0, err
		}
		start := time.Now()
		_, err = client.Delete(ctx, res.Session.ID)
		return time.Since(start), err
	}
}
