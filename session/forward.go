package session

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"

	"github.com/agb-go/sdk/apierr"
)

// maxForwarded is how many connections a [Forward] has at once. Others wait.
const maxForwarded = 128

// ForwardOptions are the options of [Session.ForwardLocal]. Nil and the zero
// value are ready to use.
type ForwardOptions struct {
	// Address is where to listen on this machine; empty means "127.0.0.1:0", a
	// free port that other machines cannot reach. Every program and user that
	// can reach it reaches the port inside.
	Address string
}

// Forward is a port of this machine that leads to one inside a session. It is
// safe for concurrent use.
type Forward struct {
	listener net.Listener
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	running  sync.WaitGroup
	slots    chan struct{}
}

// ForwardLocal listens on this machine and forwards what connects to a port
// inside the session, until [Forward.Close]: 128 connections at once. ctx bounds
// the beginning alone. Nothing need listen inside yet: a connection that finds
// nobody is closed. So is every one when the session has ended: it goes on
// listening here until Close.
func (s *Session) ForwardLocal(ctx context.Context, port int, opts *ForwardOptions) (*Forward, error) {
	if port < 1 || port > 65535 {
		return nil, s.fail(apierr.Errorf(apierr.InvalidArgument, "port %d is not between 1 and 65535", port), "ForwardLocal")
	}
	at := "127.0.0.1:0"
	if opts != nil && opts.Address != "" {
		at = opts.Address
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", at)
	if err != nil {
		return nil, s.fail(apierr.Errorf(apierr.FailedPrecondition, "listen on %s: %w", at, err), "ForwardLocal")
	}
	f := &Forward{listener: l, slots: make(chan struct{}, maxForwarded)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.running.Go(func() { f.accept(s, net.JoinHostPort("localhost", strconv.Itoa(port))) })
	return f, nil
}

// Addr returns where it listens: a [*net.TCPAddr].
func (f *Forward) Addr() net.Addr { return f.listener.Addr() }

// Close ends the forwarding, and all connections, and waits until they are
// gone. Closing twice is no error.
func (f *Forward) Close() error {
	f.cancel()
	err := f.listener.Close()
	f.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (f *Forward) accept(s *Session, address string) {
	for {
		select {
		case f.slots <- struct{}{}:
		case <-f.ctx.Done():
			return
		}
		local, err := f.listener.Accept()
		if err != nil {
			return // it is closed
		}
		f.running.Go(func() {
			defer func() { <-f.slots }()
			defer func() { _ = local.Close() }() // it may have been
			inside, err := s.Dial(f.ctx, "tcp", address)
			if err != nil {
				return
			}
			f.join(local, inside)
		})
	}
}

// join moves bytes in both directions until both have ended.
func (f *Forward) join(a, b net.Conn) {
	closeBoth := func() { _, _ = a.Close(), b.Close() } // twice, most often
	defer closeBoth()
	defer context.AfterFunc(f.ctx, closeBoth)()
	var back sync.WaitGroup
	back.Go(func() { pass(b, a, closeBoth) })
	pass(a, b, closeBoth)
	back.Wait()
}

// pass moves bytes, and the end of them. What fails ends all.
func pass(to, from net.Conn, fail func()) {
	_, err := io.Copy(to, from)
	if half, ok := to.(interface{ CloseWrite() error }); err == nil && ok {
		err = half.CloseWrite()
	}
	if err != nil {
		fail()
	}
}
