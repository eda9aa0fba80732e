package session

import (
	"context"
	"encoding/json"
	"net"
	"sync/atomic"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
)

// Listen listens inside the session for programs there to connect out to this
// one: to a Go server, say, without opening the session's network. network is
// "tcp" with an address such as "127.0.0.1:8080", where port 0 means any that
// is free, see Addr, or "unix" with the path of a socket that does not exist.
// ctx bounds the beginning alone. Any program in the session can connect.
//
// The caller closes the listener; a session has at most 64. An address that is in
// use, as one is for a moment after Close, is an error with code
// [apierr.AlreadyExists]. Connections are as those of [Session.Dial], and stay
// when the listener is closed. Until it and they are closed the session is not
// idle, and cannot be paused. While the session has no stream for a connection,
// or the way to it is broken for a moment, Accept waits. When the session ends
// Accept fails with code [apierr.SessionNotFound], after Close with
// [net.ErrClosed]. AGB's hosted service does not have it: the error has code
// [apierr.Unsupported].
func (s *Session) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	st, err := transport.Open(ctx, s.t, wire.ListenPort, s.ID, wire.ListenPortRequest{SessionID: s.ID, Network: network, Address: address})
	if err != nil {
		return nil, s.fail(err, "Listen")
	}
	// The server has listened before the stream began: this does not take long.
	stop := context.AfterFunc(ctx, func() { _ = st.Close() })
	var at wire.Listening
	kind, p, err := st.Next()
	if err == nil && (kind != wire.FrameListening || json.Unmarshal(p, &at) != nil) {
		err = st.Malformed("the server does not say where it listens")
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = st.Close()
		return nil, s.fail(err, "Listen")
	}
	l := &listener{session: s, stream: st, id: at.ListenerID, addr: addr{network: network, address: at.Address}}
	l.ctx, l.cancel = context.WithCancelCause(context.Background())
	go l.watch()
	return l, nil
}

// listener implements [net.Listener].
type listener struct {
	session *Session
	stream  *transport.Stream
	id      string
	addr    addr
	ctx     context.Context // ends with the stream, and says why
	cancel  context.CancelCauseFunc
	closed  atomic.Bool
}

// watch waits for the end of the stream, which is that of the listener inside.
func (l *listener) watch() {
	_, _, err := l.stream.Next()
	if err == nil {
		err = l.stream.Malformed("the server says more than where it listens")
	}
	l.cancel(l.session.fail(err, "Listen"))
}

// Between attempts to accept that failed for now Accept waits for a time that
// doubles.
const (
	minAcceptWait = 5 * time.Millisecond
	maxAcceptWait = time.Second
)

// Accept implements [net.Listener]. What may pass while the listener is there,
// such as a session without a stream to spare, does not end it: servers would
// give up.
func (l *listener) Accept() (net.Conn, error) {
	for wait := minAcceptWait; ; wait = min(2*wait, maxAcceptWait) {
		c, err := l.accept()
		if err == nil {
			return c, nil
		}
		if passing(err) {
			select {
			case <-time.After(wait):
				continue
			case <-l.ctx.Done():
			}
		}
		switch {
		case l.closed.Load():
			return nil, net.ErrClosed
		case l.ctx.Err() != nil:
			return nil, context.Cause(l.ctx)
		}
		return nil, err
	}
}

// passing reports whether trying again may help.
func passing(err error) bool {
	switch apierr.CodeOf(err) {
	case apierr.ResourceExhausted, apierr.Unavailable, apierr.UnknownOutcome, apierr.DeadlineExceeded:
		return true
	}
	return false
}

func (l *listener) accept() (net.Conn, error) {
	s := l.session
	st, err := transport.Open(l.ctx, s.t, wire.AcceptPort, s.ID, wire.AcceptPortRequest{SessionID: s.ID, ListenerID: l.id})
	if err != nil {
		return nil, s.fail(err, "Listen")
	}
	stop := context.AfterFunc(l.ctx, func() { _ = st.Close() })
	kind, _, err := st.Next()
	if err == nil && kind != wire.FrameAccepted {
		err = st.Malformed("the server does not say that there is a connection")
	}
	if !stop() && err == nil {
		err = net.ErrClosed
	}
	if err != nil {
		_ = st.Close()
		return nil, s.fail(err, "Listen")
	}
	return newConn(st, addr{l.addr.network, s.ID, "client"}), nil
}

// Addr implements [net.Listener]. Its String is the address inside.
func (l *listener) Addr() net.Addr { return l.addr }

// Close implements [net.Listener].
func (l *listener) Close() error {
	if l.closed.Swap(true) {
		return net.ErrClosed
	}
	l.cancel(net.ErrClosed)
	return l.stream.Close()
}
