// Command limits makes a session that may use little, shows what isolates it,
// has a program in it run out of memory, and reads how that ended: in the
// result, in the session's usage, and in the record that stays when the session
// is gone.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/session"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	// Without these layers no session is made: the error then matches
	// agb.ErrIsolationUnavailable and names what is missing.
	eng, err := engine.New(engine.Config{Require: []string{
		session.LayerNamespaces, session.LayerCapabilities, session.LayerNoNewPrivs, session.LayerSeccomp,
	}})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}
	params := &agb.CreateParams{
		Labels:         map[string]string{"example": "limits"},
		Lifetime:       5 * time.Minute,
		Limits:         agb.Limits{MemoryBytes: 64 << 20, Processes: 32, MilliCPU: 500, DiskBytes: 16 << 20},
		IdempotencyKey: "example-limits-1", // asked for twice, there is one session
	}
	err = client.WithSession(ctx, params, func(ctx context.Context, s *agb.Session) error {
		if err := showIsolation(ctx, w, s); err != nil {
			return err
		}
		return useTooMuch(ctx, w, s)
	})
	// Who asks for a limit gets it, or an error: here that is so where the
	// program can make no control groups.
	var e *agb.Error
	if errors.As(err, &e) && slices.Contains(e.Missing, session.LayerMemoryLimit) {
		fmt.Fprintf(w, "memory is not limited on this machine: %v\n", e)
		params.Limits.MemoryBytes, params.Limits.MilliCPU, params.IdempotencyKey = 0, 0, ""
		err = client.WithSession(ctx, params, func(ctx context.Context, s *agb.Session) error {
			return showIsolation(ctx, w, s)
		})
	}
	if err != nil {
		return err
	}
	return showRecords(ctx, w, client)
}

// showIsolation prints what is verified around the session.
func showIsolation(ctx context.Context, w io.Writer, s *agb.Session) error {
	info, err := s.Info(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "a session until %s with %d MiB of memory\n", info.ExpiresAt.Format(time.TimeOnly), info.Limits.MemoryBytes>>20)
	for _, layer := range info.Isolation {
		fmt.Fprintf(w, "  %-15s active %-5t %s\n", layer.Name, layer.Active, layer.Detail)
	}
	return nil
}

// useTooMuch has a program keep 200 MiB in memory, where 64 are allowed.
func useTooMuch(ctx context.Context, w io.Writer, s *agb.Session) error {
	res, err := s.Command.Run(ctx, "head -c 200M /dev/zero | tail >/dev/null", nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "too much memory: exit code %d, killed for it %t\n", res.ExitCode, res.OOMKilled)

	res, err = s.Command.Run(ctx, "echo still here", nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "the session: %s", res.Stdout)

	usage, err := s.Usage(ctx)
	if errors.Is(err, agb.ErrUnsupported) {
		return nil // no such account on this machine
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "used so far: %v of processor time, %d MiB of memory at most, %d processes killed for want of it\n",
		usage.CPU.Round(time.Millisecond), usage.PeakMemoryBytes>>20, usage.OOMKills)
	return nil
}

// showRecords prints what is left of the sessions.
func showRecords(ctx context.Context, w io.Writer, client *agb.Client) error {
	for r, err := range client.AllRecords(ctx, &agb.RecordsOptions{Labels: map[string]string{"example": "limits"}}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "record: %s %s after %v: %s", r.ID, r.Status, r.EndedAt.Sub(r.CreatedAt).Round(time.Millisecond), r.Reason)
		if r.Usage != nil {
			fmt.Fprintf(w, ", %d processes killed for want of memory", r.Usage.OOMKills)
		}
		fmt.Fprintln(w)
	}
	return nil
}
