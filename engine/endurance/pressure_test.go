//go:build linux && (amd64 || arm64)

package endurance

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/command"
)

var params = &agb.CreateParams{ImageID: "host"}

// TestShutdownAtWork ends a service with commands at work: they end, and so
// does it, without an error.
func TestShutdownAtWork(t *testing.T) {
	const sessions, commands = 2, 10
	s := newService(t, serveConfig{})
	c := client(t, s.addr)
	ended := make(chan error, sessions*commands)
	var running sync.WaitGroup
	var last *agb.Session
	for range sessions {
		last = createOn(t, c, params)
		run := last.Command.Run
		for i := range commands {
			running.Go(func() {
				_, err := run(t.Context(), fmt.Sprintf("touch here-%d; sleep 100", i), &command.RunOptions{Timeout: 10 * patience})
				ended <- err
			})
		}
		require.Eventually(t, func() bool {
			res, err := run(t.Context(), "ls here-* | wc -l", nil)
			return err == nil && res.Stdout == fmt.Sprintln(commands)
		}, patience, tick)
	}
	s.end(unix.SIGTERM)
	running.Wait()
	for range sessions * commands {
		require.Error(t, <-ended)
	}
	s.start()
	_, err := c.Get(t.Context(), last.ID)
	require.ErrorIs(t, err, agb.ErrSessionNotFound)
	say(t, createOn(t, c, params), "again")
}

// TestOwnerStopped: an owner that did not run for a while finds its sessions
// alive but for those whose time was over, which then end.
func TestOwnerStopped(t *testing.T) {
	const nap = 2 * time.Second
	s := newService(t, serveConfig{})
	c := client(t, s.addr)
	lives := createOn(t, c, params)
	ends := createOn(t, c, &agb.CreateParams{ImageID: "host", Lifetime: nap / 2})
	require.NoError(t, unix.Kill(s.pid(), unix.SIGSTOP))
	time.Sleep(nap) // nothing else tells that so much time has gone by
	require.NoError(t, unix.Kill(s.pid(), unix.SIGCONT))
	say(t, lives, "alive")
	require.Eventually(t, func() bool {
		status, err := ends.Status(t.Context())
		return err == nil && status.State.String() == "gone"
	}, goneWithin, tick)
	for range 2 {
		_, err := ends.Delete(t.Context())
		require.NoError(t, err)
	}
	_, err := lives.Delete(t.Context())
	require.NoError(t, err)
}

// TestNoDescriptors: an engine whose process has no descriptors left fails to
// create with an error that says what it is, keeps what it has, and creates
// again when there are some.
func TestNoDescriptors(t *testing.T) {
	s := newService(t, serveConfig{})
	c := client(t, s.addr, agb.WithRetry(1))
	lives := createOn(t, c, params)
	round(t, c, 0)
	open := descriptors(t, s.pid())
	var old unix.Rlimit
	require.NoError(t, unix.Prlimit(s.pid(), unix.RLIMIT_NOFILE, nil, &old))
	failed := 0
	for room := range 12 {
		few := unix.Rlimit{Cur: uint64(free(t, s.pid(), room)), Max: old.Max}
		require.NoError(t, unix.Prlimit(s.pid(), unix.RLIMIT_NOFILE, &few, nil))
		created, err := c.Create(t.Context(), params)
		require.NoError(t, unix.Prlimit(s.pid(), unix.RLIMIT_NOFILE, &old, nil))
		if err != nil {
			failed++
			require.ErrorIs(t, err, agb.ErrResourceExhausted, "room for %d", room)
			continue
		}
		_, err = created.Session.Delete(t.Context())
		require.NoError(t, err)
	}
	require.NotZero(t, failed)
	say(t, lives, "alive")
	round(t, c, 1)
	require.Eventually(t, func() bool { return descriptors(t, s.pid()) <= open }, patience, tick)
}

// descriptors counts the descriptors of a process.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	found, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	require.NoError(t, err)
	return len(found)
}

// free returns the descriptor of a process below which so many are free.
func free(t *testing.T, pid, room int) int {
	t.Helper()
	for n := 0; ; n++ {
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/fd/%d", pid, n)); err == nil {
			continue
		}
		if room == 0 {
			return n
		}
		room--
	}
}

// TestProgramReplaced: a service whose program was replaced, and then removed,
// goes on, and starts whatever it starts from the program that it is.
func TestProgramReplaced(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "program")
	copyFile(t, self, program)
	s := serviceOf(t, program, serveConfig{})
	c := client(t, s.addr)
	lives := createOn(t, c, params)
	other := program + ".next"
	require.NoError(t, os.WriteFile(other, []byte("#!/bin/sh\nexit 9\n"), 0o755))
	require.NoError(t, os.Rename(other, program))
	say(t, lives, "replaced")
	round(t, c, 0)
	require.NoError(t, os.Remove(program))
	launcher, ok := launcherBelow(t, s.pid())
	require.True(t, ok)
	require.NoError(t, unix.Kill(launcher.pid, unix.SIGKILL))
	require.Eventually(t, func() bool { return !launcher.alive() }, goneWithin, tick)
	round(t, c, 1)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	require.NoError(t, err)
	defer func() { require.NoError(t, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}
