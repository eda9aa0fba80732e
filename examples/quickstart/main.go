// Command quickstart shows the whole SDK on this machine: it creates sandboxes
// with the embedded engine, runs commands and Python in one, writes and reads
// a file, sets labels, lists sessions by label and deletes them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
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
	// The engine makes real isolated sandboxes in this process. For the hosted
	// service leave it out and set AGB_API_KEY: agb.New() is all that changes.
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}

	start := time.Now()
	created, err := client.Create(ctx, &agb.CreateParams{Labels: map[string]string{"app": "quickstart", "stage": "one"}})
	if err != nil {
		return err
	}
	s := created.Session
	fmt.Fprintf(w, "created   %s in %s\n", s.ID, time.Since(start).Round(100*time.Microsecond))

	for _, step := range []func(context.Context, io.Writer, *agb.Session) error{commands, python, files, labels} {
		if err := step(ctx, w, s); err != nil {
			return err
		}
	}
	if err := list(ctx, w, client); err != nil {
		return err
	}

	if _, err := client.Delete(ctx, s.ID); err != nil {
		return err
	}
	status, err := s.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "deleted   the session is %s\n", status.State)
	return nil
}

func commands(ctx context.Context, w io.Writer, s *agb.Session) error {
	res, err := s.Command.Run(ctx, `echo "hello from $(hostname), uid $(id -u), $(ls /proc | grep -c '^[0-9]') processes"; exit 3`, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "command   %s          exit code %d\n", res.Stdout, res.ExitCode)
	return nil
}

func python(ctx context.Context, w io.Writer, s *agb.Session) error {
	res, err := s.Code.Run(ctx, code.Python, "import platform\nprint('python', platform.python_version())\nsum(range(101))", nil)
	if errors.Is(err, agb.ErrInterpreterMissing) {
		fmt.Fprintln(w, "code     ", err)
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "code      %s", res.Stdout)
	for _, item := range res.Results {
		fmt.Fprintf(w, "          result %s\n", item.Text)
	}
	return nil
}

func files(ctx context.Context, w io.Writer, s *agb.Session) error {
	if _, err := s.FileSystem.WriteFile(ctx, "/tmp/notes/hello.txt", []byte("bytes, exactly\x00\xff\n"), nil); err != nil {
		return err
	}
	back, err := s.FileSystem.ReadFile(ctx, "/tmp/notes/hello.txt", nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "file      read back %q\n", back.Content)
	return nil
}

func labels(ctx context.Context, w io.Writer, s *agb.Session) error {
	if _, err := s.SetLabels(ctx, map[string]string{"app": "quickstart", "stage": "two"}); err != nil {
		return err
	}
	got, err := s.GetLabels(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "labels    %v\n", got.Labels)
	return nil
}

func list(ctx context.Context, w io.Writer, client *agb.Client) error {
	fmt.Fprint(w, "list      stage=two:")
	for sum, err := range client.All(ctx, &agb.ListParams{Labels: map[string]string{"stage": "two"}}) {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, " %s (%s)", sum.ID, sum.Status)
	}
	fmt.Fprintln(w)
	return nil
}
