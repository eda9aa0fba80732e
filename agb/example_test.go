package agb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
)

// TestExamples runs the examples where there can be sandboxes. They have no
// checked output, since they could not be skipped elsewhere.
func TestExamples(t *testing.T) {
	agbtest.NewClient(t)
	Example()
	ExampleClient_All()
	ExampleError()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// A session runs commands and code, and is deleted at the end.
func Example() {
	ctx := context.Background()
	eng, err := engine.New(engine.Config{}) // or leave it out, and set AGB_API_KEY
	check(err)
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	check(err)

	err = client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
		res, err := s.Command.Run(ctx, "echo hello; exit 3", nil)
		if err != nil {
			return err
		}
		fmt.Printf("%q, exit code %d\n", res.Stdout, res.ExitCode)

		run, err := s.Code.Run(ctx, code.Bash, "echo $((6 * 7))", nil)
		if err != nil {
			return err
		}
		fmt.Printf("%q\n", run.Stdout)
		return nil
	})
	check(err)
}

// Sessions are found by their labels.
func ExampleClient_All() {
	ctx := context.Background()
	eng, err := engine.New(engine.Config{})
	check(err)
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	check(err)

	for _, env := range []string{"prod", "stage", "dev"} {
		_, err := client.Create(ctx, &agb.CreateParams{Labels: map[string]string{"env": env}})
		check(err)
	}
	for s, err := range client.All(ctx, &agb.ListParams{Selector: "env in (stage,dev)"}) {
		check(err)
		_, err := client.Delete(ctx, s.ID)
		check(err)
	}
}

// Errors match the sentinels of this package, and those of the standard
// library that mean the same.
func ExampleError() {
	ctx := context.Background()
	eng, err := engine.New(engine.Config{})
	check(err)
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	check(err)

	err = client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
		_, err := s.FileSystem.ReadFile(ctx, "/no/such/file", nil)
		fmt.Println(errors.Is(err, fs.ErrNotExist))
		return nil
	})
	check(err)

	_, err = client.Get(ctx, "s-0")
	var e *agb.Error
	if errors.As(err, &e) {
		fmt.Println(errors.Is(err, agb.ErrSessionNotFound), e.Op, e.SessionID)
	}
}
