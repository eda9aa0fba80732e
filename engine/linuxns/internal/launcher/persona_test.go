//go:build linux && (amd64 || arm64)

package launcher

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// state is what a persona changes of the calling thread.
type state struct {
	uid, dumpable int
	effective     [2]uint32
}

func stateNow(t *testing.T) state {
	t.Helper()
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Error(err)
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Error(err)
	}
	uid, _, _ := unix.RawSyscall(unix.SYS_GETEUID, 0, 0, 0)
	return state{int(uid), dumpable, [2]uint32{data[0].Effective, data[1].Effective}}
}

// TestPersona: the effective user is another for as long as fork takes, and
// nothing else changes.
func TestPersona(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be somebody else")
	}
	const user = 2000224256
	failed := errors.New("fork")
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with its secure bits
		p := newPersona()
		before := stateNow(t)
		var during state
		err := p.as(user, func() error {
			during = stateNow(t)
			return failed
		})
		after := stateNow(t)
		want := before
		want.uid = user
		if !p.possible || !errors.Is(err, failed) || during != want || after != before {
			t.Errorf("possible: %t, %v; %+v, %+v, %+v", p.possible, err, before, during, after)
		}
		if err := p.as(0, func() error { return nil }); err != nil || stateNow(t) != before {
			t.Errorf("nobody else: %v", err)
		}
		if err := (persona{}).as(user, func() error { during = stateNow(t); return nil }); err != nil || during != before {
			t.Errorf("impossible: %v", err)
		}
	}()
	<-done
	uid, _, _ := unix.RawSyscall(unix.SYS_GETEUID, 0, 0, 0)
	require.Zero(t, uid, "other threads are as they were")
}
