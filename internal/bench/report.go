package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"
)

// report prints a table of the series, in Markdown.
func report(w io.Writer, all []*series) {
	fmt.Fprintf(w, "%s/%s, %s, %d CPUs, n = %d\n\n", runtime.GOOS, runtime.GOARCH, runtime.Version(), runtime.NumCPU(), len(all[0].times))
	fmt.Fprintln(w, "| | p50 ms | p99 ms | ratio of p50 |")
	fmt.Fprintln(w, "|---|---|---|---|")
	for _, s := range all {
		slices.Sort(s.times)
	}
	for _, s := range all {
		ratio := ""
		if i := slices.IndexFunc(all, func(p *series) bool { return p.name == s.peer }); i >= 0 {
			ratio = fmt.Sprintf("%.2f × %s", float64(quantile(s.times, 50))/float64(quantile(all[i].times, 50)), s.peer)
		}
		fmt.Fprintf(w, "| %s | %.3f | %.3f | %s |\n", s.name, ms(quantile(s.times, 50)), ms(quantile(s.times, 99)), ratio)
	}
}

// quantile returns the q-th percentile of sorted times.
func quantile(sorted []time.Duration, q int) time.Duration {
	return sorted[min(len(sorted)*q/100, len(sorted)-1)]
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

// cloudOnly is a program that uses the SDK with the hosted service.
const cloudOnly = `package main

import (
	"context"
	"fmt"

	"github.com/agb-go/sdk/agb"
)

func main() {
	client, err := agb.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := client.Create(context.Background(), &agb.CreateParams{ImageID: "agb-code-space-1"})
	fmt.Println(res, err)
}
`

// binarySize builds a program that does not link the engine and prints how
// large it is.
func binarySize(ctx context.Context, w io.Writer) error {
	dir, err := os.MkdirTemp("", "agb-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	src, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "cloud")
	if err := os.WriteFile(src, []byte(cloudOnly), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", bin, src)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	st, err := os.Stat(bin)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "\nA program for the hosted service alone, stripped: %.1f MiB\n", float64(st.Size())/(1<<20))
	return err
}
