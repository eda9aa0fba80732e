// Command notebook is the loop of an agent: a model writes cells, a session runs
// them, and the model sees what came of each before it writes the next. The
// model here follows a script, so that no key is needed; put yours in its place.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
)

func main() {
	charts := flag.String("charts", "", "the `directory` that charts are saved in; a temporary one if empty")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if *charts == "" {
		var err error
		if *charts, err = os.MkdirTemp("", "notebook-"); err != nil {
			log.Fatal(err)
		}
	}
	if err := run(ctx, os.Stdout, *charts); err != nil {
		log.Fatal(err)
	}
}

// run has the script work, and saves its charts in a directory.
func run(ctx context.Context, w io.Writer, charts string) error {
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}
	err = client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
		// What the model may ask for outside stays here: the sandbox has no key.
		if err := code.Expose(s.Code, "orders", orders, &code.FunctionOptions{Audit: func(c code.FunctionCall) {
			fmt.Fprintf(w, "      (the code called %s%s)\n", c.Name, c.Args)
		}}); err != nil {
			return err
		}
		return work(ctx, w, s, &script{}, charts)
	})
	if errors.Is(err, agb.ErrInterpreterMissing) {
		fmt.Fprintln(w, "There is no Python here:", err)
		return nil
	}
	return err
}

// model writes the next cell, having seen what came of the last, and says how
// long it may run; nothing when it is done.
type model interface {
	next(seen string) (cell string, timeout time.Duration)
}

// work lets a model run cells until it is done. The charts are for people: they
// are saved, and the model is told of them.
func work(ctx context.Context, w io.Writer, s *agb.Session, m model, charts string) error {
	seen := ""
	for n := 1; ; n++ {
		cell, timeout := m.next(seen)
		if cell == "" {
			return nil
		}
		fmt.Fprintf(w, "In  [%d] %s\n", n, strings.ReplaceAll(cell, "\n", "\n         "))
		res, err := s.Code.Run(ctx, code.Python, cell, &code.RunOptions{Timeout: timeout})
		if err != nil && !errors.Is(err, context.DeadlineExceeded) || res == nil {
			return err
		}
		seen = told(res)
		if err := save(w, res.Results, charts, n); err != nil {
			return err
		}
		fmt.Fprintf(w, "Out [%d] %s\n", n, strings.ReplaceAll(seen, "\n", "\n         "))
	}
}

// told returns what a model is told of a run: its output, its results and how it
// failed.
func told(res *code.Result) string {
	var b strings.Builder
	if res.Restarted != "" {
		fmt.Fprintf(&b, "(started anew: %s)\n", res.Restarted)
	}
	b.WriteString(res.Stdout)
	for _, item := range res.Results {
		fmt.Fprintln(&b, item.Text)
	}
	if res.Error != nil {
		fmt.Fprintf(&b, "%s: %s\n", res.Error.Name, res.Error.Value)
	}
	return strings.TrimSpace(b.String())
}

// save saves the pictures among the results of a cell.
func save(w io.Writer, results []code.Item, dir string, cell int) error {
	for i, item := range results {
		if item.PNG == nil {
			continue
		}
		path := filepath.Join(dir, fmt.Sprintf("cell%d-%d.png", cell, i+1))
		if err := os.WriteFile(path, item.PNG, 0o600); err != nil {
			return err
		}
		fmt.Fprintf(w, "      (saved %s)\n", path)
	}
	return nil
}

// order is what is known of an order.
type order struct {
	Item  string `json:"item"`
	Price int    `json:"price"`
}

// orders is a function of the owner that cells can call.
func orders(_ context.Context, q struct {
	Customer string `json:"customer"`
}) ([]order, error) {
	if q.Customer != "ada" {
		return nil, fmt.Errorf("no customer %.40q", q.Customer)
	}
	return []order{{"engine", 120}, {"cards", 7}, {"cards", 9}}, nil
}

// script is a model that makes mistakes and mends them.
type script struct{ cells int }

func (m *script) next(seen string) (string, time.Duration) {
	m.cells++
	switch m.cells {
	case 1:
		return "rows = orders(customer='lovelace')", time.Second
	case 2:
		if strings.Contains(seen, "no customer") {
			return "rows = orders(customer='ada')\nlen(rows)", time.Second
		}
	case 3:
		return "while sum(r['price'] for r in rows) > 0:\n    pass", time.Second
	case 4:
		if strings.Contains(seen, "TimeoutError") {
			return "from collections import Counter\ntotal = Counter()\nfor r in rows:\n    total[r['item']] += r['price']\ntotal.most_common()", time.Second
		}
	case 5:
		return draw, 30 * time.Second // it may have fonts to look for
	}
	return "", 0
}

const draw = `try:
    import matplotlib.pyplot as plt
except ImportError as e:
    print('no matplotlib:', e)
else:
    plt.bar(list(total), list(total.values()))
    plt.title('Spent')
    plt.show()`
