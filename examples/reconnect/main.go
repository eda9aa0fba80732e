// Command reconnect leaves a session behind and finds it again by its id, as a
// service does that stores ids and not handles.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, w io.Writer) error {
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()

	id, err := firstRequest(ctx, eng.Transport())
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "the first request left session", id)
	return secondRequest(ctx, w, eng.Transport(), id)
}

// firstRequest creates a session, leaves something in it and returns its id.
func firstRequest(ctx context.Context, transport http.RoundTripper) (string, error) {
	client, err := agb.New(agb.WithTransport(transport))
	if err != nil {
		return "", err
	}
	created, err := client.Create(ctx, &agb.CreateParams{IdleTimeout: 10 * time.Minute})
	if err != nil {
		return "", err
	}
	_, err = created.Session.FileSystem.WriteFile(ctx, "progress.txt", []byte("step 1 of 2\n"), nil)
	return created.Session.ID, err
}

// secondRequest knows nothing but the id.
func secondRequest(ctx context.Context, w io.Writer, transport http.RoundTripper, id string) error {
	client, err := agb.New(agb.WithTransport(transport))
	if err != nil {
		return err
	}
	got, err := client.Get(ctx, id)
	if err != nil {
		return err
	}
	file, err := got.Session.FileSystem.ReadFile(ctx, "progress.txt", nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "the second request reads %q\n", file.Content)

	if _, err := client.Delete(ctx, id); err != nil {
		return err
	}
	_, err = client.Get(ctx, id)
	if !errors.Is(err, agb.ErrSessionNotFound) {
		return fmt.Errorf("a deleted session was found: %w", err)
	}
	fmt.Fprintln(w, "deleted, and gone for everybody")
	return nil
}
