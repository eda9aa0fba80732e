package store_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/failpoint/failtest"
	"github.com/agb-go/sdk/engine/internal/store"
)

// TestOwner: the owner of a directory can be told from another process that has
// its number.
func TestOwner(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "s")
	s, _ := open(t, dir, store.Options{})
	var me store.Owner
	text, err := os.ReadFile(filepath.Join(dir, "sessions.lock"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &me))
	require.Equal(t, os.Getpid(), me.PID)
	require.True(t, me.Alive())
	for _, change := range []func(*store.Owner){
		func(o *store.Owner) { o.Start += "0" },
		func(o *store.Owner) { o.Boot = strings.Repeat("0", 36) },
		func(o *store.Owner) { o.PID = 1 << 30 },
		func(o *store.Owner) { *o = store.Owner{} },
	} {
		other := me
		change(&other)
		require.False(t, other.Alive())
	}
	require.NoError(t, s.Close())
	text, err = os.ReadFile(filepath.Join(dir, "sessions.lock"))
	require.NoError(t, err)
	require.Empty(t, text)
}

// TestOwnerUndead: a process that was killed and that nobody has waited for is
// not alive.
func TestOwnerUndead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := filepath.Join(t.TempDir(), "s")
	cmd := child(ctx, "writer", dir)
	cmd.Env = append(cmd.Env, failtest.Setting(failpoint.StorePlaced, failtest.Kill, 1))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, _ = out.Read(make([]byte, 1)) // returns when the process is dead
	s, report := open(t, dir, store.Options{Wait: longWait})
	require.NotNil(t, report.Previous)
	require.Equal(t, cmd.Process.Pid, report.Previous.PID)
	// It lets go of its files a moment before it is dead.
	require.Eventually(t, func() bool { return !report.Previous.Alive() }, 10*time.Second, time.Millisecond)
	require.NoError(t, s.Close())
	require.Error(t, cmd.Wait())
}

// TestOwnerUnreadable: a lock file with something else in it is no obstacle.
func TestOwnerUnreadable(t *testing.T) {
	for _, text := range []string{"x", "{}", `{"pid":-1}`, strings.Repeat("[", 1<<20)} {
		dir := filepath.Join(t.TempDir(), "s")
		require.NoError(t, os.Mkdir(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "sessions.lock"), []byte(text), 0o600))
		_, report := open(t, dir, store.Options{})
		require.Nil(t, report.Previous)
	}
}
