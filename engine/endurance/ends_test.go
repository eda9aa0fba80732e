//go:build linux && (amd64 || arm64)

package endurance

import (
	"context"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/code"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/filesystem"
)

// lasting are calls that last until their session ends: each calls ready when
// it is under way.
var lasting = map[string]func(ctx context.Context, s *agb.Session, ready func()) error{
	"wait": func(ctx context.Context, s *agb.Session, ready func()) error {
		cmd := s.Command.Command(ctx, "sleep", "1000")
		return startAndWait(cmd, ready)
	},
	"attach": func(ctx context.Context, s *agb.Session, ready func()) error {
		cmd := s.Command.Command(ctx, "sleep", "1000")
		cmd.Detach = true
		if err := startAndWait(cmd, func() { _ = cmd.Release() }); err != nil { // Wait tells
			return err
		}
		again, err := s.Command.Attach(ctx, cmd.ProcessID, nil)
		if err != nil {
			return err
		}
		ready()
		_, err = again.Wait()
		return err
	},
	"read": func(ctx context.Context, s *agb.Session, ready func()) error {
		return connected(ctx, s, func(c net.Conn) error {
			ready()
			_, err := c.Read(make([]byte, 1))
			return err
		})
	},
	"write": func(ctx context.Context, s *agb.Session, ready func()) error {
		return connected(ctx, s, func(c net.Conn) (err error) {
			ready()
			for err == nil {
				_, err = c.Write(make([]byte, 64<<10))
			}
			return err
		})
	},
	"accept": func(ctx context.Context, s *agb.Session, ready func()) error {
		l, err := s.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer func() { _ = l.Close() }()
		ready()
		_, err = l.Accept()
		return err
	},
	"open stream": func(ctx context.Context, s *agb.Session, ready func()) error {
		if _, err := s.Command.Run(ctx, "truncate -s 400M /tmp/large", nil); err != nil {
			return err
		}
		r, err := s.FileSystem.OpenStream(ctx, "/tmp/large", nil)
		if err != nil {
			return err
		}
		defer func() { _ = r.Close() }()
		ready()
		for b := make([]byte, 16<<10); err == nil; {
			_, err = r.Read(b)
			time.Sleep(10 * time.Millisecond) // it lasts
		}
		return err
	},
	"watch": func(ctx context.Context, s *agb.Session, ready func()) error {
		for _, err := range s.FileSystem.Watch(ctx, "/home", &filesystem.WatchOptions{Ready: ready}) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"code": func(ctx context.Context, s *agb.Session, ready func()) error {
		_, err := s.Code.Run(ctx, code.Python, "import time; print('ready', flush=True); time.sleep(1000)",
			&code.RunOptions{Timeout: time.Hour, Stdout: &onWrite{call: ready}})
		return err
	},
}

func startAndWait(cmd *command.Cmd, started func()) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	started()
	_, err := cmd.Wait()
	return err
}

// connected has use use a connection to a port where nobody takes it.
func connected(ctx context.Context, s *agb.Session, use func(net.Conn) error) error {
	l, err := s.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	c, err := s.Dial(ctx, "tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	return use(c)
}

// onWrite calls something when it is written to.
type onWrite struct{ call func() }

func (w *onWrite) Write(p []byte) (int, error) {
	w.call()
	return len(p), nil
}

// TestAllEndsWithItsSession: whatever way a session ends, what is under way in
// it ends within a second, more where the machine is busy, and says why.
func TestAllEndsWithItsSession(t *testing.T) {
	const within = 2 * time.Second
	skipUnavailable(t)
	for name, end := range map[string]func(*testing.T, *agb.Session){
		"deleted": func(t *testing.T, s *agb.Session) {
			t.Helper()
			_, err := s.Delete(t.Context())
			require.NoError(t, err)
		},
		"lifetime over": func(t *testing.T, s *agb.Session) {
			t.Helper()
			_, err := s.Extend(t.Context(), time.Millisecond)
			require.NoError(t, err)
		},
		"guest killed": func(t *testing.T, s *agb.Session) {
			t.Helper()
			require.NoError(t, unix.Kill(markedGuest(t, s.ID).pid, unix.SIGKILL))
		},
	} {
		t.Run(name, func(t *testing.T) {
			oneEngine(t, engine.Config{}, func(c *agb.Client) {
				s := createOn(t, c, &agb.CreateParams{ImageID: "agb-code-space-1"})
				_, err := s.Command.Run(t.Context(), mark(s.ID), nil)
				require.NoError(t, err)
				allEnd(t, s, func() { end(t, s) }, within)
			})
		})
	}
}

// allEnd requires that all calls that last end when the session does.
func allEnd(t *testing.T, s *agb.Session, end func(), within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	type outcome struct {
		err error
		at  time.Time
	}
	var mu sync.Mutex
	outcomes := map[string]outcome{}
	var begun, over sync.WaitGroup
	for name, call := range lasting {
		if _, err := exec.LookPath("python3"); name == "code" && err != nil {
			continue
		}
		begun.Add(1)
		over.Go(func() {
			ready := sync.OnceFunc(begun.Done)
			err := call(ctx, s, ready)
			at := time.Now()
			ready() // if it never was
			mu.Lock()
			defer mu.Unlock()
			outcomes[name] = outcome{err, at}
		})
	}
	begun.Wait()
	start := time.Now()
	end()
	over.Wait()
	for name, o := range outcomes {
		took := o.at.Sub(start)
		t.Logf("%s: %v: %v", name, took.Round(time.Millisecond), o.err)
		require.Positive(t, took, "%s did not last", name)
		require.Less(t, took, within, name)
		require.ErrorIs(t, o.err, agb.ErrSessionNotFound, name)
	}
}
