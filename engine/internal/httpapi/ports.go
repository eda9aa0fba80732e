package httpapi

import (
	"context"

	"github.com/google/uuid"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// dialPort joins a stream to a connection to a port, or a socket, inside.
func dialPort(ctx context.Context, ws *Workspace, req wire.DialPortRequest, accept func() (*duplex, error)) error {
	inside, err := ws.Guest.Dial(ctx, req.Network, req.Address)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = inside.Close() })()
	d, err := accept()
	if err != nil {
		_ = inside.Close()
		return err
	}
	return join(d, inside)
}

// listenPort listens inside for as long as the client keeps the stream.
func listenPort(ctx context.Context, ws *Workspace, req wire.ListenPortRequest, accept func() (*duplex, error)) error {
	l, err := ws.Guest.Listen(ctx, req.Network, req.Address)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // returns nil
	id := uuid.NewString()
	ws.addListener(id, l)
	defer ws.removeListener(id)
	d, err := accept()
	if err != nil {
		return err
	}
	if err := d.send(wire.FrameListening, wire.Listening{ListenerID: id, Address: l.Address()}); err != nil {
		return err
	}
	if kind, _, err := d.Next(); err != nil || kind != wire.FrameEnd {
		return errGivenUp
	}
	return d.WriteFrame(wire.FrameEnd, nil)
}

// acceptPort waits for a connection to a listener and joins a stream to it.
func acceptPort(ctx context.Context, ws *Workspace, req wire.AcceptPortRequest, accept func() (*duplex, error)) error {
	l := ws.listener(req.ListenerID)
	if l == nil {
		return apierr.Errorf(apierr.NotFound, "listener not found: it is closed, or was never there")
	}
	d, err := accept()
	if err != nil {
		return err
	}
	waiting, cancel := context.WithCancel(ctx)
	defer cancel()
	d.waited = make(chan struct{})
	go func() {
		defer close(d.waited)
		d.Wait() // a client that says something before there is a connection is none of ours
		cancel()
	}()
	inside, err := l.Accept(waiting)
	switch {
	case err != nil && waiting.Err() != nil && ctx.Err() == nil:
		return errGivenUp
	case err != nil:
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = inside.Close() })()
	if err := d.WriteFrame(wire.FrameAccepted, nil); err != nil {
		_ = inside.Close()
		return errGivenUp
	}
	return join(d, inside)
}

// addListener makes what listens known by an id. There are no more at once than
// the guest allows.
func (ws *Workspace) addListener(id string, l *guest.Listener) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.listeners == nil {
		ws.listeners = map[string]*guest.Listener{}
	}
	ws.listeners[id] = l
}

func (ws *Workspace) removeListener(id string) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.listeners, id)
}

func (ws *Workspace) listener(id string) *guest.Listener {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.listeners[id]
}
