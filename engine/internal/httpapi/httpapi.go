// Package httpapi serves the protocol of internal/wire on top of an engine.
// All of HTTP and JSON of the server side is here.
//
// A request passes, in this order:
//
//	admit      the engine is open; panics end here
//	link       /link/<token>/… goes to a port of a sandbox, without a key
//	transfer   /transfer/… is a file of a session, without a key
//	origin     the body has to arrive in time; web pages are refused
//	direct     /session/<id>/… goes to the tools of a session, for its token
//	authorize  whose request is it: the tenant; too many wrong keys wait
//	route      path and method; what is known but absent says "Unsupported"
//	handle     decode, call, encode: the same generic code for every operation
//	callTool   the same generic code for every tool
//	stream     the same generic code for every stream
//
// Operations and tools themselves are functions of a few lines: what they do
// is the engine's and the guest's business.
package httpapi

import (
	"cmp"
	"context"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/agb-go/sdk/engine/driver"
	"github.com/agb-go/sdk/internal/guest"
	"github.com/agb-go/sdk/internal/wire"
)

// Engine is what the protocol needs of the engine. Each method sees the
// sessions of one tenant alone: a foreign session is answered like one that
// never was, with an error of code [apierr.SessionNotFound].
type Engine interface {
	// Create makes a session. ctx bounds the making.
	Create(ctx context.Context, tenant string, p CreateParams) (Session, error)
	// Find returns a session that is alive. It is no activity.
	Find(tenant, id string) (Session, error)
	// List returns the sessions that are alive, in the order of their making.
	List(tenant string) []Session
	// Delete ends a session and returns when it is gone.
	Delete(ctx context.Context, tenant, id string) error
	// SetLabels replaces the labels of a session. It is no activity.
	SetLabels(tenant, id string, set map[string]string) error
	// KeepAlive is activity.
	KeepAlive(tenant, id string) error
	// Extend moves the end of a session's life to lifetime from now, however
	// soon it was to be, and returns the session as it is then.
	Extend(tenant, id string, lifetime time.Duration) (Session, error)
	// Pause stops a session's processes; Resume lets them go on. Both return
	// when it is so and succeed when it was so already.
	Pause(ctx context.Context, tenant, id string) error
	Resume(ctx context.Context, tenant, id string) error
	// Usage returns what a session has used. It is no activity.
	Usage(ctx context.Context, tenant, id string) (driver.Usage, error)
	// Records returns the records of the tenant's sessions, alive and ended, the
	// newest first.
	Records(tenant string) []Record
	// Do runs fn, which is activity while it runs, with a context that also
	// ends with the session.
	Do(ctx context.Context, tenant, id string, fn func(context.Context, *Workspace) error) error
	// Stream is Do for what may take as long as the session lives. It waits for
	// no turn: beyond so many at once it fails.
	Stream(ctx context.Context, tenant, id string, fn func(context.Context, *Workspace) error) error
	// Workspace returns what a session's links work with. It is no activity.
	Workspace(tenant, id string) (*Workspace, error)
}

// CreateParams say which session to make.
type CreateParams struct {
	Image  string
	Labels map[string]string // handed over
	Idle   time.Duration     // idle release; 0 means the engine's own

	Lifetime time.Duration // of the session; 0 means the engine's own, more than that is refused
	Limits   driver.Limits // zero fields mean the engine's own
	// Key makes the creation idempotent: the same key of the same tenant gives
	// the same session for 24 hours, or an error of code
	// [apierr.InvalidArgument] when the other parameters differ. Empty: none.
	Key string
}

// States of a session.
const (
	StateRunning = "running"
	StatePaused  = "paused"
	StateEnded   = "ended"
)

// Record is what is kept of a session, also after its end.
type Record struct {
	ID      string
	Image   string
	Labels  map[string]string // shared: not to be changed
	Created time.Time
	State   string

	// Of one that ended: when, why ("deleted", "idle", "end of life",
	// "sandbox died", "engine closed", "owner died"), and what it used, nil
	// where nobody kept account.
	Ended  time.Time
	Reason string
	Usage  *driver.Usage
}

