package guest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// writer takes its time for each write.
type writer time.Duration

func (w writer) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(w))
	return len(p), nil
}

// A guest that keeps to the timeout is not blamed for the engine's own writer.
func TestSlowWriterIsNoSilence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, &fake{run: func(_ context.Context, cmd Command) (Exit, error) {
			_, err := cmd.Stdout.Write([]byte("much"))
			time.Sleep(cmd.Timeout)
			return Exit{Code: 137, Signal: 9, TimedOut: true}, err
		}})
		begin := time.Now()
		exit, err := c.Run(t.Context(), Command{Args: []string{"x"}, Timeout: time.Second, Stdout: writer(time.Minute)})
		require.NoError(t, err)
		require.True(t, exit.TimedOut)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}

// One that talks on is not spared for it: only the time in writers counts.
func TestTalkingIsNoExcuse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		defer close(over)
		c := connect(t, &fake{run: func(_ context.Context, cmd Command) (Exit, error) {
			for {
				select {
				case <-over:
					return Exit{}, nil
				case <-time.After(100 * time.Millisecond):
					_, _ = cmd.Stdout.Write([]byte("."))
				}
			}
		}})
		begin := time.Now()
		_, err := c.Run(t.Context(), Command{Args: []string{"x"}, Timeout: time.Second, Stdout: writer(time.Millisecond)})
		require.ErrorIs(t, err, ErrUnresponsive)
		require.Less(t, time.Since(begin), time.Second+KillWait+time.Second)
	})
}
