// Package transport performs one operation of the protocol over HTTP: it
// authenticates, numbers, retries what may be retried, bounds what comes back,
// and turns every failure into an [apierr.Error]. It knows nothing of sessions
// or commands.
//
// A call is at most [Config.Attempts] attempts, one after the other:
//
//	attempt   own clock (Config.Timeout); no redirects; the answer is read
//	          whole, at most ResponseLimit bytes of it
//	verdict   done, or again: 429 and 503 always, since the server has done
//	          nothing; other 5xx, 408, 425 and lost connections only if the
//	          operation is repeatable or the request was never sent, or if
//	          the server performs the operation once for each idempotency key
//	wait      full jitter, or what Retry-After asks for, within bounds; not
//	          past the caller's deadline
//
// All attempts of a call carry one request id and one idempotency key.
//
// A client of a session, see [Client.For], calls tools at the session's own URL
// where it has one, with the session's token in place of the API key, and opens
// its WebSocket:
//
//	direct    the same attempts, verdicts and waits; what was not sent, or is
//	          answered with 401, 403 or 404, had no effect: then the control
//	          plane is called after all, and alone for the next minute
//	socket    one connection, one call, never repeated
package transport

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// Config configures a [Client]. The caller has filled in every default.
type Config struct {
	Embedded  bool              // whether Transport leads to an engine
	BaseURL   string            // scheme and host, perhaps a path; no slash at the end
	APIKey    string            // empty sends no Authorization header
	Transport http.RoundTripper // never nil
	Streams   http.RoundTripper // for streams; nil means Transport
	Logger    *slog.Logger      // never nil
	UserAgent string
	Timeout   time.Duration // of one attempt
	Attempts  int           // at most, for one call
}

// Client performs operations. It is safe for concurrent use.
type Client struct {
	*core
	direct *direct // see [Client.For]; nil: none
}

// core is what a client and those of its sessions share.
type core struct {
	cfg    Config
	ids    identity
	bucket *bucket
	able   atomic.Pointer[abilities] // nil until the server has told
	asking chan struct{}             // held by who asks it
}

// New returns a Client. It does no I/O.
func New(cfg Config) *Client {
	return &Client{core: &core{cfg: cfg, ids: newIdentity(), bucket: newBucket(), asking: make(chan struct{}, 1)}}
}

// Embedded reports whether the client talks to an engine, which knows more than
// AGB's hosted service does.
func (c *Client) Embedded() bool { return c.cfg.Embedded }

// Meta is what is known of a call besides its result.
type Meta struct {
	RequestID string // the server's, else the client's own
}

// Do performs op. The request's id is known even when it fails. The error is
// an [*apierr.Error] of this call's own; its code is [apierr.Unsupported] when
// op is one of ours that the server does not have, see [Client.Can].
func Do[Req, Resp any](ctx context.Context, c *Client, op wire.Op[Req, Resp], req Req) (Resp, Meta, error) {
	return DoKeyed(ctx, c, op, req, "")
}

// DoKeyed is [Do] with an idempotency key; empty means one of the call's own.
func DoKeyed[Req, Resp any](ctx context.Context, c *Client, op wire.Op[Req, Resp], req Req, key string) (Resp, Meta, error) {
	var resp Resp
	if op.Ours {
		if err := c.Can(ctx, op.Name); err != nil {
			return resp, Meta{RequestID: apierr.From(err).RequestID}, err
		}
	}
	meta, err := do(ctx, c, op, req, options{key: key}, &resp, &resp)
	return resp, meta, err
}

// options are what calls of one operation may differ in, besides the request.
type options struct {
	extra time.Duration // added to the timeout of an attempt
	key   string        // idempotency key; empty: one of the call's own
}

// do performs op and sets resp when it succeeds, to which quick points too,
// perhaps as another type that decodes the usual answer in fewer steps.
func do[Req, Resp any](ctx context.Context, c *Client, op wire.Op[Req, Resp], req Req, opts options, resp *Resp, quick any) (meta Meta, err error) {
	method, target, body, err := op.NewRequest(req)
	if err != nil {
		return meta, unsendable(op.Name, "", err)
	}
	k := newCall(ctx, c, op.Name, len(body), quick, opts)
	k.repeatable, k.insurance = op.Repeatable, op.Keyed
	env, fault := k.perform(method, target, body)
	meta.RequestID = k.requestID
	switch {
	case fault != nil:
		err = fault
	case k.decoded:
		wire.TakePage(env, resp)
		return meta, nil
	default:
		var opened Resp
		if opened, err = wire.Open[Resp](env); err == nil {
			*resp = opened
			return meta, nil
		}
		err = k.malformed(http.StatusOK, k.body, err)
	}
	*resp = *new(Resp) // half an answer is none
	return meta, err
}

