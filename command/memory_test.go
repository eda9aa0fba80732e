package command_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/agb/agbtest"
	"github.com/agb-go/sdk/command"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/session"
)

// small returns a session with little memory, or skips the test.
func small(t *testing.T) *session.Session {
	t.Helper()
	s := agbtest.NewSession(t, agbtest.WithEngineConfig(engine.Config{Limits: engine.Limits{MemoryBytes: 64 << 20}}))
	layers, err := s.Isolation(t.Context())
	require.NoError(t, err)
	if !layers.Active(session.LayerMemoryLimit) {
		t.Skip("nothing limits memory here: ", layers.Layers)
	}
	return s
}

// run runs a command that ends by itself.
func run(t *testing.T, s *session.Session, cmd string) *command.Result {
	t.Helper()
	res, err := s.Command.Run(t.Context(), cmd, nil)
	require.NoError(t, err)
	return res
}

// Memory that is used up ends the command and not the session, and is told as
// what it was, by the command that it happened to and by no other.
func TestOutOfMemory(t *testing.T) {
	s := small(t)
	for _, c := range []struct {
		cmd    string
		code   int
		killed bool
	}{
		{"echo before; exec tail /dev/zero", 137, true},
		{"echo before; tail /dev/zero; exit 5", 5, true},
		{"echo before; exit 6", 6, false},
		{"echo before; tail /dev/zero | cat", 0, true},
		{"echo before; false", 1, false},
		{"echo before; tail /dev/zero || true", 0, true},
		{"echo before; kill -9 $$", 137, false},
		{"echo before", 0, false},
	} {
		res := run(t, s, c.cmd)
		require.Equal(t, c.code, res.ExitCode, c.cmd)
		require.Equal(t, "before\n", res.Stdout, c.cmd)
		require.Equal(t, c.killed, res.OOMKilled, c.cmd)
		res, err := s.Command.Shell(t.Context(), c.cmd).Output()
		require.NoError(t, err)
		require.Equal(t, c.code, res.ExitCode, c.cmd)
		require.Equal(t, c.killed, res.OOMKilled, c.cmd)
	}
}

// The account has a kill as soon as the command has ended, time after time.
func TestOutOfMemoryIsToldAtOnce(t *testing.T) {
	s := small(t)
	for range 10 {
		require.True(t, run(t, s, "tail /dev/zero | cat").OOMKilled)
		require.False(t, run(t, s, "false").OOMKilled)
	}
}

// What is killed in the background is told by the command that ran meanwhile,
// and by none when there was none.
func TestOutOfMemoryInBackground(t *testing.T) {
	s := small(t)
	const background = "(until [ -e go ]; do sleep 0.01; done; tail /dev/zero; touch done) >/dev/null 2>&1 & "
	const wait = "until [ -e done ]; do sleep 0.01; done; rm go done"

	require.False(t, run(t, s, background+"true").OOMKilled)
	require.False(t, run(t, s, "sleep 0.1; false").OOMKilled, "before")
	require.True(t, run(t, s, "touch go; "+wait).OOMKilled, "meanwhile")
	require.False(t, run(t, s, "sleep 0.1; false").OOMKilled, "after")

	before, err := s.Usage(t.Context())
	require.NoError(t, err)
	require.False(t, run(t, s, background+"true").OOMKilled)
	_, err = s.FileSystem.WriteFile(t.Context(), "go", nil, nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := s.Usage(t.Context())
		return err == nil && now.OOMKills > before.OOMKills
	}, 10*time.Second, 10*time.Millisecond)
	require.False(t, run(t, s, "false").OOMKilled, "between commands")
	require.False(t, run(t, s, wait).OOMKilled)
}

// Two commands at a time are both told.
func TestOutOfMemoryOfTwo(t *testing.T) {
	s := small(t)
	other := make(chan *command.Result, 1)
	go func() {
		res, _ := s.Command.Run(t.Context(), "touch ready; until [ -e done ]; do sleep 0.01; done", nil)
		other <- res
	}()
	require.True(t, run(t, s, "until [ -e ready ]; do sleep 0.01; done; tail /dev/zero; touch done").OOMKilled)
	res := <-other
	require.NotNil(t, res)
	require.Zero(t, res.ExitCode)
	require.True(t, res.OOMKilled)
}
