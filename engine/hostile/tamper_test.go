//go:build linux && (amd64 || arm64)

package hostile

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/linuxns"
)

// tampering is a runtime whose guests can be taken over: what they say then
// goes through an attacker, who says something else, and what they are told may
// not reach them.
type tampering struct {
	driver.Runtime
	attacker atomic.Pointer[attacker] // nil as long as guests are as they should be
}

// attacker has taken over the guest of a session. Its methods may be nil.
type attacker struct {
	session string
	say     func(engine *net.UnixConn, said []byte) error // what is said in place of said
	deaf    bool                                          // whether it stops listening
}

// newTampering returns a runtime for an engine, which closes it.
func newTampering(t *testing.T) *tampering {
	t.Helper()
	rt, err := linuxns.New(linuxns.Config{})
	require.NoError(t, err)
	return &tampering{Runtime: rt}
}

// Create implements [driver.Runtime].
func (r *tampering) Create(ctx context.Context, spec driver.Spec) (driver.Sandbox, error) {
	sandbox, err := r.Runtime.Create(ctx, spec)
	if err != nil {
		return nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	end := os.NewFile(uintptr(pair[1]), "guest's end")
	defer func() { _ = end.Close() }() // there is a copy of it
	conn, err := net.FileConn(end)
	if err != nil {
		return nil, err
	}
	engine, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, net.UnknownNetworkError("no unix socket")
	}
	s := &tampered{Sandbox: sandbox, conn: os.NewFile(uintptr(pair[0]), "engine's end"), engine: engine}
	guest := sandbox.Conn()
	s.relays.Go(func() { r.listen(spec.ID, engine, guest) })
	s.relays.Go(func() { r.speak(spec.ID, guest, engine) })
	return s, nil
}

// of returns the attacker that has taken over the guest of a session, or nil.
func (r *tampering) of(session string) *attacker {
	if a := r.attacker.Load(); a != nil && a.session == session {
		return a
	}
	return nil
}

// listen passes on what the engine says.
func (r *tampering) listen(session string, engine *net.UnixConn, guest io.WriteCloser) {
	buf := make([]byte, 32<<10)
	for {
		n, err := engine.Read(buf)
		if err == nil {
			_, err = guest.Write(buf[:n])
		}
		if err != nil {
			_ = guest.Close() // the end of the conversation is passed on, too
			return
		}
		if a := r.of(session); a != nil && a.deaf {
			return
		}
	}
}

// speak passes on what the guest says.
func (r *tampering) speak(session string, guest io.Reader, engine *net.UnixConn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := guest.Read(buf)
		if err == nil {
			if a := r.of(session); a != nil && a.say != nil {
				err = a.say(engine, buf[:n])
			} else {
				_, err = engine.Write(buf[:n])
			}
		}
		if err != nil {
			_ = engine.CloseWrite() // it may be closed altogether
			return
		}
	}
}

// tampered is a sandbox with an attacker on its stream.
type tampered struct {
	driver.Sandbox
	conn   *os.File      // the engine's end
	engine *net.UnixConn // the other end of it
	relays sync.WaitGroup
}

// Conn implements [driver.Sandbox].
func (s *tampered) Conn() io.ReadWriteCloser { return s.conn }

// Destroy implements [driver.Sandbox].
func (s *tampered) Destroy(ctx context.Context) error {
	_ = s.conn.Close()           // it may be closed already,
	_ = s.engine.Close()         // and has nothing to lose
	_ = s.Sandbox.Conn().Close() // returns nil
	err := s.Sandbox.Destroy(ctx)
	s.relays.Wait()
	return err
}
