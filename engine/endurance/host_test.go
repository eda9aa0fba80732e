//go:build linux && (amd64 || arm64)

package endurance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
)

func init() {
	for name, prepare := range hosts {
		roles["host "+name] = func() error {
			if err := prepare(); err != nil {
				return err
			}
			return live()
		}
	}
}

// hosts are programs with habits of their own, that embed an engine.
var hosts = map[string]func() error{
	"reaps all":      reapAll,
	"ignores deaths": func() error { signal.Ignore(unix.SIGCHLD); return nil },
	"subreaper":      func() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) },
	"masks all":      func() error { unix.Umask(0o777); return nil },
	"masks nothing":  func() error { unix.Umask(0); return nil },
	"nowhere":        nowhere,
	"few files":      func() error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: 64}) },
	"closed streams": closeStreams,
	"much to inherit": func() error {
		return os.Setenv("AGB_ENDURANCE_HUGE", strings.Repeat("x", 100_000))
	},
}

// reapAll waits for every child that there is, as some programs do, and so
// takes the engine's from it.
func reapAll() error {
	go func() {
		for {
			var info unix.Siginfo
			if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED, nil); err == unix.ECHILD {
				unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil) //nolint:errcheck // sooner is fine
			}
		}
	}()
	return nil
}

// nowhere leaves this process in a directory that is not there any more.
func nowhere() error {
	dir, err := os.MkdirTemp("", "agb-nowhere")
	if err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	return os.Remove(dir)
}

func closeStreams() error {
	for fd := range 3 {
		if err := unix.Close(fd); err != nil {
			return err
		}
	}
	return nil
}

// live uses an engine as programs do.
func live() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	c, err := agb.New(agb.WithTransport(e.Transport()))
	if err != nil {
		return err
	}
	for range 3 {
		err = c.WithSession(ctx, nil, func(ctx context.Context, s *agb.Session) error {
			if _, err := s.FileSystem.WriteFile(ctx, "file", []byte("text"), nil); err != nil {
				return err
			}
			res, err := s.Command.Run(ctx, "cat file; umask; exit 7", nil)
			if err == nil && (res.ExitCode != 7 || res.Stdout != "text0022\n") {
				err = fmt.Errorf("exit code %d, output %q, errors %q", res.ExitCode, res.Stdout, res.Stderr)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return e.Close()
}

// TestHosts runs engines in programs with habits of their own: sessions are the
// same in all.
func TestHosts(t *testing.T) {
	skipUnavailable(t)
	self, err := os.Executable()
	require.NoError(t, err)
	for name := range hosts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, self)
			cmd.Env = append(os.Environ(), roleEnv+"=host "+name)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
		})
	}
}

// TestForksMeanwhile: a program that starts others while an engine works hands
// none of the engine's descriptors to them.
func TestForksMeanwhile(t *testing.T) {
	const forkers, sessions = 8, 20
	skipUnavailable(t)
	before := descriptorsOfAChild(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var forking sync.WaitGroup
	var mu sync.Mutex
	children, inherited := 0, map[string]int{}
	for range forkers {
		forking.Go(func() {
			for ctx.Err() == nil {
				open := descriptorsOfAChild(t)
				mu.Lock()
				children++
				for what := range open {
					inherited[what]++
				}
				mu.Unlock()
			}
		})
	}
	oneEngine(t, engine.Config{Pool: map[string]int{"host": 1}}, func(c *agb.Client) {
		for i := range sessions {
			round(t, c, i)
		}
	})
	cancel()
	forking.Wait()
	t.Logf("%d children", children)
	maps.DeleteFunc(inherited, func(what string, _ int) bool { return before[what] })
	require.Empty(t, inherited)
}

// ownFiles are what a program opens by itself when it starts.
var ownFiles = []string{"/usr/", "/etc/", "/lib"}

// descriptorsOfAChild starts a program and returns what it has open besides the
// standard streams.
func descriptorsOfAChild(t *testing.T) map[string]bool {
	t.Helper()
	cmd := exec.Command("cat") //nolint:noctx // ends with its input
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	found, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", cmd.Process.Pid))
	if err != nil {
		t.Error(err)
	}
	open := map[string]bool{}
	for _, path := range found {
		target, err := os.Readlink(path)
		own := slices.ContainsFunc(ownFiles, func(dir string) bool { return strings.HasPrefix(target, dir) })
		if fd := filepath.Base(path); err == nil && !own && !slices.Contains([]string{"0", "1", "2"}, fd) {
			open[fd+" is "+target] = true
		}
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
	return open
}

// drain reads what comes until the end.
func drain(t *testing.T, r io.Reader) {
	t.Helper()
	_, err := io.Copy(io.Discard, r)
	require.NoError(t, err)
}