// Session is what the engine tells of a session.
type Session struct {
	ID     string
	Image  string
	Labels map[string]string // shared: not to be changed
	Seq    uint64            // position in the order of making

	Runtime     string        // name of the runtime that made its sandbox
	Idle        time.Duration // idle release; 0: never
	IdleExpires time.Time     // when it is released if nothing happens; zero: never
	Expires     time.Time     // end of its whole life; zero: never

	Created   time.Time
	State     string         // StateRunning or StatePaused
	Limits    driver.Limits  // in force
	Isolation []driver.Layer // as verified; shared: not to be changed
}

// Config configures an [API].
type Config struct {
	Engine    Engine
	Logger    *slog.Logger // never nil
	PublicURL string       // base of the URLs that are handed out; empty means as the request says
	PageKey   [32]byte     // authenticates page tokens

	// BodyTimeout is how long a request's body may take to arrive; 0 means a
	// minute. It bounds neither calls nor what goes through links.
	BodyTimeout time.Duration
	// AnswerTimeout is how long a client may take to take in 64 KiB of an answer;
	// 0 means half a minute. It bounds neither calls nor what goes through links.
	AnswerTimeout time.Duration
	// StallTimeout is how long the client of a stream may take in nothing; 0
	// means five minutes.
	StallTimeout time.Duration
}

// API serves an engine. It is safe for concurrent use.
type API struct {
	cfg    Config
	routes map[string]map[string]operation // path, method
	beyond []string                        // what there is beyond AGB's protocol
	tools  toolset
	links  links
	wrong  wrongKeys

	accesses  accesses
	transfers transfers
	output    *ledger
}

// caller is who asks.
type caller struct {
	tenant string
	base   string   // scheme and host by which the caller reaches the engine
	keys   []string // idempotency keys: none, or the one of the call

	offered bool // whether sessions tell how they are reached directly
}

// New returns an API.
func New(cfg Config) *API {
	a := &API{cfg: cfg, routes: map[string]map[string]operation{}, output: newLedger(bounds{engineOutput, tenantOutput, sessionOutput, runOutput})}
	handle(a, wire.CreateSession, a.createSession)
	handle(a, wire.GetSession, a.getSession)
	handle(a, wire.SessionStatus, a.sessionStatus)
	handle(a, wire.ListSessions, a.listSessions)
	handle(a, wire.DeleteSession, a.deleteSession)
	handle(a, wire.ReleaseSession, a.deleteSession)
	handle(a, wire.KeepAlive, a.keepAlive)
	handle(a, wire.SetLabels, a.setLabels)
	handle(a, wire.GetLabels, a.getLabels)
	handle(a, wire.SessionInfo, a.sessionInfo)
	handle(a, wire.GetLink, a.getLink)
	handle(a, wire.GetLinkAsync, a.getLink)
	handle(a, wire.ListTools, a.listTools)
	handle(a, wire.CallTool, a.callTool)
	handle(a, wire.Capabilities, a.capabilities)
	handle(a, wire.ExtendSession, a.extendSession)
	handle(a, wire.PauseSession, a.pauseSession)
	handle(a, wire.ResumeSession, a.resumeSession)
	handle(a, wire.SessionUsage, a.sessionUsage)
	handle(a, wire.ListRecords, a.listRecords)
	a.beyond = append(a.beyond, wire.CreateLifetime, wire.CreateLimits, wire.CreateKey, wire.ShellCPUTimeout)
	a.addCode()
	handleStream(a, wire.DialPort, func(r wire.DialPortRequest) string { return r.SessionID }, dialPort)
	handleStream(a, wire.ListenPort, func(r wire.ListenPortRequest) string { return r.SessionID }, listenPort)
	handleStream(a, wire.AcceptPort, func(r wire.AcceptPortRequest) string { return r.SessionID }, acceptPort)
	handleStream(a, wire.StartProcess, func(r wire.StartProcessRequest) string { return r.SessionID }, startProcess)
	handleStream(a, wire.AttachProcess, func(r wire.AttachProcessRequest) string { return r.SessionID }, attachProcess)
	handle(a, wire.ListProcesses, a.listProcesses)
	handle(a, wire.SignalProcess, a.signalProcess)
	handle(a, wire.ResizeProcess, a.resizeProcess)
	a.addFiles()
	a.addTransfer()
	a.refuseUnsupported()

	tool(a, serverShell, wire.Shell, shell)
	tool(a, serverCode, wire.RunCode, runCode)
	tool(a, serverFiles, wire.ReadFile, readFile)
	tool(a, serverFiles, wire.WriteFile, writeFile)
	tool(a, serverFiles, wire.EditFile, editFile)
	tool(a, serverFiles, wire.CreateDirectory, createDirectory)
	tool(a, serverFiles, wire.DeleteFile, deleteFile)
	tool(a, serverFiles, wire.MoveFile, moveFile)
	tool(a, serverFiles, wire.GetFileInfo, getFileInfo)
	tool(a, serverFiles, wire.ListDirectory, listDirectory)
	tool(a, serverFiles, wire.SearchFiles, searchFiles)
	tool(a, serverFiles, wire.ReadMultipleFiles, readMultipleFiles)
	tool(a, serverFiles, wire.GetFileChange, getFileChange)
	tool(a, serverOther, wire.GetMetrics, getMetrics)
	return a
}

