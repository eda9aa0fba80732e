package engine_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns"
	"github.com/agb-go/sdk/internal/wire"
)

// TestIsolation: every layer that a sandbox is made of, and that this kernel
// has, is seen from inside.
func TestIsolation(t *testing.T) {
	eng := newEngine(t, engine.Config{})
	id := create(t, eng, host)
	info, env := ask(t, eng, wire.SessionInfo, wire.SessionRequest{SessionID: id})
	require.True(t, env.Success)
	seen := map[string]bool{}
	for _, l := range info.Isolation {
		seen[l.Name] = l.Active
		t.Logf("%s: %t: %s", l.Name, l.Active, l.Detail)
	}
	for _, name := range []string{
		driver.Namespaces, driver.Capabilities, driver.NoNewPrivs, driver.Seccomp, driver.ReadOnlyRoot, driver.Network,
		driver.Descriptors, driver.GuestHidden, driver.ProcessLimit, driver.DiskLimit,
	} {
		require.True(t, seen[name], name)
	}
	report, err := engine.Probe(t.Context())
	require.NoError(t, err)
	for _, l := range report.Layers {
		if l.Name == driver.Landlock {
			require.Equal(t, l.OK, seen[driver.Landlock])
		}
	}
}

// weak is a runtime that owns up to a missing layer.
type weak struct{ driver.Runtime }

func (w weak) Create(ctx context.Context, spec driver.Spec) (driver.Sandbox, error) {
	sb, err := w.Runtime.Create(ctx, spec)
	if err != nil {
		return nil, err
	}
	return weakSandbox{sb}, nil
}

type weakSandbox struct{ driver.Sandbox }

func (weakSandbox) Layers() []driver.Layer {
	return []driver.Layer{{Name: driver.MemoryLimit, Detail: "no control groups here", Cure: "delegate some"}}
}

// TestRequire refuses a session for want of a layer, and leaves nothing behind.
func TestRequire(t *testing.T) {
	whole := newEngine(t, engine.Config{})
	create(t, whole, host)
	require.NoError(t, whole.Close())
	for _, name := range []string{driver.MemoryLimit, driver.CPULimit} { // said to be missing, and not mentioned
		rt, err := linuxns.New(linuxns.Config{})
		require.NoError(t, err)
		eng := newEngine(t, engine.Config{Runtime: weak{rt}, Require: []string{driver.Seccomp, name}})
		_, env := ask(t, eng, wire.CreateSession, wire.CreateSessionRequest{})
		require.False(t, env.Success)
		require.Equal(t, "IsolationUnavailable", env.Code)
		require.Equal(t, []string{name}, env.Missing)
		require.NotEmpty(t, env.Hint)
		require.NoError(t, eng.Close())
		require.Empty(t, children(t))
	}
}
