package engine

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/engine/internal/failpoint"
	"github.com/agb-go/sdk/engine/internal/httpapi"
	"github.com/agb-go/sdk/engine/linuxns"
)

// doomedEnv has this program be the owner of an engine that is to be killed at
// a point: "operation point pass pool directory".
const doomedEnv = "AGB_TEST_DOOMED"

// What a doomed engine is killed in.
const (
	killedFilling  = "fill"
	killedCreating = "create"
	killedDeleting = "delete"
)

// Points that a doomed engine has besides those of failpoint.
const (
	runtimeAsked   = "runtime.asked"   // for a sandbox
	runtimeMade    = "runtime.made"    // one, of which the engine does not know yet
	guestAsked     = "guest.asked"     // something: in pieces
	guestAnswered  = "guest.answered"  // likewise
	runtimeDestroy = "runtime.destroy" // is asked to
	runtimeGone    = "runtime.gone"    // and has
	clientTold     = "client.told"     // that it is done
)

// Lines of a doomed engine.
const (
	sayHere    = "here"    // at the point
	saySession = "session" // and its id, as told to a client
	sayNever   = "never"   // came to the point, or what went wrong
)

var doomedParams = httpapi.CreateParams{Key: "k", Labels: map[string]string{"a": "b"}}

// deadline is the place at which a doomed engine waits for its end.
type deadline struct {
	point string
	pass  int32
	armed atomic.Bool
	count atomic.Int32
}

// at passes a point, or stays there.
func (d *deadline) at(point string) {
	if d.armed.Load() && point == d.point && d.count.Add(1) == d.pass {
		fmt.Println(sayHere)
		select {}
	}
}

// doomed makes an engine, a session, and an end of it. It never returns.
func doomed(what string) {
	d := &deadline{}
	var op, dir string
	var pool int
	_, err := fmt.Sscan(what, &op, &d.point, &d.pass, &pool, &dir)
	must(err)
	if p := failpoint.Point(d.point); slices.Contains(failpoint.Points(""), p) {
		failpoint.Arm(p, func() error { d.at(d.point); return nil })
	}
	d.armed.Store(op == killedFilling)
	rt, err := linuxns.New(linuxns.Config{})
	must(err)
	e, err := New(Config{Runtime: &deadlyRuntime{rt, d}, StateDir: dir, Pool: map[string]int{"host": pool}})
	must(err)
	v := (*service)(e)
	for pooled(v) < pool {
		time.Sleep(time.Millisecond)
	}
	d.armed.Store(op == killedCreating)
	s, err := v.Create(context.Background(), owner, doomedParams)
	must(err)
	fmt.Println(saySession, s.ID)
	d.at(clientTold)
	d.armed.Store(op == killedDeleting)
	must(v.Delete(context.Background(), owner, s.ID))
	d.at(clientTold)
	must(fmt.Errorf("point %s was not passed %d times in %s", d.point, d.pass, op))
}

func must(err error) {
	if err != nil {
		fmt.Println(sayNever, err)
		os.Exit(1)
	}
}

// deadlyRuntime is a runtime with points.
type deadlyRuntime struct {
	driver.Runtime
	d *deadline
}

func (r *deadlyRuntime) Create(ctx context.Context, spec driver.Spec) (driver.Sandbox, error) {
	r.d.at(runtimeAsked)
	s, err := r.Runtime.Create(ctx, spec)
	if err != nil {
		return nil, err
	}
	r.d.at(runtimeMade)
	return &deadlySandbox{Sandbox: s, d: r.d}, nil
}

type deadlySandbox struct {
	driver.Sandbox
	d    *deadline
	once sync.Once
	conn io.ReadWriteCloser
}

func (s *deadlySandbox) Conn() io.ReadWriteCloser {
	s.once.Do(func() { s.conn = &deadlyConn{s.Sandbox.Conn(), s.d} })
	return s.conn
}

func (s *deadlySandbox) Destroy(ctx context.Context) error {
	s.d.at(runtimeDestroy)
	err := s.Sandbox.Destroy(ctx)
	s.d.at(runtimeGone)
	return err
}

type deadlyConn struct {
	io.ReadWriteCloser
	d *deadline
}

func (c *deadlyConn) Read(b []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(b)
	c.d.at(guestAnswered)
	return n, err
}

func (c *deadlyConn) Write(b []byte) (int, error) {
	c.d.at(guestAsked)
	return c.ReadWriteCloser.Write(b)
}
