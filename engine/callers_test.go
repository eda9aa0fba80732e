package engine_test

import (
	"cmp"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
)

// callers are what goes on in a session when it ends: each until it fails.
var callers = map[string]func(context.Context, *agb.Session) error{
	"command": func(ctx context.Context, s *agb.Session) error {
		_, err := s.Command.Run(ctx, "sleep 0.001", nil)
		return err
	},
	"code": func(ctx context.Context, s *agb.Session) error {
		_, err := s.Code.Run(ctx, code.Bash, "sleep 0.001", nil)
		return err
	},
	"write": func(ctx context.Context, s *agb.Session) error {
		_, err := s.FileSystem.WriteFile(ctx, "file", make([]byte, 100<<10), nil)
		return err
	},
	"upload": func(ctx context.Context, s *agb.Session) error {
		w, err := s.FileSystem.CreateStream(ctx, "large", nil)
		if err != nil {
			return err
		}
		_, err = w.Write(make([]byte, 4<<20))
		return cmp.Or(w.Close(), err)
	},
	"stream": func(ctx context.Context, s *agb.Session) error {
		_, err := s.Command.Shell(ctx, "head -c 1M /dev/zero").Output()
		return err
	},
	"attach": func(ctx context.Context, s *agb.Session) error {
		cmd := s.Command.Shell(ctx, "sleep 0.01")
		cmd.Detach = true
		if err := cmd.Start(); err != nil {
			return err
		}
		attached, err := s.Command.Attach(ctx, cmd.ProcessID, nil)
		if err == nil {
			_, err = attached.Wait()
		}
		_, started := cmd.Wait()
		return cmp.Or(err, started)
	},
}

// endUnder ends a session, in which callers are at work, by what is given, and
// returns how each failed.
func endUnder(t *testing.T, client *agb.Client, end func(*agb.Session)) map[string]error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	created, err := client.Create(ctx, nil)
	require.NoError(t, err)
	var group, atWork sync.WaitGroup
	var mu sync.Mutex
	failed := map[string]error{}
	for name, call := range callers {
		atWork.Add(1)
		group.Go(func() {
			err := call(ctx, created.Session)
			atWork.Done()
			for err == nil {
				err = call(ctx, created.Session)
			}
			mu.Lock()
			defer mu.Unlock()
			failed[name] = err
		})
	}
	atWork.Wait()
	end(created.Session)
	group.Wait()
	return failed
}
