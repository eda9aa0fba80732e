package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/agb-go/sdk/apierr"
	"github.com/agb-go/sdk/internal/wire"
)

// open reads the envelope of the answer in k.body: success is HTTP 200 and
// success true, nothing less. A direct answer has none unless it failed.
func (k *call) open(resp *http.Response) (*wire.Envelope, *apierr.Error) {
	if k.direct != nil && k.succeeded(resp.StatusCode) {
		if env, fault := k.openDirect(resp); env != nil || fault != nil {
			return env, fault
		}
		if env, err := parseEnvelope(k.body); err != nil || env.Success {
			return nil, k.malformed(resp.StatusCode, k.body, errNoResult)
		}
	}
	if env := k.openSuccess(resp); env != nil {
		k.identify(resp, env)
		return env, nil
	}
	env, err := parseEnvelope(k.body)
	k.identify(resp, env)
	if err != nil {
		if resp.StatusCode == http.StatusOK {
			return nil, k.malformed(resp.StatusCode, k.body, err)
		}
		return nil, k.refused(resp)
	}
	if resp.StatusCode == http.StatusOK && env.Success {
		return env, nil
	}
	message := env.Message
	if message == "" {
		message = dataMessage(env.Data)
	}
	e := k.fault(wire.FaultCode(env.Code, resp.StatusCode, message), resp.StatusCode, k.client.Message(message))
	if e.Message == "" {
		e.Message = k.client.Message(strings.TrimSpace("the server refused without a message " + env.Code))
	}
	e.Hint = k.client.Message(env.Hint)
	for _, name := range env.Missing[:min(len(env.Missing), missingLimit)] {
		e.Missing = append(e.Missing, k.client.shown(name, layerLimit))
	}
	e.RetryAfter = retryAfter(resp.Header)
	return nil, e
}

// openSuccess reads the answer that is to be expected, its data with it, in one
// go. It returns nil when the answer is another: then it has to be looked at
// more closely.
func (k *call) openSuccess(resp *http.Response) *wire.Envelope {
	if resp.StatusCode != http.StatusOK {
		return nil
	}
	var env struct {
		wire.Envelope
		Data any `json:"data"` // instead of the envelope's own
	}
	env.Data = k.data
	if json.Unmarshal(k.body, &env) != nil || !env.Success {
		return nil
	}
	k.decoded = true
	return &env.Envelope
}

// errForeign is what is wrong with JSON that is not the service's.
var errForeign = errors.New("not an answer of the service")

// errNoResult is what is wrong with a direct answer that only looks like one.
var errNoResult = errors.New("there is no result in it")

// anyEnvelope is an envelope of any answer.
type anyEnvelope struct {
	wire.Envelope
	Success *bool           `json:"success"` // instead of the envelope's own
	Body    json.RawMessage `json:"body"`
}

// parseEnvelope decodes an envelope, which may be inside another's body. Every
// answer of the service has at least one of a code, an id, a status and success,
// so that JSON without them is a gateway's.
func parseEnvelope(body []byte) (*wire.Envelope, error) {
	var env anyEnvelope
	if err := json.Unmarshal(body, &env); err != nil {
		return nil, err
	}
	if env.Success == nil && env.Code == "" && env.Message == "" && len(env.Body) > 0 && env.Body[0] == '{' {
		inner := env.Body
		env = anyEnvelope{}
		if err := json.Unmarshal(inner, &env); err != nil {
			return nil, err
		}
	}
	if env.Success == nil && env.Code == "" && env.RequestID == "" && env.HTTPStatusCode == 0 {
		return nil, errForeign
	}
	env.Envelope.Success = env.Success != nil && *env.Success
	return &env.Envelope, nil
}

// dataMessage returns what the data of a failure says, since some say it
// nowhere else.
func dataMessage(data json.RawMessage) string {
	var d struct {
		ErrMsg string `json:"errMsg"`
	}
	if json.Unmarshal(data, &d) != nil {
		return "" // no such data, no such message
	}
	return d.ErrMsg
}

// identify takes over the request id by which the server knows the call.
func (k *call) identify(resp *http.Response, env *wire.Envelope) {
	id := ""
	if env != nil {
		id = env.RequestID
	}
	if id == "" {
		id = resp.Header.Get(wire.HeaderRequestID)
	}
	if id == "" || id == k.requestID || len(id) > idLimit || k.client.redact(id) != id || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return
	}
	k.requestID = id
}

// malformed is an answer that is not understood.
func (k *call) malformed(status int, body []byte, err error) *apierr.Error {
	message := "the answer is not understood: "
	if len(body) == 0 {
		message = "the answer is empty"
	}
	e := k.fault(apierr.MalformedResponse, status, message+k.client.excerpt(body))
	e.Cause = k.client.cause(err)
	return e
}

// refused is a failure of somebody who does not speak the protocol, such as a
// gateway.
func (k *call) refused(resp *http.Response) *apierr.Error {
	message := strings.TrimSpace("HTTP " + http.StatusText(resp.StatusCode))
	if text := k.client.excerpt(k.body); text != "" {
		message += ": " + text
	}
	code := wire.FaultCode("", resp.StatusCode, "")
	hint := ""
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		// Not the NotFound of a file.
		code, hint = apierr.Unsupported, "the server does not have this operation: is the endpoint right?"
	}
	e := k.fault(code, resp.StatusCode, message)
	e.Hint = hint
	e.RetryAfter = retryAfter(resp.Header)
	if !k.repeatable && (resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusGatewayTimeout) {
		e.Cause = apierr.UnknownOutcome.Err()
		e.Hint = hintOutcome
	}
	return e
}

