//go:build linux && (amd64 || arm64)

package hostile

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/agb"
	"github.com/agb-go/sdk/engine"
	"github.com/agb-go/sdk/engine/drivertest/leak"
)

// lab is an engine with a client.
type lab struct {
	engine *engine.Engine
	client *agb.Client
}

// newLab starts an engine. When the test ends it closes it, and nothing may be
// left of it then.
func newLab(t *testing.T, cfg engine.Config) lab {
	t.Helper()
	o := leak.Options{Dirs: []string{given.Temp}, Scope: leak.Everything}
	warmUp(t)
	before := leak.AtRest(o)
	l := startLab(t, cfg)
	untouched := l.plant(t)
	t.Cleanup(func() {
		untouched()
		require.NoError(t, l.engine.Close())
		leak.Check(t, before, o)
	})
	return l
}

// sessionToken is what another session holds: in files, and in the environment
// and the arguments of a process.
var sessionToken = rand.Text()

// plant makes a session that holds the token, and returns a function that
// requires that it still does.
func (l lab) plant(t *testing.T) (untouched func()) {
	t.Helper()
	s := l.create(t)
	sh(t, s, `
		for d in "$HOME" /tmp /var/tmp /dev/shm; do echo `+sessionToken+` >$d/canary; done
		SECRET=`+sessionToken+` sh -c 'sleep 1000; :' `+sessionToken+` </dev/null >/dev/null 2>&1 &`)
	return func() {
		// Tests of their own context have ended.
		res, err := s.Command.Run(context.WithoutCancel(t.Context()), `cat "$HOME/canary" /tmp/canary /var/tmp/canary /dev/shm/canary`, nil)
		require.NoError(t, err)
		require.Equal(t, strings.Repeat(sessionToken+"\n", 4), res.Stdout)
	}
}

// startLab starts an engine that the caller closes.
func startLab(t *testing.T, cfg engine.Config) lab {
	t.Helper()
	e, err := engine.New(cfg)
	require.NoError(t, err)
	client, err := agb.New(agb.WithTransport(e.Transport()))
	require.NoError(t, err)
	return lab{e, client}
}

var warm bool

// warmUp has the process open once what it then keeps, such as the descriptors
// of its poller.
func warmUp(t *testing.T) {
	t.Helper()
	if warm {
		return
	}
	warm = true
	for _, ring := range []int{unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING} {
		_, _ = unix.KeyctlGetKeyringID(ring, true) // the kernel keeps those of a user who had any
	}
	l := startLab(t, engine.Config{})
	sh(t, l.create(t), "true")
	require.NoError(t, l.engine.Close())
}

// create returns a session of the lab's engine.
func (l lab) create(t *testing.T) *agb.Session {
	t.Helper()
	created, err := l.client.Create(t.Context(), nil)
	require.NoError(t, err)
	return created.Session
}
