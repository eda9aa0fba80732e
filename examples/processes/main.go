// Command processes talks to commands while they run: one that answers, one that
// is left alone and found again, and one that is waited for and then told to end.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/session"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}
	return client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
		for _, step := range []func(context.Context, io.Writer, *agb.Session) error{conversation, comeBack, service} {
			if err := step(ctx, w, s); err != nil {
				return err
			}
		}
		return nil
	})
}

// conversation writes lines to a command and reads what it says to each.
func conversation(ctx context.Context, w io.Writer, s *agb.Session) error {
	cmd := s.Command.Shell(ctx, `while read name; do echo "hello $name"; done`)
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	answers := bufio.NewScanner(out)
	for _, name := range []string{"Ada", "Grace"} {
		fmt.Fprintln(in, name)
		if answers.Scan() {
			fmt.Fprintln(w, answers.Text())
		}
	}
	if err := in.Close(); err != nil {
		return err
	}
	_, err = cmd.Wait()
	return err
}

// comeBack leaves a command running and goes on with its output where it left
// off, as another process of a service would.
func comeBack(ctx context.Context, w io.Writer, s *agb.Session) error {
	cmd := s.Command.Shell(ctx, "for i in 1 2 3 4; do echo step $i; sleep 0.1; done; exit 4")
	cmd.Stdout, cmd.Detach = w, true
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := cmd.Release(); err != nil {
		return err
	}
	fmt.Fprintln(w, "left", cmd.ProcessID)
	again, err := s.Command.Attach(ctx, cmd.ProcessID, &command.AttachOptions{Offset: cmd.Offset(), Stdout: w})
	if err != nil {
		return err
	}
	exit, err := again.Wait()
	if err == nil {
		fmt.Fprintln(w, "it ended with", exit.ExitCode)
	}
	return err
}

// service waits until a command is ready, and ends it with a signal.
func service(ctx context.Context, w io.Writer, s *agb.Session) error {
	cmd := s.Command.Shell(ctx, `trap "echo bye; exit 0" TERM; sleep 0.2; echo ready; while :; do sleep 0.05; done`)
	var seen session.Watcher
	cmd.Stdout = io.MultiWriter(w, &seen)
	if err := cmd.Start(); err != nil {
		return err
	}
	if _, err := s.WaitFor(ctx, session.Prints(&seen, "ready"), nil); err != nil {
		return err
	}
	if _, err := cmd.Signal(ctx, "TERM"); err != nil {
		return err
	}
	_, err := cmd.Wait()
	return err
}
