package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
)

// jupyter runs cells in a Jupyter kernel, one for each line that it reads, and
// says how long each took, in seconds.
const jupyter = `
import sys, time
from jupyter_client.manager import start_new_kernel
m, c = start_new_kernel(kernel_name="python3")
print("ready", flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    c.execute_interactive(line, output_hook=lambda m: None, timeout=60)
    print(time.perf_counter() - start, flush=True)
c.stop_channels(); m.shutdown_kernel(now=True)
`

// outputBytes is how much output a run writes at once.
const outputBytes = 1_000_000

// systemPython is what sessions find too, and has Debian's packages.
const systemPython = "/usr/bin/python3"

const fromNothing = "python3 -c 1"

// codeRuns measures runs of code in contexts that are warm and fresh, beside
// plain interpreters and, where it is installed, a Jupyter kernel.
func codeRuns(ctx context.Context, w io.Writer, n int) (err error) {
	client, done, err := open(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	pooled, end, err := open(engine.Config{Pool: map[string]int{"host": poolSize}, PoolCode: []string{string(code.Python)}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	res, err := client.Create(ctx, nil)
	if err != nil {
		return err
	}
	s := res.Session
	const peer = "1+1, a Jupyter kernel"
	notebook, stop, missing := startJupyter(ctx)
	defer stop()
	var all []*series
	if missing == nil {
		all = append(all, &series{name: peer, once: notebook})
	}
	for _, l := range []struct {
		language code.Language
		source   string
	}{{code.Python, "1+1"}, {code.JavaScript, "1+1"}, {code.Bash, "echo $((1+1))"}} {
		one := &series{name: "1+1, " + string(l.language), once: cell(s, l.language, l.source)}
		if missing == nil {
			one.peer = peer
		}
		all = append(all, one)
	}
	all = append(all,
		&series{name: fromNothing, once: process(systemPython, "-c", "1")},
		&series{name: "first run of a fresh python context", peer: fromNothing, once: firstRun(s)},
		&series{name: "create + first run of python, from a pool", once: createAndCode(pooled)},
		&series{name: "1 MB of output, python", once: output(s)})
	if err := rounds(ctx, all, n); err != nil {
		return err
	}
	report(w, all)
	if missing != nil {
		fmt.Fprintln(w, "\nNo Jupyter kernel beside them:", missing)
	}
	var row []*series
	for _, one := range all {
		if strings.HasPrefix(one.name, "1+1") {
			row = append(row, &series{name: one.name, peer: one.peer, once: one.once})
		}
	}
	return busily(ctx, w, row, 10*n)
}

func cell(s *agb.Session, language code.Language, source string) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		res, err := s.Code.Run(ctx, language, source, nil)
		if err == nil && res.Error != nil {
			err = errors.New(res.Error.Value)
		}
		return time.Since(start), err
	}
}

// output measures a run whose output is streamed.
func output(s *agb.Session) func(context.Context) (time.Duration, error) {
	source := fmt.Sprintf("print('x' * %d)", outputBytes-1)
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		_, err := s.Code.Run(ctx, code.Python, source, &code.RunOptions{Stdout: io.Discard})
		return time.Since(start), err
	}
}

// firstRun measures a context from its making to the end of its first run.
func firstRun(s *agb.Session) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		c, err := s.Code.Contexts.New(ctx, code.Python, nil)
		if err != nil {
			return 0, err
		}
		_, err = c.Run(ctx, "1", nil)
		d := time.Since(start)
		_, gone := s.Code.Contexts.Delete(ctx, c.ID)
		return d, errors.Join(err, gone)
	}
}

// createAndCode measures a session from its making to the end of its first run.
func createAndCode(client *agb.Client) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		time.Sleep(rest) // for the interpreter of the next one
		start := time.Now()
		res, err := client.Create(ctx, nil)
		if err != nil {
			return 0, err
		}
		_, err = res.Session.Code.Run(ctx, code.Python, "1", nil)
		d := time.Since(start)
		_, gone := client.Delete(ctx, res.Session.ID)
		return d, errors.Join(err, gone)
	}
}

// startJupyter starts a Jupyter kernel outside of any sandbox. The error says
// why there is none.
func startJupyter(ctx context.Context) (once func(context.Context) (time.Duration, error), stop func(), err error) {
	cmd := exec.CommandContext(ctx, systemPython, "-c", jupyter)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, func() {}, err
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, func() {}, err
	}
	stop = func() {
		_ = in.Close() // and it ends
		_ = cmd.Wait()
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		return nil, stop, errors.New("install python3-ipykernel and python3-jupyter-client")
	}
	return func(context.Context) (time.Duration, error) {
		if _, err := io.WriteString(in, "1+1\n"); err != nil {
			return 0, err
		}
		if !lines.Scan() {
			return 0, errors.New("the kernel has ended")
		}
		seconds, err := strconv.ParseFloat(strings.TrimSpace(lines.Text()), 64)
		return time.Duration(seconds * float64(time.Second)), err
	}, stop, nil
}
