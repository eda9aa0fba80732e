package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

// hellos are what people run first, as scripts that print "hello".
var hellos = []struct{ program, script string }{
	{"bash", `bash -c 'echo hello'`},
	{"python3", `python3 -c 'print("hello")'`},
	{"node", `node -e 'console.log("hello")'`},
	{"git", `
		export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
		cd "$(mktemp -d)" && git -c init.defaultBranch=main init -q && echo hello >f && git add f &&
		git -c user.name=u -c user.email=u@example.org commit -qm hello && git log --format=%s; rm -rf "$PWD"`},
	{"gcc", `
		cd "$(mktemp -d)" && printf '#include <stdio.h>\nint main() { puts("hello"); }\n' >h.c && gcc h.c && ./a.out
		rm -rf "$PWD"`},
}

// programs runs hello-world of several programs n times each, plainly and in a
// session, and counts the runs that end in anything else than hello.
func programs(ctx context.Context, w io.Writer, n int) (err error) {
	client, done, err := open(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	made, err := client.Create(ctx, nil)
	if err != nil {
		return err
	}
	var all []*series
	broken := map[string]int{}
	for _, h := range hellos {
		if _, err := exec.LookPath(h.program); err != nil {
			fmt.Fprintf(w, "%s is not installed: left out\n", h.program)
			continue
		}
		plain := &series{name: h.program + ", plain", once: plainHello(h.script)}
		all = append(all, plain, &series{name: h.program + ", in a session", peer: plain.name, once: func(ctx context.Context) (time.Duration, error) {
			d, ok, err := sessionHello(ctx, made.Session, h.script)
			if !ok {
				broken[h.program]++
			}
			return d, err
		}})
	}
	if err := inTurns(ctx, all, n); err != nil {
		return err
	}
	report(w, all)
	for _, h := range hellos {
		fmt.Fprintf(w, "\n%s: %d of %d broken", h.program, broken[h.program], n)
	}
	fmt.Fprintln(w)
	return nil
}

// inTurns does each of the series n times, in turns without rests.
func inTurns(ctx context.Context, all []*series, n int) error {
	for range n {
		for _, s := range all {
			d, err := s.once(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			s.times = append(s.times, d)
		}
	}
	return nil
}

func plainHello(script string) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script)
		cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/", "LANG=C.UTF-8"} // as in a session
		out, err := cmd.CombinedOutput()
		if err == nil && string(out) != "hello\n" {
			err = fmt.Errorf("it printed %q", out)
		}
		return time.Since(start), err
	}
}

// sessionHello reports whether all went well, besides how long it took.
func sessionHello(ctx context.Context, s *agb.Session, script string) (time.Duration, bool, error) {
	start := time.Now()
	res, err := s.Command.Run(ctx, script, nil)
	if err != nil {
		return 0, false, err
	}
	return time.Since(start), res.ExitCode == 0 && res.Stdout == "hello\n" && res.Stderr == "", nil
}
