// Command labelfleet keeps a fleet of sessions by their labels: it creates
// many at once, lists those that match a selector, and deletes by label, with
// its progress shown.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

func main() {
	n := flag.Int("n", 24, "how many sessions to create")
	parallel := flag.Int("parallel", 8, "how many to create at once")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout, *n, *parallel); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, n, parallel int) error {
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}

	if err := create(ctx, w, client, n, parallel); err != nil {
		return err
	}
	for _, selector := range []string{"env=prod", "env in (prod,stage),!canary", "canary"} {
		ids, err := find(ctx, client, selector)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-28s %d sessions\n", selector, len(ids))
	}
	if err := remove(ctx, w, client, "fleet=demo"); err != nil {
		return err
	}
	left, err := find(ctx, client, "fleet=demo")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d sessions left\n", len(left))
	return nil
}

// create makes n sessions, parallel at once.
func create(ctx context.Context, w io.Writer, client *agb.Client, n, parallel int) error {
	p := progress{w: w, verb: "created", total: n, start: time.Now()}
	return each(n, parallel, func(i int) error {
		labels := map[string]string{"fleet": "demo", "env": []string{"prod", "stage", "dev"}[i%3], "index": fmt.Sprint(i)}
		if i%6 == 0 {
			labels["canary"] = "yes"
		}
		_, err := client.Create(ctx, &agb.CreateParams{Labels: labels})
		if err == nil {
			p.step()
		}
		return err
	})
}

// find returns the ids of the sessions that match selector.
func find(ctx context.Context, client *agb.Client, selector string) ([]string, error) {
	var ids []string
	for s, err := range client.All(ctx, &agb.ListParams{Selector: selector, Limit: 10}) {
		if err != nil {
			return nil, err
		}
		ids = append(ids, s.ID)
	}
	return ids, nil
}

// remove deletes the sessions that match selector.
func remove(ctx context.Context, w io.Writer, client *agb.Client, selector string) error {
	ids, err := find(ctx, client, selector)
	if err != nil {
		return err
	}
	p := progress{w: w, verb: "deleted", total: len(ids), start: time.Now()}
	return each(len(ids), 8, func(i int) error {
		_, err := client.Delete(ctx, ids[i])
		if err == nil {
			p.step()
		}
		return err
	})
}

// each calls fn for 0 to n-1, parallel at once, and returns the first error.
func each(n, parallel int, fn func(int) error) error {
	var (
		wg    sync.WaitGroup
		once  sync.Once
		first error
		slots = make(chan struct{}, max(parallel, 1))
	)
	for i := range n {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-slots; wg.Done() }()
			if err := fn(i); err != nil {
				once.Do(func() { first = err })
			}
		}()
	}
	wg.Wait()
	return first
}

// progress prints a line for each quarter of the work done.
type progress struct {
	w     io.Writer
	verb  string
	total int
	start time.Time

	mu   sync.Mutex
	done int
}

func (p *progress) step() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if p.done == p.total || p.done%max(p.total/4, 1) == 0 {
		fmt.Fprintf(p.w, "%s %d of %d (%s)\n", p.verb, p.done, p.total, time.Since(p.start).Round(time.Millisecond))
	}
}
