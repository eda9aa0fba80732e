//go:build linux && (amd64 || arm64) && agbmutation

package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns"
	"github.com/agb-go/sdk/internal/wire"
)

// TestIsolationNotices leaves one part of the isolation out at a time: the
// guest sees that it is missing, and nobody gets the sandbox.
func TestIsolationNotices(t *testing.T) {
	whole := newEngine(t, engine.Config{})
	create(t, whole, host)
	for part, layer := range map[string]string{
		driver.Seccomp: driver.Seccomp, driver.Landlock: driver.Landlock, driver.Capabilities: driver.Capabilities,
		driver.NoNewPrivs: driver.NoNewPrivs, driver.Descriptors: driver.Descriptors, driver.ReadOnlyRoot: driver.ReadOnlyRoot,
		driver.ProcessLimit: driver.ProcessLimit, driver.DiskLimit: driver.DiskLimit, driver.GuestHidden: driver.GuestHidden,
		"network namespace": driver.Namespaces, "pid namespace": driver.Namespaces,
	} {
		linuxns.Without(part)
		eng := newEngine(t, engine.Config{Require: []string{layer}})
		_, env := ask(t, eng, wire.CreateSession, wire.CreateSessionRequest{})
		require.False(t, env.Success, part)
		require.Equal(t, "IsolationUnavailable", env.Code, part)
		require.Equal(t, []string{layer}, env.Missing, part)

		weak := newEngine(t, engine.Config{Require: []string{}})
		id := create(t, weak, host)
		info, _ := ask(t, weak, wire.SessionInfo, wire.SessionRequest{SessionID: id})
		for _, l := range info.Isolation {
			if l.Name == layer {
				require.False(t, l.Active, part)
			}
		}
		linuxns.Without("")
	}
}
