package main

import (
	"context"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
)

const versionHelp = `Usage: agb version

Tells the version of the program, of Go, and the system it was built for.
`

func version(_ context.Context, env environment, args []string) error {
	if err := parse(flag.NewFlagSet("version", flag.ContinueOnError), args); err != nil {
		return err
	}
	v := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		v = info.Main.Version
	}
	say(env.stdout, fmt.Sprintf("agb %s %s %s/%s\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH))
	return nil
}
