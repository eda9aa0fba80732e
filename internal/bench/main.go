// Command bench measures the embedded engine beside its peers in one run:
// a sandbox of bubblewrap, and a plain process of this machine.
//
//	go run ./internal/bench            # all, 200 rounds
//	go run ./internal/bench -n 50
//
// A round does each thing once, one after the other, so that drift of the
// machine meets all alike. Times are the machine's; ratios carry over.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

func main() {
	n := flag.Int("n", 200, "rounds")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *n); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, n int) error {
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}
	series, err := plan(ctx, client)
	if err != nil {
		return err
	}
	const warmUp = 5
	for i := range n + warmUp {
		for _, s := range series {
			d, err := s.once(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			if i >= warmUp {
				s.times = append(s.times, d)
			}
		}
	}
	report(w, series)
	if err := calls(ctx, w, client, 10*n); err != nil {
		return err
	}
	return binarySize(ctx, w)
}
