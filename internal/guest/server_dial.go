package guest

import (
	"context"
	"io"
	"sync"

	"github.com/agb-go/sdk/internal/guest/mux"
)

func (c *served) dial(ctx context.Context, d *decoder) error {
	network, address := d.text(addressLimit), d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	conn, err := c.handler.Dial(ctx, network, address)
	if err != nil {
		return err
	}
	return c.connected(ctx, conn)
}

// connected says so, and joins the call with conn.
func (c *served) connected(ctx context.Context, conn io.ReadWriteCloser) error {
	if _, err := c.stream.Write(c.result.sealed()); err != nil {
		_ = conn.Close() // nobody wants it any more
		return errAnswered
	}
	join(ctx, conn, c.stream.Stream)
	return errAnswered
}

// join copies in both directions until both are over, or the call is given
// up. It closes conn.
func join(ctx context.Context, conn io.ReadWriteCloser, st *mux.Stream) {
	closeConn := func() { _ = conn.Close() } // what was written was written
	defer closeConn()
	defer context.AfterFunc(ctx, closeConn)()

	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := io.Copy(conn, onlyReader{st}); err != nil {
			closeConn()
			return
		}
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite() // a connection that is gone fails to read, too
		}
	}()
	if _, err := io.Copy(onlyWriter{st}, conn); err != nil {
		_ = st.Close() // returns nil
	} else {
		_ = st.CloseWrite() // fails only when nobody reads
	}
	<-done
}

// onlyReader and onlyWriter keep io.Copy from looking for more.
type onlyReader struct{ io.Reader }
type onlyWriter struct{ io.Writer }

// listeners are what listens at the guest's end, by number.
type listeners struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]Acceptor
}

func (ls *listeners) add(l Acceptor) (uint64, bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if len(ls.open) >= listenLimit {
		return 0, false
	}
	if ls.open == nil {
		ls.open = map[uint64]Acceptor{}
	}
	ls.last++
	ls.open[ls.last] = l
	return ls.last, true
}

func (ls *listeners) remove(id uint64) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.open, id)
}

func (ls *listeners) find(id uint64) Acceptor {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.open[id]
}

// listen listens until the call is given up.
func (c *served) listen(ctx context.Context, d *decoder) error {
	network, address := d.text(addressLimit), d.text(PathLimit)
	if err := d.complete(); err != nil {
		return err
	}
	l, err := c.handler.Listen(ctx, network, address)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // nobody wants to know
	id, ok := c.listeners.add(l)
	if !ok {
		return &Error{Kind: Busy, Message: "too many listeners at once"}
	}
	defer c.listeners.remove(id)
	c.result.uint(id)
	c.result.text(l.Address())
	if _, err := c.stream.Write(c.result.sealed()); err == nil {
		<-ctx.Done()
	}
	return errAnswered
}

// accept waits for a connection to a listener and then is one.
func (c *served) accept(ctx context.Context, d *decoder) error {
	id := d.uint()
	if err := d.complete(); err != nil {
		return err
	}
	l := c.listeners.find(id)
	if l == nil {
		return &Error{Kind: Refused, Errno: 103, Message: "the listener is closed"}
	}
	conn, err := l.Accept(ctx)
	if err != nil {
		return err
	}
	return c.connected(ctx, conn)
}
