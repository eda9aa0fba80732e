package httpapi

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"sync"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Bounds of a session's transfers.
const (
	maxTransfers = 16 // files under way at once
	maxTasks     = 64 // syncs that are remembered
)

// transferDir is where the transfer context is in a session. What is in it is
// the session's, as all its files are: the directory is where files go whose
// path is relative.
const (
	transferDir              = "/tmp/file_transfer"
	transferPerm fs.FileMode = 0o700
)

// addTransfer makes AGB's own transfer of files known. There is no store between
// a client and a session: what is sent to a URL is in the session once it has
// been answered, and what is read from one comes from there. So a sync has
// nothing left to do.
func (a *API) addTransfer() {
	handle(a, wire.LoadContext, a.loadContext)
	handle(a, wire.UploadURL, a.uploadURL)
	handle(a, wire.DownloadURL, a.downloadURL)
	handle(a, wire.SyncContext, a.syncContext)
	handle(a, wire.ContextInfo, a.contextInfo)
}

// transfer is the transfer context of a session, and of no other.
type transfer struct {
	id, tenant, session string

	slots chan struct{} // for each file under way

	mu    sync.Mutex
	tasks []wire.ContextTask // of directory and type one; the latest is last
}

// transfers are the transfer contexts of all sessions, by id. The zero transfers
// is ready to use.
type transfers struct {
	mu   sync.RWMutex
	byID map[string]*transfer
}

func (ts *transfers) add(t *transfer) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if ts.byID == nil {
		ts.byID = map[string]*transfer{}
	}
	ts.byID[t.id] = t
}

func (ts *transfers) remove(t *transfer) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	delete(ts.byID, t.id)
}

func (ts *transfers) find(id string) *transfer {
	ts.mu.RLock()
	defer ts.mu.RUnlock()
	return ts.byID[id]
}

// loadTransfer returns the session's transfer context, a new one unless there is
// one.
func (ws *Workspace) loadTransfer(tenant, session string) (*transfer, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		return nil, errWorkspaceClosed
	}
	if ws.transfer == nil {
		var random [32]byte
		_, _ = rand.Read(random[:]) // never fails
		ws.transfer = &transfer{
			id: "ft-" + hex.EncodeToString(random[:]), tenant: tenant, session: session, slots: make(chan struct{}, maxTransfers),
		}
		ws.transfers.add(ws.transfer)
	}
	return ws.transfer, nil
}

// transferOf returns the session's transfer context, nil unless it was loaded.
func (ws *Workspace) transferOf() *transfer {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.transfer
}

func (a *API) loadContext(ctx context.Context, by caller, req wire.LoadContextRequest) (*wire.LoadContextResponse, error) {
	var t *transfer
	err := a.cfg.Engine.Do(ctx, by.tenant, req.SessionID, func(ctx context.Context, ws *Workspace) (err error) {
		if err := checkContextTypes(req.Types); err != nil {
			return err
		}
		if err := ws.Guest.Mkdir(ctx, transferDir, transferPerm); err != nil {
			return err
		}
		t, err = ws.loadTransfer(by.tenant, req.SessionID)
		return err
	})
	if err != nil {
		return nil, fromInside(err)
	}
	return &wire.LoadContextResponse{Contexts: []wire.InternalContext{{ID: t.id, Type: wire.ContextFileTransfer, Path: transferDir}}}, nil
}

// checkContextTypes refuses all but the one type that there is.
func checkContextTypes(types *wire.JSONText[[]string]) error {
	if types == nil || len(types.V) == 0 {
		return apierr.Errorf(apierr.InvalidArgument, "contextTypes: there is none")
	}
	for _, name := range types.V {
		if name != wire.ContextFileTransfer {
			return apierr.Errorf(apierr.InvalidArgument, "contextTypes: %.64q is unknown", name).
				WithHint("this engine has %s", wire.ContextFileTransfer)
		}
	}
	return nil
}

// enter takes a slot of the session's, which leave gives back.
func (t *transfer) enter() error {
	select {
	case t.slots <- struct{}{}:
		return nil
	default:
		return apierr.Errorf(apierr.ResourceExhausted, "the session has %d transfers under way, more are not allowed", maxTransfers).
			WithHint("try again when one of them has ended")
	}
}

func (t *transfer) leave() { <-t.slots }
