package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/internal/memnet"
)

// calls measures calls that start no process, one right after the other: a
// status of the SDK, and what HTTP in memory costs at least.
func calls(ctx context.Context, w io.Writer, client *agb.Client, n int) error {
	live, err := client.Create(ctx, nil)
	if err != nil {
		return err
	}
	bare, stop := emptyServer()
	defer stop()
	get, set := status(live.Session), request(bare)

	var statuses, bares []time.Duration
	for i := range n {
		s, err := get(ctx)
		if err != nil {
			return err
		}
		b, err := set(ctx)
		if err != nil {
			return err
		}
		if i >= n/10 { // the rest is warming up
			statuses, bares = append(statuses, s), append(bares, b)
		}
	}
	slices.Sort(statuses)
	slices.Sort(bares)
	_, err = fmt.Fprintf(w, "\nOf %d calls in a row: status %.0f µs p50, %.0f p99; an empty handler in memory %.0f µs p50, %.0f p99\n",
		n, us(quantile(statuses, 50)), us(quantile(statuses, 99)), us(quantile(bares, 50)), us(quantile(bares, 99)))
	return err
}

func us(d time.Duration) float64 { return d.Seconds() * 1e6 }

// emptyServer serves nothing, in memory.
func emptyServer() (*http.Transport, func()) {
	ln := memnet.Listen()
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	go func() { _ = srv.Serve(ln) }() // until it is closed
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return ln.Dial(ctx) }}
	return tr, func() {
		tr.CloseIdleConnections()
		_ = srv.Close()
	}
}

func request(rt http.RoundTripper) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://mem/", http.NoBody)
		if err != nil {
			return 0, err
		}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if err == nil {
			err = resp.Body.Close()
		}
		return time.Since(start), err
	}
}
