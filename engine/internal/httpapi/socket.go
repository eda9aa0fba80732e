package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/guest/kernel"
	"github.com/agb-go/sdk/internal/wire"
)

// Bounds of WebSockets.
const (
	maxSockets    = 8       // of one session
	maxSocketRuns = 16      // at once on one of them
	maxSocketID   = 128     // bytes of an invocation's id
	socketMessage = 1 << 20 // bytes of a message of ours: more clients do not take
)

// socket is a client's WebSocket. Its runs end with it, and it ends with the
// session.
type socket struct {
	api  *API
	acc  *access
	conn *websocket.Conn
	ctx  context.Context // ends with the connection
	cut  context.CancelFunc

	running sync.WaitGroup
	mu      sync.Mutex
	runs    map[string]bool                     // ids of invocations
	over    bool                                // nothing begins any more
	placed  map[kernel.Language]<-chan struct{} // closed once the latest run has its place
}

// socket serves a WebSocket until its client leaves, or the session ends.
func (a *API) socket(w http.ResponseWriter, r *http.Request, acc *access) {
	if !asksUpgrade(r, "websocket") {
		e := apierr.Errorf(apierr.InvalidArgument, "this is a WebSocket: the request has to ask for an upgrade to websocket, in HTTP/1.1")
		e.HTTPStatus = http.StatusUpgradeRequired
		fail(w, requestID(r), e)
		return
	}
	select {
	case acc.conns <- struct{}{}:
		defer func() { <-acc.conns }()
	default:
		fail(w, requestID(r), apierr.Errorf(apierr.ResourceExhausted, "the session has %d WebSockets, more are not allowed", maxSockets).WithHint("close some"))
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // there may be one left of the request before
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	conn.SetReadLimit(wire.SocketLimit)
	s := &socket{api: a, acc: acc, conn: conn, runs: map[string]bool{}, placed: map[kernel.Language]<-chan struct{}{}}
	s.ctx, s.cut = context.WithCancel(r.Context())
	detach := context.AfterFunc(acc.over, s.part)
	for s.take() {
	}
	detach()
	s.cut()
	s.running.Wait()
	_ = conn.CloseNow() // nobody is left to be told
}

// part ends the connection because the session has ended, which what runs gets
// to tell first.
func (s *socket) part() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	defer time.AfterFunc(partingTime, s.cut).Stop()
	told := make(chan struct{})
	go func() {
		s.running.Wait()
		close(told)
	}()
	select {
	case <-told:
		_ = s.conn.Close(websocket.StatusGoingAway, "the session is over") // it fails when there is nobody
	case <-s.ctx.Done():
	}
}

// take takes in a message, and reports whether there may be another. A message
// that has begun has as long to arrive as a request's body.
func (s *socket) take() bool {
	kind, r, err := s.conn.Reader(s.ctx)
	if err != nil {
		return false
	}
	late := time.AfterFunc(cmp.Or(s.api.cfg.BodyTimeout, bodyTimeout), s.cut)
	message, err := io.ReadAll(r)
	late.Stop()
	if err != nil {
		return false
	}
	if kind == websocket.MessageText {
		s.serve(message)
	}
	return true
}

// serve begins what a message asks for. Where it does not say who asks, there
// is nobody to be told what is wrong with it.
func (s *socket) serve(message []byte) {
	var frame struct {
		InvocationID string          `json:"invocationId"`
		Target       string          `json:"target"`
		Data         json.RawMessage `json:"data"`
	}
	if wire.CheckDepth(message, wire.BodyDepth) != nil || json.Unmarshal(message, &frame) != nil ||
		frame.InvocationID == "" || len(frame.InvocationID) > maxSocketID {
		return
	}
	id := frame.InvocationID
	var call wire.JSONObject[wire.SocketCall]
	err := wire.Unmarshal(frame.Data, &call)
	switch {
	case err != nil:
		err = apierr.Errorf(apierr.InvalidArgument, "malformed request: data: %w", err)
	case frame.Target != wire.CodeServer:
		err = apierr.Errorf(apierr.Unsupported, "target %.64q is unsupported: there is nothing to be streamed but %s", frame.Target, wire.CodeServer)
	case call.V.Method != wire.RunCode.Name:
		err = apierr.Errorf(apierr.Unsupported, "method %.64q is unsupported: there is none but %s", call.V.Method, wire.RunCode.Name)
	}
	if err != nil {
		s.failed(id, err)
		return
	}
	if !s.begin(id, call.V.Params) {
		s.failed(id, apierr.Errorf(apierr.ResourceExhausted, "%d runs at once on this WebSocket, more are not allowed", maxSocketRuns))
	}
}

// begin runs code, and reports whether there was room for it. Of an id that runs
// already the end is still to come, and nothing else begins.
func (s *socket) begin(id string, params wire.SocketCallParams) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over || s.runs[id]:
		return true
	case len(s.runs) >= maxSocketRuns:
		return false
	}
	s.runs[id] = true
	before, queued := s.line(params.Language)
	s.running.Go(func() {
		defer queued()
		if before != nil {
			select {
			case <-before:
			case <-s.ctx.Done(): // which run tells of
			}
		}
		s.run(id, params, queued)
	})
	return true
}

// line puts a run behind those of its language that came before: they share a
// context. It begins once before is closed, at once when that is nil. queued
// tells that it has its place in the context, so that the next may begin. The
// caller holds mu.
func (s *socket) line(name string) (before <-chan struct{}, queued func()) {
	language, ok := kernel.Lookup(name)
	if !ok || !language.KeepsState() {
		return nil, func() {}
	}
	placed := make(chan struct{})
	before, s.placed[language] = s.placed[language], placed
	return before, sync.OnceFunc(func() { close(placed) })
}

// run runs code to its end.
func (s *socket) run(id string, params wire.SocketCallParams, queued func()) {
	start := time.Now()
	var last any
	err := s.api.cfg.Engine.Stream(s.ctx, s.acc.tenant, s.acc.session, func(ctx context.Context, ws *Workspace) (err error) {
		last, err = s.stream(ctx, ws, id, wire.RunCodeArgs{Code: params.Code, Language: params.Language, TimeoutS: params.TimeoutS}, queued)
		return err
	})
	err = fromInside(err)
	s.api.logCall(s.ctx, wire.RunCode.Name, envelope(requestIDOf(id), err), time.Since(start), err)
	s.mu.Lock()
	delete(s.runs, id) // before the client knows that there is room
	s.mu.Unlock()
	if err != nil {
		s.failed(id, err)
		return
	}
	_ = s.send(id, last) // a client that has gone is not our concern
}

// failed tells that an invocation failed.
func (s *socket) failed(id string, err error) {
	e := apierr.From(err)
	code, _ := wire.Fault(e.Code)
	_ = s.send(id, wire.SocketFailure{Phase: wire.PhaseError, Error: shortened(e.Message), ErrorCode: code, ErrorHint: e.Hint}) // as above
}

// send sends what belongs to an invocation. A client that does not take it in
// is no longer waited for: the connection ends.
func (s *socket) send(id string, data any) error {
	message, err := socketText(id, data)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.ctx, cmp.Or(s.api.cfg.StallTimeout, stallTimeout))
	defer cancel()
	if err := s.conn.Write(ctx, websocket.MessageText, message); err != nil {
		s.cut()
		return errGivenUp
	}
	return nil
}

// socketText returns a message of ours.
func socketText(id string, data any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(wire.SocketFrame[any]{
		InvocationID: id, Source: wire.CodeServer, Target: wire.SocketClient, Data: &wire.JSONObject[any]{V: data},
	})
	return b.Bytes(), err
}