const hintOutcome = "it may have taken effect"

// lost is a call without an answer.
func (k *call) lost(err error) *apierr.Error {
	err = innermost(err)
	var ours *apierr.Error
	if errors.As(err, &ours) {
		e := *ours // it may be somebody's variable
		e.Op, e.Message, e.Hint = k.op, k.client.Message(e.Message), k.client.Message(e.Hint)
		if e.RequestID == "" {
			e.RequestID = k.requestID
		}
		if k.unsure {
			leaveOpen(&e)
		}
		return &e
	}
	if strings.Contains(err.Error(), "invalid Upgrade request header") { // net/http has no type for it, and has sent nothing
		return k.noUpgrade()
	}
	maybe := !k.repeatable && (k.sent() || k.unsure)
	e := k.fault(apierr.Unavailable, 0, k.client.Message(err.Error()))
	e.Cause = k.client.cause(err)
	switch {
	case k.ctx.Err() != nil:
		e.Code, e.Cause = apierr.CodeOf(k.ctx.Err()), k.client.cause(context.Cause(k.ctx))
		e.Message = k.ctx.Err().Error()
		if why := e.Cause.Error(); why != e.Message {
			e.Message += ": " + k.client.Message(why)
		}
	case k.clock != nil && errors.Is(context.Cause(k.clock), errRequestTimeout):
		e.Code, e.Message = apierr.DeadlineExceeded, fmt.Sprintf("request timeout: no answer within %v", k.timeout)
	case errors.Is(err, http.ErrSchemeMismatch):
		e.Code, e.Hint = apierr.FailedPrecondition, "the server speaks http, without encryption: begin the endpoint with http:// if the network to it is to be trusted"
	case untrusted(err):
		e.Code, e.Hint = apierr.FailedPrecondition, "there is no secure connection to this server: check the endpoint and the certificates that this machine trusts"
	case strings.Contains(err.Error(), "server response headers exceeded"): // net/http has no type for it
		e.Code = apierr.ResponseTooLarge
	case maybe:
		e.Code, e.Hint = apierr.UnknownOutcome, hintOutcome
	}
	if maybe && e.Code != apierr.UnknownOutcome {
		leaveOpen(e)
	}
	return e
}

// ErrNoUpgrade is in errors of streams through a transport that speaks HTTP/2 to
// the server, which will not do the next time either.
var ErrNoUpgrade = errors.New("HTTP/2 has no upgrades")

// noUpgrade is a stream that the transport cannot begin.
func (k *call) noUpgrade() *apierr.Error {
	e := k.fault(apierr.FailedPrecondition, 0, "the client's transport speaks HTTP/2 to the server, and streams take HTTP/1.1")
	e.Cause, e.Hint = ErrNoUpgrade, "the transport given to agb.WithTransport must speak HTTP/1.1 alone: set Protocols of an http.Transport, and of a clone TLSClientConfig.NextProtos too"
	return e
}

// leaveOpen makes e say that the call may have taken effect.
func leaveOpen(e *apierr.Error) {
	e.Hint = hintOutcome
	if e.Cause == nil {
		e.Cause = apierr.UnknownOutcome.Err()
	} else {
		e.Cause = fmt.Errorf("%w; %w", e.Cause, apierr.UnknownOutcome.Err())
	}
}

// doubt returns e, the last attempt's fault, as one of a call that may have
// taken effect if an earlier attempt may have and e does not settle it.
func (k *call) doubt(e *apierr.Error) *apierr.Error {
	if k.unsure && transient(e.HTTPStatus) {
		leaveOpen(e)
	}
	return e
}

// hurry wraps e if the caller's deadline is what forbade another attempt.
func (k *call) hurry(e *apierr.Error) *apierr.Error {
	if !k.hurried || k.ctx.Err() != nil {
		return e
	}
	return &apierr.Error{
		Code: apierr.DeadlineExceeded, Op: k.op, RequestID: e.RequestID, HTTPStatus: e.HTTPStatus, RetryAfter: e.RetryAfter,
		Message: "context deadline comes before another attempt; the last one said: " + e.Message, Cause: e,
	}
}

// redirected is a redirect, which is never followed: it would take the request
// and its key to somebody else.
func (k *call) redirected(resp *http.Response) *apierr.Error {
	target := "somewhere"
	if u, err := url.Parse(resp.Header.Get("Location")); err == nil && u.Host != "" {
		target = k.client.shown(u.Scheme+"://"+u.Host, targetLimit)
	}
	e := k.fault(apierr.MalformedResponse, resp.StatusCode, "the server redirects to "+target+", which is refused")
	e.Hint = "set the endpoint to the service's own address"
	return e
}

// fault is an error of this call.
func (k *call) fault(code apierr.Code, status int, message string) *apierr.Error {
	return &apierr.Error{Code: code, Op: k.op, RequestID: k.requestID, HTTPStatus: status, Message: message}
}
