// Command sessionpertest counts words with the tools of a sandbox. Its test
// shows the point: each test has a session of its own, that nothing else can
// touch and that is gone when the test ends.
package main

import (
	"context"
	"fmt"
	"log"
	"strconv"
	"strings"
	"time"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	eng, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }()
	client, err := agb.New(agb.WithTransport(eng.Transport()))
	if err != nil {
		return err
	}
	return client.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
		n, err := countWords(ctx, s, "the quick brown fox")
		if err == nil {
			fmt.Println("words:", n)
		}
		return err
	})
}

// countWords counts the words of text with the session's wc.
func countWords(ctx context.Context, s *agb.Session, text string) (int, error) {
	if _, err := s.FileSystem.WriteFile(ctx, "text", []byte(text), nil); err != nil {
		return 0, err
	}
	res, err := s.Command.Run(ctx, "wc -w < text", nil)
	if err != nil {
		return 0, err
	}
	if res.ExitCode != 0 {
		return 0, fmt.Errorf("wc: exit code %d: %s", res.ExitCode, res.Stderr)
	}
	return strconv.Atoi(strings.TrimSpace(res.Stdout))
}