// Handler returns a handler of everything. authorize says whose request it is,
// but for links and direct calls, which have secrets of their own; what it
// refuses is answered with 401, and with 429 when a peer tries too many keys. Web pages have no business here: their requests are refused.
func (a *API) Handler(authorize func(*http.Request) (tenant string, ok bool)) http.Handler {
	return a.handler(authorize, false)
}

// PortHandler is Handler for clients that come over a port. Sessions tell them
// how they are reached directly.
func (a *API) PortHandler(authorize func(*http.Request) (tenant string, ok bool)) http.Handler {
	return a.handler(authorize, true)
}

func (a *API) handler(authorize func(*http.Request) (tenant string, ok bool), offered bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer a.recoverPanic(w, r)
		timeout := cmp.Or(a.cfg.BodyTimeout, bodyTimeout)
		if a.links.serve(w, r, timeout) || a.serveTransfer(w, r, timeout) {
			return
		}
		w = newSlowWriter(w, cmp.Or(a.cfg.AnswerTimeout, answerTimeout))
		expectBody(w, r, timeout)
		if r.Header.Values("Origin") != nil {
			fail(w, requestID(r), errWebPage())
			return
		}
		if a.direct(w, r) {
			return
		}
		tenant, ok := authorize(r)
		if !ok {
			a.unauthorized(w, r)
			return
		}
		op, err := a.route(r)
		if err != nil {
			if err.HTTPStatus == http.StatusMethodNotAllowed {
				w.Header().Set("Allow", a.allowed(r.URL.EscapedPath()))
			}
			fail(w, requestID(r), err)
			return
		}
		op(w, r, caller{tenant: tenant, base: a.base(r), keys: r.Header.Values(wire.HeaderIdempotencyKey), offered: offered})
	})
}

// unauthorized answers a request without a right key.
func (a *API) unauthorized(w http.ResponseWriter, r *http.Request) {
	var wait time.Duration
	if r.Header.Values("Authorization") != nil {
		wait = a.wrong.add(r)
	}
	if wait == 0 {
		fail(w, requestID(r), errUnauthorized())
		return
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	fail(w, requestID(r), errTooManyKeys())
}

// Open returns the workspace of a new session of the tenant, for which client
// speaks to the guest. oomKills is that of its sandbox, see [driver.Sandbox];
// nil where there is none. What was started ahead with the same client is the
// workspace's. The caller closes the workspace when the session ends.
func (a *API) Open(tenant string, client *guest.Client, oomKills func() (int64, error), ahead Ahead) *Workspace {
	return &Workspace{
		Guest: client, tenant: tenant, links: &a.links, accesses: &a.accesses, transfers: &a.transfers,
		output: a.output.open(tenant), kills: kills{count: oomKills}, contexts: contexts{all: ahead.contexts},
	}
}
