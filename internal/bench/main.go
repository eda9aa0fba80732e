// Command bench measures the embedded engine beside its peers in one run:
// a sandbox of bubblewrap, and a plain process of this machine.
//
//	go run ./internal/bench                 # beside its peers, 200 rounds
//	go run ./internal/bench -n 50
//	go run ./internal/bench -scene burst    # many creates at once
//	go run ./internal/bench -scene many     # many sessions alive
//	go run ./internal/bench -scene heap     # a large owner
//	go run ./internal/bench -scene streams  # commands to talk to, connections
//	go run ./internal/bench -scene programs # hello-world, and how many are broken
//	go run ./internal/bench -scene files -n 3 # large files, and many
//	go run ./internal/bench -scene code     # code in contexts
//	go run ./internal/bench -scene docker   # beside a container
//
// A round does each thing once, one after the other, so that drift of the
// machine meets all alike. Times are the machine's; ratios carry over. Build
// with CGO_ENABLED=0, as the product is: a program that is linked to the C
// library starts its guests more slowly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

// poolSize is how many sandboxes the pool keeps ready: as a round uses one, it
// is full again when the next comes.
const poolSize = 4

// scene is something to measure, with n rounds.
type scene func(ctx context.Context, w io.Writer, n int) error

var scenes = map[string]scene{"peers": peers, "burst": burst, "many": many, "heap": heap, "programs": programs, "streams": streams, "files": files, "code": codeRuns, "docker": beside}

func main() {
	n := flag.Int("n", 200, "rounds")
	name := flag.String("scene", "peers", "what to measure: peers, burst, many, heap, programs, streams, files, code or docker")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run, ok := scenes[*name]
	if !ok {
		log.Fatalf("unknown scene %q", *name)
	}
	if err := run(ctx, os.Stdout, *n); err != nil {
		log.Fatal(err)
	}
}

// open returns a client of an engine of its own, and what closes the engine.
func open(cfg engine.Config) (*agb.Client, func() error, error) {
	eng, err := engine.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return nil, nil, errors.Join(err, eng.Close())
	}
	return client, eng.Close, nil
}

// peers measures the usual things beside bubblewrap and plain processes.
func peers(ctx context.Context, w io.Writer, n int) (err error) {
	client, done, err := open(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	pooled, end, err := open(engine.Config{Pool: map[string]int{"host": poolSize}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	series, err := plan(ctx, client, pooled)
	if err != nil {
		return err
	}
	if err := rounds(ctx, series, n); err != nil {
		return err
	}
	report(w, series)
	if err := calls(ctx, w, client, 10*n); err != nil {
		return err
	}
	return binarySize(ctx, w)
}

// busily does each of the series n times, in turns without rests, and reports
// that.
func busily(ctx context.Context, w io.Writer, all []*series, n int) error {
	if err := inTurns(ctx, all, n); err != nil {
		return err
	}
	fmt.Fprint(w, "\nWithout rests: ")
	report(w, all)
	return nil
}

// rest is the time between two measurements: as long as a launcher takes to make
// the next sandbox ready.
const rest = 50 * time.Millisecond

// rounds does each of the series n times, in turns, with rests between, after
// some that do not count.
func rounds(ctx context.Context, all []*series, n int) error {
	const warmUp = 5
	for i := range n + warmUp {
		for _, s := range all {
			time.Sleep(rest)
			d, err := s.once(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if i >= warmUp {
				s.times = append(s.times, d)
			}
		}
	}
	return nil
}
