package code_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/engine"
)

// TestExamples runs the examples where there can be sandboxes. They have no
// checked output, since they could not be skipped elsewhere.
func TestExamples(t *testing.T) {
	agbtest.NewClient(t)
	needs(t, "python3")
	ExampleClient_Run()
	ExampleContexts()
	ExampleExpose()
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// within gives fn a session of an engine in this program.
func within(fn func(context.Context, *agb.Session) error) {
	eng, err := engine.New(engine.Config{})
	check(err)
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	check(err)
	check(client.WithSession(context.Background(), nil, fn))
}

// Cells share their variables. What a cell evaluates to is a result, and so are
// pictures; an error in the code is one, too. A run that takes too long is
// interrupted, and the variables stay.
func ExampleClient_Run() {
	within(func(ctx context.Context, s *agb.Session) error {
		for _, cell := range []string{"x = 20", "x + 1", "x / 0", "while True: pass"} {
			res, err := s.Code.Run(ctx, code.Python, cell, &code.RunOptions{Timeout: time.Second})
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			for i, item := range res.Results {
				fmt.Println(item.Text)
				if item.PNG != nil {
					if err := os.WriteFile(fmt.Sprintf("figure%d.png", i), item.PNG, 0o600); err != nil {
						return err
					}
				}
			}
			if res.Error != nil {
				fmt.Println(res.Error.Name, res.Error.Value)
			}
		}
		return nil
	})
}

// Contexts are interpreters beside each other.
func ExampleContexts() {
	within(func(ctx context.Context, s *agb.Session) error {
		other, err := s.Code.Contexts.New(ctx, code.Python, &code.ContextOptions{Name: "other", Dir: "/tmp"})
		if err != nil {
			return err
		}
		res, err := other.Run(ctx, "import os; print(os.getcwd())", nil)
		if err != nil {
			return err
		}
		fmt.Print(res.Stdout)
		_, err = s.Code.Contexts.Delete(ctx, other.ID)
		return err
	})
}

// Code asks the program that owns the session, which need not give away a key.
func ExampleExpose() {
	type question struct {
		City string `json:"city"`
	}
	within(func(ctx context.Context, s *agb.Session) error {
		err := code.Expose(s.Code, "temperature", func(_ context.Context, q question) (float64, error) {
			if q.City != "Oslo" {
				return 0, fmt.Errorf("no station in %.40q", q.City)
			}
			return -3.5, nil
		}, &code.FunctionOptions{Description: "The temperature in a city, in degrees Celsius."})
		if err != nil {
			return err
		}
		res, err := s.Code.Run(ctx, code.Python, "print(temperature(city='Oslo'))", nil)
		if err != nil {
			return err
		}
		fmt.Print(res.Stdout)
		return nil
	})
}
