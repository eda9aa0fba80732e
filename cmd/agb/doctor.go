package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

const doctorHelp = `Usage: agb doctor

Finds out, by trying, whether this machine can isolate sessions, and says for
each layer of the isolation what was found and, where something is missing,
what to do about it. Then it makes a session and says which layers and limits
are verified to be active in it: these are the names that "agb serve --require"
takes.

The exit status is 0 when sessions can be made and 1 when they cannot.
`

// trialTimeout bounds the making of the trial session.
const trialTimeout = 30 * time.Second

func doctor(ctx context.Context, env environment, args []string) error {
	if err := parse(flag.NewFlagSet("doctor", flag.ContinueOnError), args); err != nil {
		return err
	}
	report, err := engine.Probe(ctx)
	if err != nil {
		return err
	}
	say(env.stdout, "This machine:\n")
	for _, l := range report.Layers {
		tellLayer(env, l.Name, l.OK, l.Detail, l.Cure)
	}
	if !report.Available {
		say(env.stdout, fmt.Sprintf("\nSessions cannot be isolated on this machine with %s, so none will be made.\n", report.Runtime))
		return errReported
	}
	if err := trial(ctx, env); err != nil {
		say(env.stdout, fmt.Sprintf("\nNo session can be made on this machine with %s: %v\n", report.Runtime, err))
		return errReported
	}
	say(env.stdout, fmt.Sprintf("\nSessions can be isolated on this machine with %s.\n", report.Runtime))
	return nil
}

// tellLayer says of a layer what was found.
func tellLayer(env environment, name string, ok bool, detail, cure string) {
	mark := "ok     "
	if !ok {
		mark = "MISSING"
	}
	say(env.stdout, fmt.Sprintf("%s  %s", mark, name))
	if detail != "" {
		say(env.stdout, ": "+detail)
	}
	say(env.stdout, "\n")
	if cure != "" {
		say(env.stdout, fmt.Sprintf("         → %s\n", cure))
	}
}

// trial makes a session as "agb serve" does, and says what it is like.
func trial(ctx context.Context, env environment) (err error) {
	ctx, cancel := context.WithTimeout(ctx, trialTimeout)
	defer cancel()
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, eng.Close()) }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}
	return client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
		info, err := s.Info(ctx)
		if err != nil {
			return err
		}
		say(env.stdout, "\nA session, as verified when it was made:\n")
		for _, l := range info.Isolation {
			tellLayer(env, l.Name, l.Active, l.Detail, "")
		}
		say(env.stdout, "\nIts limits, unless it asks for others:\n")
		tellLimits(env, info.Limits)
		return nil
	})
}

// tellLimits says what a session may use, as "agb serve --limit" takes it.
func tellLimits(env environment, l agb.Limits) {
	for _, row := range []struct{ name, value, of string }{
		{"memory", showQuantity(l.MemoryBytes), "all processes together, with their files"},
		{"milli-cpu", strconv.Itoa(l.MilliCPU), "thousandths of a processor"},
		{"processes", strconv.Itoa(l.Processes), "processes and threads at once"},
		{"open-files", strconv.Itoa(l.OpenFiles), "one process"},
		{"file", showQuantity(l.FileBytes), "one file"},
		{"data", showQuantity(l.DataBytes), "one process"},
		{"disk", showQuantity(l.DiskBytes), "all files together"},
		{"inodes", strconv.FormatInt(l.DiskInodes, 10), "files and directories"},
	} {
		say(env.stdout, fmt.Sprintf("         %-17s  %s\n", row.name+"="+row.value, row.of))
	}
}
