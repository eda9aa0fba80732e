package httpapi

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"

	"github.com/agb-go/sdk/internal/wire"
)

// access is the right to call the tools of one session, for whoever has its
// token. It ends with the session.
type access struct {
	tenant, session string
	token           string
	sum             [sha256.Size]byte // of token
	conns           chan struct{}     // a slot for each WebSocket

	over context.Context // ends with the session
	end  context.CancelFunc
}

// accesses are those of all sessions, by the session's id. The zero accesses is
// ready to use.
type accesses struct {
	mu        sync.RWMutex
	bySession map[string]*access
}

func (as *accesses) add(acc *access) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if as.bySession == nil {
		as.bySession = map[string]*access{}
	}
	as.bySession[acc.session] = acc
}

func (as *accesses) remove(acc *access) {
	as.mu.Lock()
	delete(as.bySession, acc.session)
	as.mu.Unlock()
	acc.end()
}

// find returns the access to a session of a request that has its token, nil
// otherwise: without telling, not by how long it takes either, whether there is
// such a session.
func (as *accesses) find(session string, r *http.Request) *access {
	as.mu.RLock()
	acc := as.bySession[session]
	as.mu.RUnlock()
	given := ""
	if tokens := r.Header.Values(wire.HeaderAccessToken); len(tokens) == 1 {
		given = tokens[0]
	}
	sum, want := sha256.Sum256([]byte(given)), [sha256.Size]byte{}
	if acc != nil {
		want = acc.sum
	}
	if subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
		return nil
	}
	return acc
}

// access returns the session's access, made when it is first asked for.
func (ws *Workspace) access(session string) (*access, error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.closed {
		return nil, errWorkspaceClosed
	}
	if ws.direct != nil {
		return ws.direct, nil
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	acc := &access{tenant: ws.tenant, session: session, token: hex.EncodeToString(random[:]), conns: make(chan struct{}, maxSockets)}
	acc.sum = sha256.Sum256([]byte(acc.token))
	acc.over, acc.end = context.WithCancel(context.Background())
	ws.direct = acc
	ws.accesses.add(acc)
	return acc, nil
}

// offer tells in h how the session is reached directly. A caller within the
// program is told nothing: to it the direct routes lead the same way.
func (a *API) offer(h *wire.SessionHandle, by caller) {
	if !by.offered {
		return
	}
	ws, err := a.cfg.Engine.Workspace(by.tenant, h.SessionID)
	if err != nil {
		return // it has just ended, which every other call tells
	}
	acc, err := ws.access(h.SessionID)
	if err != nil {
		return // as above
	}
	path := directPrefix + h.SessionID
	h.LinkURL, h.WSURL = by.base+path, strings.Replace(by.base, "http", "ws", 1)+path+wire.DirectStreamPath
	h.Token, h.ToolList = acc.token, a.tools.servers()
}
