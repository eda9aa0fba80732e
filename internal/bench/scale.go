package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

const (
	atOnce    = 100     // creates of a burst
	bursts    = 5       // in a run
	alive     = 500     // sessions of the scene "many"
	heapBytes = 4 << 30 // of the scene "heap"
	single    = "create + first command done, alone"
	atEachEnd = 20 // sessions whose latencies are compared at each end of "many"

	smallMemory = 32 << 20 // so that all of them are within the host's budget
)

// burst makes many sessions at once and runs a command in each, beside the same
// done alone.
func burst(ctx context.Context, w io.Writer, n int) (err error) {
	client, done, err := open(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	alone := &series{name: single, once: create(client, true)}
	if err := rounds(ctx, []*series{alone}, n); err != nil {
		return err
	}
	together := &series{name: fmt.Sprintf("the same, %d at once", atOnce), peer: single}
	for range bursts {
		times, err := simultaneously(ctx, client)
		if err != nil {
			return err
		}
		together.times = append(together.times, times...)
	}
	report(w, []*series{alone, together})
	return nil
}

// simultaneously is one burst. It fails when any of its creates does. The
// sessions end when all have had their turn.
func simultaneously(ctx context.Context, client *agb.Client) ([]time.Duration, error) {
	times, errs := make([]time.Duration, atOnce), make([]error, atOnce)
	sessions := make([]*agb.Session, atOnce)
	var all sync.WaitGroup
	for i := range atOnce {
		all.Go(func() { sessions[i], times[i], errs[i] = createAndRun(ctx, client) })
	}
	all.Wait()
	for _, s := range sessions {
		if s != nil {
			_, err := client.Delete(ctx, s.ID)
			errs = append(errs, err)
		}
	}
	return times, errors.Join(errs...)
}

// createAndRun returns a new session and how long it took until its first
// command was done.
func createAndRun(ctx context.Context, client *agb.Client) (*agb.Session, time.Duration, error) {
	start := time.Now()
	res, err := client.Create(ctx, nil)
	if err != nil {
		return nil, 0, err
	}
	_, err = res.Session.Command.Run(ctx, "echo hi", nil)
	return res.Session, time.Since(start), err
}

// many makes sessions that stay, and compares how long the last took with how
// long the first did. n does not matter.
func many(ctx context.Context, w io.Writer, _ int) (err error) {
	client, done, err := open(engine.Config{Limits: engine.Limits{MemoryBytes: smallMemory, DiskBytes: smallMemory}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	first := &series{name: fmt.Sprintf("create + first command done, the first %d", atEachEnd)}
	last := &series{name: fmt.Sprintf("the last %d of %d that stay", atEachEnd, alive), peer: first.name}
	for i := range alive {
		_, took, err := createAndRun(ctx, client)
		if err != nil {
			return fmt.Errorf("session %d: %w", i+1, err)
		}
		switch {
		case i == 0: // starts the launcher
		case i <= atEachEnd:
			first.times = append(first.times, took)
		case i >= alive-atEachEnd:
			last.times = append(last.times, took)
		}
	}
	report(w, []*series{first, last})
	return nil
}

// heap compares creates of a small owner with those of a large one.
func heap(ctx context.Context, w io.Writer, n int) (err error) {
	client, done, err := open(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	small := &series{name: single, once: create(client, true)}
	if err := rounds(ctx, []*series{small}, n); err != nil {
		return err
	}
	ballast := make([]byte, heapBytes)
	for i := 0; i < len(ballast); i += 4096 {
		ballast[i] = 1
	}
	large := &series{name: fmt.Sprintf("the same, with %d GiB of touched heap", heapBytes>>30), peer: single, once: create(client, true)}
	if err := rounds(ctx, []*series{large}, n); err != nil {
		return err
	}
	report(w, []*series{small, large})
	_, err = io.Discard.Write(ballast[:1]) // keeps it until here
	return err
}
