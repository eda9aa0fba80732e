// Command agb serves sandbox sessions of this machine to AGB SDKs.
//
//	agb serve --api-key-file FILE   serve the AGB protocol on a port
//	agb shell SESSION               run a shell in a session
//	agb doctor                      tell what this machine can isolate
//	agb version                     tell the version
//	agb help [command]              explain
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// environment is what a command may use of the process.
type environment struct {
	stdout, stderr io.Writer
	getenv         func(string) string
}

// command is one of the commands of agb.
type command struct {
	name, summary, help string
	run                 func(ctx context.Context, env environment, args []string) error
}

func commands() []command {
	return []command{
		{"serve", "serve the AGB protocol on a port", serveHelp, serve},
		{"shell", "run a shell in a session", shellHelp, shell},
		{"doctor", "tell what this machine can isolate", doctorHelp, doctor},
		{"version", "tell the version", versionHelp, version},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	env := environment{stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	code := dispatch(ctx, env, os.Args[1:])
	stop()
	os.Exit(code)
}

// errUsage marks errors of how the program was called.
var errUsage = errors.New("usage")

// errReported marks errors that the command itself has told.
var errReported = errors.New("reported")

// dispatch runs the command that args name and returns the exit status.
func dispatch(ctx context.Context, env environment, args []string) int {
	if len(args) == 0 {
		usage(env.stderr)
		return exitUsage
	}
	name, args := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		return help(env, args)
	case "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		err := c.run(ctx, env, args)
		var status exitStatus
		switch {
		case err == nil:
			return exitOK
		case errors.Is(err, flag.ErrHelp):
			say(env.stdout, c.help)
			return exitOK
		case errors.Is(err, errReported):
			return exitError
		case errors.As(err, &status):
			return int(status)
		}
		say(env.stderr, fmt.Sprintf("agb %s: %v\n", name, err))
		if errors.Is(err, errUsage) {
			say(env.stderr, fmt.Sprintf("Run \"agb help %s\" for help.\n", name))
			return exitUsage
		}
		return exitError
	}
	say(env.stderr, fmt.Sprintf("agb: unknown command %q\n", name))
	usage(env.stderr)
	return exitUsage
}

func help(env environment, args []string) int {
	if len(args) == 0 {
		usage(env.stdout)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			say(env.stdout, c.help)
			return exitOK
		}
	}
	say(env.stderr, fmt.Sprintf("agb: unknown command %q\n", args[0]))
	return exitUsage
}

func usage(w io.Writer) {
	say(w, "agb serves sandbox sessions of this machine to AGB SDKs.\n\nUsage: agb <command> [options]\n\nCommands:\n")
	for _, c := range commands() {
		say(w, fmt.Sprintf("  %-8s  %s\n", c.name, c.summary))
	}
	say(w, "\nRun \"agb help <command>\" for the options of a command.\n")
}

// parse reads the options of a command that takes no other arguments.
func parse(flags *flag.FlagSet, args []string) error {
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%w: unexpected argument %q", errUsage, flags.Arg(0))
	}
	return nil
}

// say writes for people. Where they cannot be reached there is nobody to tell.
func say(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
