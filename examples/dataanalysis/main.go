// Command dataanalysis puts a table into a session and analyses it there, step
// by step, in one Python: what it evaluates to comes back as rows, and what it
// draws as pictures and as data. It makes do with what Python has installed.
package main

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
)

//go:embed sales.csv
var sales []byte

//go:embed cells
var cells embed.FS

func main() {
	out := flag.String("out", "", "directory for pictures of charts; empty: a new one")
	flag.Parse()
	if *out == "" {
		dir, err := os.MkdirTemp("", "dataanalysis-")
		if err != nil {
			log.Fatal(err)
		}
		*out = dir
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout, *out); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer, out string) error {
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
		return analyse(ctx, w, s, out)
	})
	if errors.Is(err, agb.ErrInterpreterMissing) {
		fmt.Fprintln(w, err)
		return nil
	}
	return err
}

// analyse runs the cells in a session and shows their results.
func analyse(ctx context.Context, w io.Writer, s *agb.Session, out string) error {
	if _, err := s.FileSystem.WriteFile(ctx, "sales.csv", sales, nil); err != nil {
		return err
	}
	for _, name := range []string{"load", "regions", "charts"} {
		items, err := cell(ctx, w, s, name)
		if err != nil {
			return err
		}
		if err := show(w, items, out); err != nil {
			return err
		}
	}
	return nil
}

// cell runs one of the cells and prints what it prints. Variables of those
// before are there.
func cell(ctx context.Context, w io.Writer, s *agb.Session, name string) ([]code.Item, error) {
	source, err := cells.ReadFile("cells/" + name + ".py")
	if err != nil {
		return nil, err
	}
	res, err := s.Code.Run(ctx, code.Python, string(source), nil)
	if err != nil {
		return nil, err
	}
	fmt.Fprint(w, res.Stdout)
	if res.Error != nil {
		return nil, fmt.Errorf("cell %s: %s: %s\n%s", name, res.Error.Name, res.Error.Value, res.Error.Traceback)
	}
	return res.Results, nil
}

// show prints tables and the data of charts, and saves pictures.
func show(w io.Writer, items []code.Item, out string) error {
	pictures := 0
	for _, item := range items {
		if item.JSON != nil {
			if err := showTable(w, item.JSON); err != nil {
				return err
			}
		}
		if item.PNG != nil {
			pictures++
			path, err := save(out, fmt.Sprintf("chart-%d.png", pictures), item.PNG)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s: %d bytes\n", path, len(item.PNG))
		}
		if item.ChartData != nil {
			showChart(w, item.ChartData)
		}
	}
	return nil
}

// showTable prints the rows of a table that came as JSON.
func showTable(w io.Writer, table json.RawMessage) error {
	var rows []struct {
		Region  string
		Units   int
		Revenue float64
	}
	if err := json.Unmarshal(table, &rows); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "region\tunits\trevenue\t")
	for _, row := range rows {
		fmt.Fprintf(t, "%s\t%d\t%.2f\t\n", row.Region, row.Units, row.Revenue)
	}
	return t.Flush()
}

// showChart prints what a chart shows.
func showChart(w io.Writer, chart *code.ChartData) {
	for _, series := range chart.Series {
		fmt.Fprintf(w, "  %s chart %q, series %q:", chart.Kind, chart.Title, cmp.Or(series.Label, "no name"))
		switch series.Kind {
		case code.BarChart:
			for i, category := range series.Categories {
				fmt.Fprintf(w, " %s %.2f", category, series.Values[i])
			}
		case code.LineChart:
			for i, x := range series.X {
				fmt.Fprintf(w, " %s %s", day(x), series.Y[i])
			}
		}
		fmt.Fprintln(w)
	}
}

// day returns the day of a moment.
func day(v code.ChartValue) string {
	if t, ok := v.Time(); ok {
		return t.Format(time.DateOnly)
	}
	return v.String()
}

// save writes a picture to a directory and returns where it is.
func save(dir, name string, picture []byte) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, picture, 0o644)
}
