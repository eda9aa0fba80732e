package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/agb-go/sdk/agb"
	agbcommand "github.com/agb-go/sdk/command"
)

const shellHelp = `Usage: agb shell [options] SESSION [PROGRAM [ARGUMENT]...]

Runs a shell, or another program, in a session of "agb serve" or of a program
that serves an engine, with this terminal as its own; without a terminal, with
pipes. Its exit code is that of agb. Ctrl-C and other keys are the program's;
when agb ends, however it does, so does the program.

  --detach   leave the program running when agb ends, and tell its id
  --attach   PROGRAM is the id of one that was left: go on with it

AGB_ENDPOINT is the URL of the server and AGB_API_KEY the key.
`

// exitStatus is an error that is told by the exit status alone.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// shellOptions are what "agb shell" was asked for.
type shellOptions struct {
	detach, attach bool
	session        string
	args           []string
}

func shell(ctx context.Context, env environment, args []string) error {
	o, err := parseShell(args)
	if err != nil {
		return err
	}
	client, err := agb.New()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	got, err := client.Get(ctx, o.session)
	if err != nil {
		return err
	}
	cmds := got.Session.Command
	tty := term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
	if tty {
		restore, err := raw()
		if err != nil {
			return err
		}
		defer restore()
	}
	cmd, err := o.begin(ctx, cmds, env, tty)
	if err != nil {
		return err
	}
	if tty {
		defer followSize(ctx, cmd)()
	}
	exit, err := cmd.Wait()
	switch {
	case err == nil && exit.ExitCode != 0:
		return exitStatus(exit.ExitCode)
	case o.detach && ctx.Err() != nil:
		say(env.stderr, fmt.Sprintf("\r\nagb shell: it goes on as %s\r\n", cmd.ProcessID))
		return nil
	}
	return err
}

func parseShell(args []string) (o shellOptions, err error) {
	flags := flag.NewFlagSet("shell", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	flags.BoolVar(&o.detach, "detach", false, "")
	flags.BoolVar(&o.attach, "attach", false, "")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	o.session, o.args = flags.Arg(0), flags.Args()
	switch {
	case o.session == "":
		return o, fmt.Errorf("%w: which session?", errUsage)
	case o.attach && len(o.args) != 2:
		return o, fmt.Errorf("%w: --attach wants the id of a program", errUsage)
	case o.attach && o.detach:
		return o, fmt.Errorf("%w: what is attached to goes on in any case", errUsage)
	}
	if o.args = o.args[1:]; len(o.args) == 0 {
		o.args = []string{"/bin/sh"}
	}
	return o, nil
}

// begin starts the program, or goes on with it.
func (o shellOptions) begin(ctx context.Context, cmds *agbcommand.Client, env environment, tty bool) (*agbcommand.Cmd, error) {
	if o.attach {
		return cmds.Attach(ctx, o.args[0], &agbcommand.AttachOptions{Stdin: os.Stdin, Stdout: env.stdout, Stderr: env.stderr})
	}
	cmd := cmds.Command(ctx, o.args[0], o.args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Detach = os.Stdin, env.stdout, env.stderr, o.detach
	if tty {
		size, err := terminalSize()
		if err != nil {
			return nil, err
		}
		cmd.TTY = &size
		if name := env.getenv("TERM"); name != "" {
			cmd.Env = map[string]string{"TERM": name}
		}
	}
	return cmd, cmd.Start()
}

// raw has the terminal pass everything on, until restore is called.
func raw() (restore func(), err error) {
	in := int(os.Stdin.Fd())
	before, err := term.MakeRaw(in)
	if err != nil {
		return nil, fmt.Errorf("set the terminal: %w", err)
	}
	return func() { _ = term.Restore(in, before) }, nil // there is nothing else to try
}

func terminalSize() (agbcommand.Size, error) {
	width, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return agbcommand.Size{}, fmt.Errorf("find out the size of the terminal: %w", err)
	}
	const most = 1<<16 - 1
	return agbcommand.Size{Rows: uint16(min(height, most)), Columns: uint16(min(width, most))}, nil
}
