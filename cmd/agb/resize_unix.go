//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	agbcommand "github.com/agb-go/sdk/command"
)

// followSize keeps the program's terminal as large as this one, until stop is
// called.
func followSize(ctx context.Context, cmd *agbcommand.Cmd) (stop func()) {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	var follow sync.WaitGroup
	follow.Go(func() {
		for range changed {
			if size, err := terminalSize(); err == nil {
				_, _ = cmd.Resize(ctx, size) // it has ended, or has no terminal
			}
		}
	})
	if size, err := terminalSize(); err == nil {
		_, _ = cmd.Resize(ctx, size) // of one that was started elsewhere
	}
	return func() {
		signal.Stop(changed)
		close(changed)
		follow.Wait()
	}
}