// unsendable is a request that cannot be sent, and was not.
func unsendable(op, session string, err error) *apierr.Error {
	return &apierr.Error{Code: apierr.InvalidArgument, Op: op, SessionID: session, Message: err.Error(), Cause: err}
}

// Call calls a tool in a session. The tool itself is expected to take up to
// extra, which is added to the timeout of an attempt. When the tool failed and
// its result says how (see [wire.Tool.Failed]) that is no error.
func Call[Args, Out any](ctx context.Context, c *Client, session string, tool wire.Tool[Args, Out], args Args, extra time.Duration) (out Out, meta Meta, err error) {
	text, err := wire.TextOf(args).MarshalText()
	if err != nil {
		return out, meta, unsendable(tool.Name, session, err)
	}
	resp, meta, err := CallRaw(ctx, c, session, tool.Name, string(text), tool.Repeatable, extra)
	if err != nil {
		return out, meta, err
	}
	if resp.IsError {
		if tool.Failed != nil && resp.ErrorCode == "" {
			if out, err := tool.Decode(&resp); err == nil && tool.Failed(out) {
				return out, meta, nil
			}
		}
		return out, meta, Failure(c, session, tool.Name, meta, &resp)
	}
	if out, err = tool.Decode(&resp); err != nil {
		return out, meta, &apierr.Error{
			Code: apierr.MalformedResponse, Op: tool.Name, SessionID: session, RequestID: meta.RequestID, HTTPStatus: http.StatusOK,
			Message: "the tool's result is not understood: " + c.excerpt([]byte(resp.Text())), Cause: c.cause(err),
		}
	}
	return out, meta, nil
}

// CallRaw calls the tool of that name with args, a JSON object as text, and
// returns what it said, also when that is a failure. A session that offers it is
// called directly, see [Client.For]; where that certainly had no effect the tool
// is called through the control plane after all.
func CallRaw(ctx context.Context, c *Client, session, tool, args string, repeatable bool, extra time.Duration) (wire.CallToolResponse, Meta, error) {
	if server := c.direct.server(session, tool); server != "" {
		if resp, meta, taken, err := c.callDirect(ctx, server, tool, args, repeatable, extra); taken {
			return resp, meta, Name(err, "", session)
		}
	}
	op := wire.CallTool
	op.Name, op.Repeatable = tool, repeatable
	// Without the method that finds objects in text, which is not the usual form.
	type object wire.CallToolResponse
	var resp wire.CallToolResponse
	meta, err := do(ctx, c, op, wire.CallToolRequest{SessionID: session, Name: tool, Args: args}, options{extra: extra}, &resp, (*object)(&resp))
	return resp, meta, Name(err, "", session)
}

// Failure returns what a tool that failed reported as an error.
func Failure(c *Client, session, tool string, meta Meta, resp *wire.CallToolResponse) *apierr.Error {
	text := resp.Text()
	if resp.ErrorHint != "" {
		// The text repeats the hint, for clients that see nothing else.
		text = strings.TrimSuffix(text, "; "+resp.ErrorHint)
	}
	code := apierr.Unknown
	if resp.ErrorCode != "" {
		code = wire.FaultCode(resp.ErrorCode, 0, "")
	}
	if code == apierr.Unknown {
		code = wire.ToolFaultCode(text)
	}
	message := c.Message(text)
	if message == "" {
		message = "the tool failed and did not say why"
	}
	return &apierr.Error{
		Code: code, Op: tool, SessionID: session, RequestID: meta.RequestID, HTTPStatus: http.StatusOK,
		Message: message, Hint: c.Message(resp.ErrorHint),
	}
}

// Name says in err, which came from this package, what was being done and to
// which session, where it is not empty. A nil err stays nil.
func Name(err error, op, session string) error {
	if err == nil {
		return nil
	}
	e := apierr.From(err)
	if op != "" {
		e.Op = op
	}
	if session != "" {
		e.SessionID = session
	}
	return e
}
