package agb

import (
	"context"
	"errors"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/transport"
	"github.com/agb-go/sdk/internal/wire"
	"github.com/agb-go/sdk/session"
)

// GetResult is the outcome of [Client.Get].
type GetResult struct {
	Session *Session
	// Status is the service's own word, such as "RUNNING".
	Status    string
	RequestID string
}

// Get returns a handle on the session of that id. When there is none the error
// matches [ErrSessionNotFound].
func (c *Client) Get(ctx context.Context, id string) (*GetResult, error) {
	if err := checkID(id); err != nil {
		return nil, transport.Name(err, "agb.Get", "")
	}
	resp, meta, err := transport.Do(ctx, c.t, wire.GetSession, wire.SessionRequest{SessionID: id})
	if err != nil {
		return nil, transport.Name(err, "agb.Get", id)
	}
	fault := &Error{Op: "agb.Get", SessionID: id, RequestID: meta.RequestID}
	switch {
	case resp.SessionID != "" && resp.SessionID != id:
		fault.Code, fault.Message = apierr.MalformedResponse, "the service answered with another session"
		return nil, fault
	case resp.Status == wire.StatusFinish || resp.Status == wire.StatusDeleted:
		fault.Code, fault.Message = apierr.SessionNotFound, "the session has ended"
		return nil, fault
	}
	return &GetResult{
		Session: session.New(c.t.For(id, resp.SessionHandle), id, resp.ImageID, resp.ResourceURL),
		Status:  resp.Status, RequestID: meta.RequestID,
	}, nil
}

// DeleteResult is the outcome of [Client.Delete].
type DeleteResult = session.DeleteResult

// Delete ends the session of that id, as [session.Session.Delete] does.
// Deleting one that is gone, or never was, is no error.
func (c *Client) Delete(ctx context.Context, id string) (*DeleteResult, error) {
	if err := checkID(id); err != nil {
		return nil, transport.Name(err, "agb.Delete", "")
	}
	res, err := session.New(c.t, id, "", "").Delete(ctx)
	return res, transport.Name(err, "agb.Delete", id)
}

// cleanupTimeout bounds the deletion at the end of [Client.WithSession].
const cleanupTimeout = 30 * time.Second

// WithSession creates a session, calls fn with it and deletes it: when fn
// returns, when it panics, when it calls [runtime.Goexit], and also when ctx
// has ended, for which it takes up to 30 seconds more. It returns what fn
// returns, joined with the error of the deletion if there is one. fn may delete
// the session itself.
func (c *Client) WithSession(ctx context.Context, params *CreateParams, fn func(context.Context, *Session) error) (err error) {
	created, err := c.Create(ctx, params)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
		defer cancel()
		_, failed := created.Session.Delete(ctx)
		err = errors.Join(err, failed)
	}()
	return fn(ctx, created.Session)
}
