package main

import (
	"context"
	"flag"
	"fmt"

	"github.com/agb-go/sdk/engine"
)

const doctorHelp = `Usage: agb doctor

Finds out, by trying, whether this machine can isolate sessions, and says for
each layer of the isolation what was found and, where something is missing,
what to do about it.

The exit status is 0 when sessions can be made and 1 when they cannot.
`

func doctor(ctx context.Context, env environment, args []string) error {
	if err := parse(flag.NewFlagSet("doctor", flag.ContinueOnError), args); err != nil {
		return err
	}
	report, err := engine.Probe(ctx)
	if err != nil {
		return err
	}
	for _, l := range report.Layers {
		mark := "ok     "
		if !l.OK {
			mark = "MISSING"
		}
		say(env.stdout, fmt.Sprintf("%s  %s", mark, l.Name))
		if l.Detail != "" {
			say(env.stdout, ": "+l.Detail)
		}
		say(env.stdout, "\n")
		if l.Cure != "" {
			say(env.stdout, fmt.Sprintf("         → %s\n", l.Cure))
		}
	}
	if !report.Available {
		say(env.stdout, fmt.Sprintf("\nSessions cannot be isolated on this machine with %s, so none will be made.\n", report.Runtime))
		return errReported
	}
	say(env.stdout, fmt.Sprintf("\nSessions can be isolated on this machine with %s.\n", report.Runtime))
	return nil
}
