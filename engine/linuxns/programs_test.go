//go:build linux && (amd64 || arm64)

package linuxns_test

import (
	"bytes"
	"context"
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/drivertest"
	"github.com/agb-go/sdk/internal/guest"
)

// programRuns is how often each program is run. It is for long runs: that few in
// ten thousand fail shows only there.
var programRuns = flag.Int("programs.runs", 0, "run each program so often, instead of as often as there is time for")

// programTime is how long each program is run without the flag.
const programTime = time.Second

// greeting is what programs print.
const greeting = "hello\n"

const (
	goPath = "PATH=$PATH:/usr/local/go/bin; "
	goEnv  = "GOCACHE=/tmp/cache GO111MODULE=off CGO_ENABLED=0 GOMAXPROCS=2"
)

// programs are prepared in a sandbox of their own and then run there. javac
// stands for java.
var programs = []struct{ name, prepare, run string }{
	{"sh", "", `echo hello`},
	{"bash", "", `bash -c 'cat <(printf "%s\n" hello)'`},
	{"busybox", "", `busybox sh -c 'busybox echo hello'`},
	{"perl", "", `perl -e 'open(my $f, "-|", "echo hello") or die; print <$f>; close $f or die'`},
	{"python3", "", `python3 -c 'import subprocess, threading
t = threading.Thread(target=subprocess.run, args=(["true"],)); t.start(); t.join(); print("hello")'`},
	{"node", "", `node -e 'require("fs").promises.readFile("/proc/self/comm").then(() => console.log("hello"))'`},
	{"Rscript", "", `Rscript -e 'cat("hello\n")'`},
	{"git", "git init -q /tmp/r && cd /tmp/r && git config user.name a && git config user.email a@b",
		`cd /tmp/r && echo x >>f && git add f && git commit -q -m hello && git gc -q --auto && git log -1 --format=%s`},
	{"gcc", `printf '#include <stdio.h>\nint main(void) { puts("hello"); }' >/tmp/hello.c`,
		`gcc -pipe -o /tmp/hello /tmp/hello.c && /tmp/hello`},
	{"javac", `printf 'class Hello { public static void main(String[] a) { System.out.println("hello"); } }' >/tmp/Hello.java &&
javac -d /tmp /tmp/Hello.java`, `java -cp /tmp Hello`},
	{"go", `mkdir /tmp/go && printf 'package main\nfunc main() { println("hello") }' >/tmp/go/main.go && ` +
		goEnv + ` go build -o /dev/null /tmp/go/main.go`, goEnv + ` go run /tmp/go/main.go 2>&1`},
}

// TestHello runs programs in a sandbox again and again, each run as a command.
// None may be harmed by what the sandbox leaves out.
func TestHello(t *testing.T) {
	drivertest.SkipRace(t, drivertest.OfKernel)
	r := usable(t)
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			if testing.Short() && slices.Contains([]string{"go", "javac"}, p.name) {
				t.Skip("short: it takes seconds to prepare")
			}
			b := drivertest.Create(t, r, toolSpec())
			if b.Run(t, goPath+"command -v "+p.name).Exit.Code != 0 {
				t.Skip("not installed")
			}
			prepare(t, b, goPath+p.prepare)
			start, runs := time.Now(), 0
			for ; runs < *programRuns || *programRuns == 0 && time.Since(start) < programTime; runs++ {
				got := b.Run(t, goPath+p.run)
				require.Zero(t, got.Exit.Code, "run %d: %s", runs, got.Stderr)
				require.Equal(t, greeting, got.Stdout, "run %d: %s", runs, got.Stderr)
			}
			t.Logf("%d runs, %v each", runs, time.Since(start)/time.Duration(runs))
		})
	}
}

// prepareTime is enough to compile Go's runtime on a slow machine.
const prepareTime = 2 * time.Minute

func prepare(t *testing.T, b *drivertest.Box, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), prepareTime)
	defer cancel()
	var stderr bytes.Buffer
	exit, err := b.Client.Run(ctx, guest.Command{Args: []string{"/bin/sh", "-c", script}, Stderr: &stderr})
	require.NoError(t, err)
	require.Zero(t, exit.Code, "%s", &stderr)
}
